"""Daily and monthly means of half-hourly readings: datetime64, timedelta64, business days, not-a-time."""

import datetime

import numpy as np
from numpy import datetime64, timedelta64

start = datetime64("2023-12-28T00:00")
stamps = np.arange(start, start + timedelta64(90, "D"), timedelta64(30, "m"))
hours = (stamps - stamps.astype("datetime64[D]")) / timedelta64(1, "h")
rng = np.random.default_rng(2023)
readings = 10 + 4 * np.sin((hours - 9) * np.pi / 12) + rng.normal(0, 0.5, stamps.shape)

# days are equally long, so a reshape groups them; months are not
daily = readings.reshape(-1, 48).mean(axis=1)
days = stamps.astype("M8[D]")[::48]
months = stamps.astype("M8[M]")
border = np.flatnonzero(np.diff(months).astype(int)) + 1
for month, part in zip(np.unique(months), np.split(readings, border), strict=True):
    print(month, len(part), f"{part.mean():.4f} ± {part.std(ddof=1):.4f}")

print("warmest", days[daily.argmax()], "coldest", days[np.argmin(daily)], "over", days[-1] - days[0])
weekday = (days.astype("M8[D]").view("i8") - 4) % 7
print("by weekday", [round(float(daily[weekday == number].mean()), 3) for number in range(7)])
workdays = np.is_busday(days, holidays=["2024-01-01"])
print("work", f"{daily[workdays].mean():.4f}", "rest", f"{daily[~workdays].mean():.4f}")
print(np.busday_count("2024-01-01", "2024-02-01"), np.busday_offset("2024-01-06", 0, roll="forward"))

missing = stamps[:6].copy()
missing[2] = datetime64("NaT")
print(np.isnat(missing).nonzero()[0], missing[1:3], np.diff(missing)[0] == timedelta64(1800, "s"))
late = np.where(np.isnat(missing), stamps[0], missing) + np.array([1, 2, 3, 4, 5, 6], dtype="m8[h]")
print(late.max(), late.dtype, late[0].item() > datetime.datetime(2023, 12, 28), str(late[-1])[:10])
print(np.datetime_as_string(late[:2], unit="h"), np.datetime_data(late.dtype))

# gaps: which of irregular events follow their predecessor within a quarter of an hour
seconds = np.sort(rng.integers(0, 86_400, 200))
events = datetime64("2024-02-29", "s") + seconds
close = np.diff(events) < timedelta64(15, "m")
print("bursts", int(close.sum()), "median gap", np.median(np.diff(seconds)), events[-1].astype("M8[m]"))
clock = (stamps - start) / timedelta64(1, "s")
print(np.interp(seconds[:3], clock, readings).round(3), np.interp(0.5, [0, 1], [10, 20]))
