"""A shop's sales as a structured array: sorting by field, grouping by reduceat, joining, nested fields, recarray."""

import numpy as np

SALE = np.dtype(
    [("shop", "U8"), ("item", "i2"), ("count", "i4"), ("price", "f8"), ("place", [("x", "f4"), ("y", "f4")])]
)
SHOPS = np.array(["north", "south", "harbour", "station"])


def make_sales(n, seed=7):
    rng = np.random.default_rng(seed)
    sales = np.zeros(n, dtype=SALE)
    sales["shop"] = rng.choice(SHOPS, size=n, p=[0.4, 0.3, 0.2, 0.1])
    sales["item"] = rng.integers(100, 120, n)
    sales["count"] = rng.poisson(3, n) + 1
    sales["price"] = np.round(rng.gamma(2.0, 5.0, n), 2)
    sales["place"]["x"] = rng.random(n)
    sales["place"]["y"] = rng.random(n)
    return sales


def totals_by(sales, field):
    """Total turnover per value of one field: sort, find the borders, add up between them."""
    ordered = np.sort(sales, order=[field, "price"])
    keys, first, sizes = np.unique(ordered[field], return_index=True, return_counts=True)
    turnover = np.add.reduceat(ordered["count"] * ordered["price"], first)
    return dict(zip(keys.tolist(), zip(turnover.tolist(), sizes.tolist(), strict=True), strict=True))


sales = make_sales(20_000)
for shop, (money, number) in totals_by(sales, "shop").items():
    print(f"{shop:>8}: {money:12.2f} from {number} sales")

names, code = np.unique(sales["shop"], return_inverse=True)
mean_price = np.bincount(code, weights=sales["price"]) / np.bincount(code)
print(dict(zip(names, mean_price.round(4), strict=True)))

# the same twice: lexsort has its most important key last
order = np.lexsort((sales["price"], sales["item"], sales["shop"]))
ordered = sales[order]
assert (ordered["shop"][1:] >= ordered["shop"][:-1]).all()

# a join by sorted look-up
catalogue = np.array(
    [(i, f"item {i}", i / 1000) for i in range(119, 99, -1)], dtype=[("item", "i2"), ("name", "U10"), ("vat", float)]
)
catalogue.sort(order="item")
at = np.searchsorted(catalogue["item"], sales["item"])
taxed = sales["price"] * (1 + catalogue["vat"][at])
assert np.array_equal(catalogue["item"][at], sales["item"])

records = sales.view(np.recarray)
busy = records[(records.count > 4) & (records.price < 10) | (records.item == 105)]
print(len(busy), type(busy).__name__, busy.price.mean().round(5), busy.place.x.max() <= 1)
print(sales.dtype.names, sales.dtype["place"].names, sales.dtype.itemsize, sales.nbytes)
print(sales[["item", "count"]][:2], sales[0]["place"].item())
row = sales[1]
row["price"] = 0.0
print(sales[1]["price"], taxed.sum().round(3), f"{ordered[0]['shop']!s} {ordered[-1]['price']:.2f}")
