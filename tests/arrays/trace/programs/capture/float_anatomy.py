"""What floats and integers are made of: frexp, modf, spacing, rounding, wrap-around, errors as exceptions."""

import fractions
import math
import warnings
from math import isclose

import numpy as np

x = np.array([0.1, -2.75, 1e300, 6.02e23, 3.0])
mantissa, exponent = np.frexp(x)
assert (np.ldexp(mantissa, exponent) == x).all()
part, whole = np.modf(x)
print(mantissa.round(4), exponent, part[:2], whole[:2], np.trunc(x[1]), np.fix(-2.5), np.rint([0.5, 1.5, 2.5]))
quotient, rest = divmod(x, 0.7)
print(quotient[[0, 1, 4]], rest[[0, 1, 4]].round(6), np.fmod(-7, 3), np.remainder(-7, 3), -7 // np.int64(3))
print(np.floor_divide(x[1], 0.5), np.copysign(3, x[:2]), np.sign(x), np.heaviside(x - 0.1, 0.5), np.cbrt(-27.0))
print(
    np.spacing(1.0) == np.finfo(float).eps,
    np.nextafter(1, 2) - 1,
    np.float32(16_777_216) + np.float32(1),
    np.finfo("f4").max,
)
print(
    np.iinfo(np.int16).min, np.iinfo("u8").max, np.finfo(np.float16).tiny, fractions.Fraction(float(x[0])).denominator
)

with np.errstate(all="raise"):
    for name, attempt in {
        "divide": lambda: np.array([1.0]) / np.array([0.0]),
        "invalid": lambda: np.sqrt(np.array([-1.0])),
        "over": lambda: np.exp(np.array([1e3])),
        "under": lambda: np.exp(np.array([-740.0])) * 1e-10,
    }.items():
        try:
            attempt()
        except FloatingPointError as error:
            print(name, "->", error)

with np.errstate(divide="ignore", invalid="ignore"):
    odd = np.array([1.0, -1.0, 0.0]) / 0.0
print(odd, np.isinf(odd), np.isposinf(odd), np.isfinite(odd).any(), np.nan_to_num(odd, posinf=9, neginf=-9, nan=0))
print(odd[2] != odd[2], odd[2] is np.nan, np.isnan(odd).sum(), np.fmax(odd[2], 1), np.maximum(odd[2], 1))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    total = np.int32(2**31 - 1) + np.int32(1)
print(
    total, caught[0].category.__name__, (np.full(3, 200, np.uint8) + np.uint8(100)).tolist(), np.uint8(3) - np.uint8(2)
)
try:
    np.array([1, 2], dtype=np.uint8)[:] = np.array([300, 1]).astype("U3").astype(np.uint8)
except (OverflowError, ValueError) as error:
    print(type(error).__name__)
try:
    np.uint8(300)
except OverflowError as error:
    print("OverflowError", "300" in str(error))

tenths = np.full(100_000, 0.1, dtype=np.float32)
naive = np.cumsum(tenths)[-1]
exact = math.fsum(tenths.tolist())
print(
    f"{naive:.3f} {tenths.sum():.3f} {tenths.sum(dtype='f8'):.6f} {exact:.6f}", isclose(exact, tenths.sum(dtype=float))
)


def kahan(values):
    total = carry = np.float32(0)
    for value in values:
        y = value - carry
        new = total + y
        carry = (new - total) - y
        total = new
    return total


print(f"{kahan(tenths[:5000]):.4f}", np.result_type("f4", "i4"), np.promote_types("i2", "u2"), np.can_cast("i8", "f4"))
half = np.float16(2049)
print(
    half,
    half.dtype,
    np.float64(0.1) + np.float32(0.2),
    (np.float32(3) * 2.5).dtype,
    (np.ones(2, "f4") * np.float64(2)).dtype,
)
print(
    np.longdouble(1) / 3 > 0.333,
    np.isclose(0.1 + 0.2, 0.3),
    np.allclose([1e10, 1e-7], [1.00001e10, 1e-8]),
    round(np.float64(2.675), 2),
)
print(
    np.logaddexp(1000, 1000).round(4),
    np.expm1(1e-12),
    np.log1p(-1e-12),
    np.hypot(3e200, 4e200),
    np.sinc([0, 0.5]).round(6),
)
print(np.geterr()["over"], np.float64(0.3).as_integer_ratio())
