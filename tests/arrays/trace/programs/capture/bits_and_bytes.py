"""Bits, bytes and buffers: packing, popcounts, byte order, views of other types, memoryview, bytearray, array."""

import array
import struct
import zlib

import numpy as np

rng = np.random.default_rng(8)
bits = rng.integers(0, 2, size=(64, 100), dtype=np.uint8)
packed = np.packbits(bits, axis=1)
again = np.unpackbits(packed, axis=1, count=100)
print(packed.shape, np.array_equal(bits, again), np.bitwise_count(packed).sum(), bits.sum())
print(zlib.crc32(packed), zlib.adler32(packed.tobytes()), hash(packed.tobytes()) == hash(bytes(packed)))


def xorshift(state):
    """One step of three shifts on a whole array of 64-bit states; the products wrap."""
    state ^= state >> np.uint64(12)
    state ^= state << np.uint64(25)
    state ^= state >> np.uint64(27)
    return state * np.uint64(0x2545F4914F6CDD1D)


state = np.arange(1, 20_001, dtype=np.uint64)
for _ in range(10):
    numbers = xorshift(state)
share = (numbers >> np.uint64(11)).astype(np.float64) / 2**53
print(f"mean {share.mean():.4f}", numbers[:2], (numbers & np.uint64(1)).sum(), np.bitwise_xor.reduce(numbers))

wrapped = np.array([120, 100, -128], dtype=np.int8)
print(wrapped + wrapped, -wrapped, np.left_shift(wrapped, 1), ~wrapped, np.invert(wrapped) ^ wrapped)
print(wrapped.view(np.uint8), (wrapped.astype(np.int16) * 2).view("u1"), np.bitwise_or.accumulate([1, 4, 6, 16]))

little = np.array([1, 256, 65_536], dtype="<i4")
big = little.byteswap().view(little.dtype.newbyteorder(">"))
print(
    big, big.dtype, big.tobytes().hex(), little.byteswap()[0], big.astype("=i4").dtype.isnative, (big == little).all()
)

message = bytearray(struct.pack("<4sHHd", b"PENY", 2, 3, 2.5) + np.arange(6, dtype="<f4").tobytes())
header = np.frombuffer(
    message, dtype=[("magic", "S4"), ("rows", "<u2"), ("columns", "<u2"), ("scale", "<f8")], count=1
)[0]
body = np.frombuffer(message, dtype="<f4", offset=16).reshape(header["rows"], header["columns"])
print(header["magic"].decode(), body * header["scale"], body.flags.writeable, body.base is not None)
body += 1
print(struct.unpack_from("<f", message, 20)[0], memoryview(body).shape, memoryview(body)[1, 2])

window = memoryview(little)
print(window.format, window.itemsize, window.nbytes, window.tolist(), bytes(window[1:2]), window.obj is little)
numbers = array.array("d", [1.5, 2.5, 3.5])
shared = np.asarray(numbers)
shared *= 2
print(numbers.tolist(), np.array(numbers).sum(), np.ndarray((2, 2), dtype="u1", buffer=b"\x01\x02\x03\x04", offset=0))
floats = np.array([1.0, -2.0, 0.1], dtype=np.float32)
raw = floats.view(np.uint32)
print([f"{value:032b}"[:9] for value in raw], (raw >> 23 & 255).astype(int) - 127, np.binary_repr(int(raw[2]), 32)[-4:])
raw ^= np.uint32(1) << np.uint32(31)
print(floats, np.signbit(floats), np.base_repr(255, 7), int(raw[0]).bit_length(), [hex(value) for value in raw])
seen = {}
for row in np.repeat(packed[:4], 3, axis=0):
    seen[row.tobytes()] = seen.get(row.tobytes(), 0) + 1
print(sorted(seen.values()), packed[0].tobytes() in seen, np.array([[1, 2], [3, 4]], dtype="u2").data.c_contiguous)
