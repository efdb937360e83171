"""Prices of European calls and puts in blocks that fit the cache, written straight into the results."""

import numpy as np

OPTIONS, BLOCK = 300_000, 1 << 13
RATE, VOLATILITY = 0.03, 0.2
# Abramowitz and Stegun, 26.2.17: the normal distribution's tail as a polynomial in 1 / (1 + 0.2316419 x)
TAIL = (1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.319381530)


def normal_cdf(x, out, scratch):
    """The distribution function of ``x`` into ``out``; ``scratch`` has two rows of x's length, x is kept."""
    t, density = scratch
    np.abs(x, out=t)
    np.multiply(t, t, out=density)
    density *= -0.5
    np.exp(density, out=density)
    density *= 0.3989422804014327
    t *= 0.2316419
    t += 1
    np.reciprocal(t, out=t)
    np.multiply(t, TAIL[0], out=out)
    for coefficient in TAIL[1:]:
        out += coefficient
        out *= t
    out *= density
    np.subtract(1, out, out=out, where=x > 0)
    return out


def price(spot, strike, years, call, put, work):
    root, d1, d2, discounted, *scratch = work[:, : len(spot)]
    np.sqrt(years, out=root)
    root *= VOLATILITY
    np.divide(spot, strike, out=d1)
    np.log(d1, out=d1)
    np.multiply(years, RATE + 0.5 * VOLATILITY**2, out=d2)
    d1 += d2
    d1 /= root
    np.subtract(d1, root, out=d2)
    np.multiply(years, -RATE, out=discounted)
    np.exp(discounted, out=discounted)
    discounted *= strike
    normal_cdf(d1, root, scratch)
    normal_cdf(d2, d1, scratch)
    np.multiply(spot, root, out=call)
    d1 *= discounted
    call -= d1
    # put-call parity
    np.add(call, discounted, out=put)
    put -= spot


rng = np.random.default_rng(67)
spot, strike = rng.uniform(50, 150, OPTIONS), rng.uniform(50, 150, OPTIONS)
years = rng.uniform(0.1, 3.0, OPTIONS)
call, put = np.empty(OPTIONS), np.empty(OPTIONS)
work = np.empty((6, BLOCK))
for start in range(0, OPTIONS, BLOCK):
    part = slice(start, start + BLOCK)
    price(spot[part], strike[part], years[part], call[part], put[part], work)
print(f"calls {call.mean():.5f} puts {put.mean():.5f} dearest {call.max():.4f} {put.max():.4f}")
