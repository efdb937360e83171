"""Readings with gaps: masked arrays, nan-functions, filling, a masked fit, and the same answers by plain masks."""

import warnings

import numpy as np
import numpy.ma as ma

rng = np.random.default_rng(101)
STATIONS, DAYS = 40, 365
season = 9 - 8 * np.cos(2 * np.pi * (np.arange(DAYS) - 20) / 365)
truth = season + rng.normal(0, 3, (STATIONS, 1)) + rng.normal(0, 2, (STATIONS, DAYS))
broken = rng.random((STATIONS, DAYS)) < 0.1
broken[7] = True
raw = np.where(broken, -999.0, truth)

readings = ma.masked_equal(raw, -999.0)
print(readings.count(), readings.mask.sum(), ma.count_masked(readings, axis=0)[:5], ma.is_masked(readings))
by_station = readings.mean(axis=1)
print(by_station[6:9], by_station.filled(0.0).sum().round(4), by_station.argmax())

holes = raw.copy()
holes[holes == -999] = np.nan
with warnings.catch_warnings():
    warnings.simplefilter("ignore", category=RuntimeWarning)
    means = np.nanmean(holes, axis=1)
    middle = np.nanmedian(holes, axis=1, keepdims=True)
assert np.allclose(by_station.compressed(), means[~np.isnan(means)])
print(np.nanmax(holes).round(4), np.nanargmin(holes), np.nanstd(holes).round(5), np.nansum(holes, axis=0)[:2].round(3))
print(np.nanpercentile(holes, [5, 50, 95]).round(4), np.isnan(middle).sum(), np.nan_to_num(middle[7], nan=-1.0))

anomaly = readings - by_station[:, np.newaxis]
frost = ma.masked_where(anomaly > -4, anomaly)
print(frost.count(), frost.compressed()[:3].round(3), frost.min().round(3), ma.masked_inside(anomaly, -9, 9).count())
daily = anomaly.mean(axis=0)
good = ~ma.getmaskarray(daily)
days = np.arange(DAYS)
design = np.stack([np.ones(DAYS), np.cos(2 * np.pi * days / 365), np.sin(2 * np.pi * days / 365)], axis=1)
fit, *_ = np.linalg.lstsq(design[good], daily[good].data, rcond=None)
print("fit", fit.round(4), "amplitude", np.hypot(*fit[1:]).round(4))

patched = readings[3].copy()
gaps = np.flatnonzero(patched.mask)
patched[gaps] = np.interp(gaps, np.flatnonzero(~patched.mask), patched.compressed())
print(len(gaps), patched.count(), patched.mean().round(4), type(patched).__name__)
both = ma.array([1, 2, 3, 4], mask=[0, 1, 0, 0]) + ma.array([10, 20, 30, 40], mask=[0, 0, 0, 1])
print(both, both.tolist(), ma.masked in both.tolist(), ma.sqrt([4.0, -1.0, 9.0]), ma.log10(ma.array([0.0, 100.0])))
runs = ma.notmasked_contiguous(readings[0])
print(len(runs), runs[0], max(run.stop - run.start for run in runs), ma.median(readings[:, 0]).round(4))
