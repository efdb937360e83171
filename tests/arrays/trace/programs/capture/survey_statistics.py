"""A survey's tables: quantiles, correlations, bins, cross-tabulation, sets, bootstrap, robust statistics."""

import numpy as np
from numpy.random import default_rng

rng = default_rng(1234)
N = 4000
age = rng.integers(18, 90, N)
income = np.exp(rng.normal(7.5 + 0.01 * age, 0.4))
answers = rng.choice(["yes", "no", "perhaps"], N, p=[0.5, 0.3, 0.2])
weight = rng.uniform(0.5, 2, N)

print(
    np.percentile(income, [10, 50, 90]).round(2),
    np.quantile(age, 0.25, method="lower"),
    np.median(income).round(3),
    income.mean().round(3),
    np.var(age, ddof=1).round(4),
    np.ptp(age),
)
print(
    np.average(income, weights=weight).round(3),
    np.average(age, weights=weight, returned=True)[1].round(3),
    income.std() / income.mean() > 0,
    np.quantile(income, [0.5], weights=weight, method="inverted_cdf").round(3),
)
data = np.column_stack((age, income, weight))
print(
    np.corrcoef(data, rowvar=False).round(4),
    np.cov(age, income)[0, 1].round(3),
    np.cov(data.T, aweights=weight).shape,
    np.corrcoef(age, np.log(income))[0, 1].round(5),
)

edges = np.array([18, 30, 45, 60, 90])
group = np.digitize(age, edges[1:-1])
means = np.array([income[group == g].mean() for g in range(4)])
assert np.allclose(means, np.bincount(group, income) / np.bincount(group))
print(
    means.round(2),
    np.histogram(age, edges)[0],
    np.histogram(income, 5, weights=weight)[0].round(2),
    np.histogram(age, 3, density=True)[0].round(5),
)
kinds, code = np.unique(answers, return_inverse=True)
cross = np.zeros((4, 3), int)
np.add.at(cross, (group, code), 1)
expected = cross.sum(1, keepdims=True) * cross.sum(0) / cross.sum()
chi2 = ((cross - expected) ** 2 / expected).sum()
print(
    kinds, cross.tolist(), round(float(chi2), 4), cross.cumsum(axis=0)[-1], (cross / cross.sum(1)[:, None]).round(3)[0]
)

first, second = rng.choice(500, 80, replace=False), rng.choice(500, 80, replace=False)
print(
    np.intersect1d(first, second),
    np.union1d(first, second).size,
    np.setdiff1d(first, second).size,
    np.setxor1d(first, second).size,
    np.isin([1, 2, 3], first),
    np.intersect1d(first, second, return_indices=True)[1][:2],
)
print(
    np.unique([[1, 2], [1, 2], [3, 0]], axis=0).tolist(),
    np.unique(age, return_counts=True)[1].max(),
    np.unique([2, 1, 2], return_index=True)[1],
)

boot = np.array([rng.choice(income, N).mean() for _ in range(200)])
low, high = np.percentile(boot, (2.5, 97.5))
print(f"[{low:.1f}, {high:.1f}]", low < income.mean() < high, f"{boot.std():.2f} vs {income.std() / np.sqrt(N):.2f}")
shuffled = rng.permutation(group)
differences = [income[(s := rng.permutation(group)) == 3].mean() - income[s == 0].mean() for _ in range(50)]
print(
    np.mean(np.abs(differences) >= means[3] - means[0]),
    (shuffled == group).mean().round(3),
    np.sort(shuffled).tolist() == sorted(group.tolist()),
)

centred = (income - np.median(income)) / (1.4826 * np.median(np.abs(income - np.median(income))))
rank = np.empty(N, int)
rank[np.argsort(income)] = np.arange(N)
other = np.argsort(np.argsort(age, kind="stable"), kind="stable")
print(
    (np.abs(centred) > 3).sum(),
    np.corrcoef(rank, other)[0, 1].round(5),
    np.flatnonzero(centred == centred.max()),
    np.apply_along_axis(np.ptp, 0, data).round(2),
    np.apply_over_axes(np.sum, data, [0, 1]).shape,
)
gini = 1 - 2 * np.trapezoid(np.insert(np.cumsum(np.sort(income)) / income.sum(), 0, 0), dx=1 / N)
moments = [((income - income.mean()) ** k).mean() / income.std() ** k for k in (3, 4)]
print(
    gini.round(5),
    np.round(moments, 4),
    np.cumsum(np.sort(income)[::-1])[N // 10] / income.sum() > 0.1,
    np.cumprod([1.02] * 5)[-1].round(6),
    np.nancumsum([1, np.nan, 2])[-1],
)
report = "\n".join(
    f"{low:>3}-{high:<3} {bar:<30} {value:9.2f}"
    for low, high, bar, value in zip(edges[:-1], edges[1:], ["#" * int(m / 200) for m in means], means, strict=True)
)
print(report)
