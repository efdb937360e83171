"""Short programs with a planted defect, and programs that look like one and are meant.

A line that a finding belongs to ends in ``# planted: KIND``; all other lines are as their authors want them.
"""

PLANTED: dict[str, str] = {}
MEANT: dict[str, str] = {}

# --- outer ---

PLANTED["residuals of a column"] = """
rng = np.random.default_rng(0)
x, y = rng.random((500, 3)), rng.random(500)
w = np.linalg.lstsq(x, y[:, np.newaxis], rcond=None)[0]
error = y - x @ w  # planted: outer
print((error**2).mean())
"""
PLANTED["a mask of a column"] = """
rng = np.random.default_rng(0)
labels, scores = rng.integers(0, 2, 400), rng.random((400, 5))
best = scores.max(axis=1, keepdims=True)
right = labels == (best > 0.5)  # planted: outer
print(right.mean())
"""
PLANTED["a normalised row"] = """
rng = np.random.default_rng(0)
x = rng.random((300, 8))
sums = x.sum(axis=1, keepdims=True)
ratio = x[:, 0] / sums  # planted: outer
print(ratio.shape)
"""
MEANT["the matrix of a transform"] = """
n = np.arange(200)
k = n.reshape(-1, 1)
w = np.exp(-2j * np.pi * n * k / 200)
print(abs(w @ np.ones(200)).max())
"""
MEANT["double centring"] = """
rng = np.random.default_rng(0)
d = rng.random((200, 200))
b = d - d.mean(axis=0) - d.mean(axis=1, keepdims=True) + d.mean()
means = d.mean(axis=1, keepdims=True) + d.mean(axis=0)
print(b.sum().round(6), means.shape)
"""
MEANT["all pairs by a new axis"] = """
x = np.linspace(0, 1, 300)
apart = np.abs(x[:, None] - x)
column = x[..., np.newaxis]
kernel = np.exp(-((column - x) ** 2))
table = np.expand_dims(x, 1) * x
grid = x.reshape(-1, 1) + x.reshape(1, -1)
print(apart.sum(), kernel.sum(), table.sum(), grid.sum())
"""
MEANT["columns of weights for a matrix"] = """
rng = np.random.default_rng(0)
w, x = rng.random((300, 1)), rng.random((300, 300))
y = w * x
z = x / x.sum(axis=1, keepdims=True)
v = w * rng.random((1, 300))
print(y.sum(), z.sum(), v.sum())
"""
MEANT["rows and columns of different lengths"] = """
rng = np.random.default_rng(0)
a, b = rng.random((300, 1)), rng.random(200)
print((a * b).sum(), (a + rng.random(1)).sum(), (a * 2).sum())
"""
MEANT["a grid of two axes"] = """
y, x = np.ogrid[0:200, 0:200]
disk = (x - 100) ** 2 + (y - 100) ** 2 < 80**2
rows, columns = np.ix_(np.arange(100), np.arange(100))
xs, ys = np.meshgrid(np.arange(50), np.arange(50), sparse=True)
print(disk.sum(), (rows + columns).sum(), (xs * ys).sum())
"""
MEANT["a multiplication table of one range"] = """
i = np.arange(1, 101)
table = i * i.reshape(-1, 1)
print(table.trace())
"""

# --- promotion ---

PLANTED["a default mask of ones"] = """
x = np.ones((400, 400), dtype=np.float32)
y = x * np.ones(400)  # planted: promotion
print((y + x).dtype)
"""
PLANTED["a mean of integers"] = """
x = np.ones((200, 200), dtype=np.float32)
scale = np.arange(9).mean()
y = x / scale  # planted: promotion
print(y.dtype)
"""
PLANTED["integers that are divided"] = """
x = np.ones(50_000, dtype=np.float32)
weights = np.arange(50_000) / 7
for _ in range(3):
    y = x - weights  # planted: promotion
print(y.dtype)
"""
PLANTED["a product of matrices"] = """
a = np.ones((100, 100), dtype=np.float32)
b = np.eye(100)
c = a @ b  # planted: promotion
print(c.dtype, (c + 1).sum())
"""
MEANT["double precision on purpose"] = """
x = np.ones(50_000, dtype=np.float32)
a = x.astype(np.float64)
b = a * 2 + np.linspace(0, 1, 50_000)
c = np.add(x, b, dtype=np.float64)
d = x.mean(dtype=np.float64)
e = np.sum(x, dtype=float)
f = x * np.ones(50_000, dtype=np.float64)
g = x.astype(float) @ np.ones(50_000)
print(b.dtype, c.dtype, d.dtype, e, f.dtype, g)
"""
MEANT["Python's numbers and small arrays"] = """
x = np.ones(50_000, dtype=np.float32)
y = x * 2.0 + 1 - float(np.pi)
small = x[:10] * np.linspace(0, 1, 10)
z = (x * 1j).astype(np.complex64)
print(y.dtype, small.dtype, z.dtype, (x > np.float64(0.5)).dtype)
"""
MEANT["integers and truths become wider"] = """
k = np.arange(50_000, dtype=np.int32)
x = k * 0.5 + (k > 5)
print(x.dtype, (k + np.int64(1)).dtype)
"""

# --- copy ---

PLANTED["a batch by a range of indices"] = """
x = np.random.default_rng(0).random((40_000, 16))
total = 0.0
for start in range(0, 40_000, 4000):
    batch = x[np.arange(start, start + 4000)]  # planted: copy
    total += batch[0, 0]
print(total)
"""
PLANTED["every second row by indices"] = """
x = np.random.default_rng(0).random((40_000, 16))
even = np.arange(0, 40_000, 2)
total = 0.0
for _ in range(5):
    total += x[even].shape[0]  # planted: copy
print(total)
"""
PLANTED["a copy to be safe"] = """
x = np.random.default_rng(0).random(1_000_000)
def energy(signal):
    signal = signal.copy()  # planted: copy
    return signal @ signal
print(sum(energy(x) for _ in range(5)))
"""
PLANTED["flattened to be summed"] = """
x = np.random.default_rng(0).random((1000, 1000))
total = 0.0
for _ in range(5):
    row = x.flatten()  # planted: copy
    total += row @ row
print(total)
"""
MEANT["copies that are written to"] = """
rng = np.random.default_rng(0)
x = rng.random(500_000)
total = 0.0
for k in range(5):
    y = x.copy()
    y[k] = 0
    y *= 2
    total += y[3]
    before = x.copy()
    x += 1
    total += x[0] - before[0]
    z = np.array(x)
    z.sort()
    total += z[0]
print(total)
"""
MEANT["rows that are picked"] = """
rng = np.random.default_rng(0)
x, order = rng.random((40_000, 16)), rng.permutation(40_000)
total = 0.0
for start in range(0, 40_000, 4000):
    total += x[order[start : start + 4000]].sum()
chosen = x[x[:, 0] > 0.5]
print(total, chosen.sum(), x[[0, 5, 3]].sum())
"""
MEANT["a copy that is the result"] = """
x = np.random.default_rng(0).random(1_000_000)
snapshots = [x.copy() for _ in range(3)]
turned = np.ascontiguousarray(x.reshape(1000, 1000).T)
narrow = x.astype(np.float32)
print(len(snapshots), turned.sum(), narrow.sum())
"""
MEANT["a range of indices that is written through"] = """
x = np.zeros((40_000, 16))
for start in range(0, 40_000, 4000):
    part = x[np.arange(start, start + 4000)]
    part += 1
    x[np.arange(start, start + 4000)] = part
print(x.sum())
"""

# --- temporaries ---

PLANTED["a formula over a long array"] = """
t = np.linspace(0, 1, 400_000)
y = np.zeros_like(t)
for k in range(6):
    y += np.sin(t * k) * 0.5 + t**2 / (1 + k) - np.cos(t) * 2 + 1  # planted: temporaries
print(y.sum())
"""
PLANTED["distances through a cube"] = """
rng = np.random.default_rng(0)
a, b = rng.random((1500, 8)), rng.random((800, 8))
d = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)  # planted: temporaries
print(d.argmin())
"""
MEANT["a formula over short arrays"] = """
t = np.linspace(0, 1, 2000)
y = np.zeros_like(t)
for k in range(50):
    y += np.sin(t * k) * 0.5 + t**2 / (1 + k) - np.cos(t) * 2 + 1
print(y.sum())
"""
MEANT["in place with a buffer"] = """
t = np.linspace(0, 1, 400_000)
y, work = np.zeros_like(t), np.empty_like(t)
for k in range(6):
    np.multiply(t, k, out=work)
    np.sin(work, out=work)
    work *= 0.5
    y += work
print(y.sum())
"""
MEANT["a formula once"] = """
t = np.linspace(0, 1, 400_000)
y = np.sin(t * 3) * 0.5 + t**2 - np.cos(t)
print(y.sum())
"""

# --- strided ---

PLANTED["column by column"] = """
x = np.random.default_rng(0).random((4000, 400))
best = [x[:, k].max() for k in range(400)]  # planted: strided
print(sum(best))
"""
PLANTED["channels last"] = """
video = np.random.default_rng(0).random((60, 64, 64, 16))
total = 0.0
for channel in range(16):
    total += np.sqrt(video[..., channel]).sum()  # planted: strided
print(total)
"""
MEANT["row by row, and columns side by side"] = """
x = np.random.default_rng(0).random((4000, 400))
best = [x[k].max() for k in range(0, 4000, 10)]
sums = x.sum(axis=0)
first = x[:, :64].sum(axis=1)
turned = x.T @ x[:, :3]
print(sum(best), sums.sum(), first.sum(), turned.sum())
"""
MEANT["a small matrix the wrong way"] = """
x = np.random.default_rng(0).random((300, 30))
print(sum(x[:, k].max() for k in range(30)))
"""
MEANT["one column of many operations"] = """
x = np.random.default_rng(0).random((4000, 400))
label = x[:, 3].copy()
y = x @ x.T
print(label.sum(), y.max())
"""

# --- loop ---

PLANTED["a square for each element"] = """
x = np.linspace(0, 1, 3000)
y = np.zeros(3000)
for i in range(3000):
    y[i] = np.sqrt(x[i]) + 1  # planted: loop
print(y.sum())
"""
PLANTED["a sum over two indices"] = """
image = np.random.default_rng(0).random((60, 60))
out = np.zeros((60, 60))
for i in range(1, 59):
    for j in range(1, 59):
        out[i, j] = image[i, j] - image[i - 1, j]  # planted: loop
print(out.sum())
"""
PLANTED["rows that are normalised one by one"] = """
x = np.random.default_rng(0).random((2000, 4))
y = np.empty_like(x)
for i in range(len(x)):
    y[i] = x[i] / x[i].sum()  # planted: loop
print(y.sum())
"""
PLANTED["a histogram by hand"] = """
values = np.random.default_rng(0).integers(0, 50, 4000)
counts = np.zeros(50)
for v in values:
    counts[v] += 1  # planted: loop
print(counts.max())
"""
MEANT["time steps"] = """
x = np.zeros((2000, 3))
x[0] = 1, 1, 1
for t in range(1999):
    a, b, c = x[t]
    x[t + 1] = x[t] + 0.01 * np.array([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c])
print(x[-1])
"""
MEANT["a recurrence"] = """
noise = np.random.default_rng(0).random(3000)
y = np.zeros(3000)
for t in range(1, 3000):
    y[t] = 0.9 * y[t - 1] + noise[t]
print(y[-1])
"""
MEANT["pointers that are followed"] = """
parent = np.random.default_rng(0).integers(0, np.maximum(1, np.arange(3000)))
depth, total = 0, 0
for start in range(0, 3000, 100):
    at = start
    while at:
        at = int(parent[at])
        depth += 1
print(depth)
"""
MEANT["a list that is filled"] = """
rng = np.random.default_rng(0)
losses = []
w = np.zeros(20)
x, y = rng.random((500, 20)), rng.random(500)
for step in range(300):
    r = x @ w - y
    losses.append(float(r @ r))
    w -= 0.001 * (x.T @ r)
print(losses[-1], np.array(losses).min())
"""
MEANT["blocks of rows"] = """
x = np.random.default_rng(0).random((30_000, 32))
out = np.empty(30_000)
for start in range(0, 30_000, 100):
    out[start : start + 100] = x[start : start + 100].sum(axis=1)
print(out.sum())
"""
MEANT["a running maximum that stops"] = """
x = np.random.default_rng(0).random(5000)
limit, kept = 0.0, 0
for value in x.tolist():
    if value > limit:
        limit, kept = value, kept + 1
print(kept, limit)
"""

# --- escape ---

PLANTED["a filter of another library in every step"] = """
from scipy import ndimage
x = np.random.default_rng(0).random((200, 200))
for _ in range(30):
    x = x + 0.1 * ndimage.uniform_filter(x, 3)  # planted: escape
print(x.sum())
"""
PLANTED["lists in every step"] = """
x = np.random.default_rng(0).random(20_000)
total = 0.0
for _ in range(20):
    x = x * 1.01
    total += sum(sorted(x.tolist())[:10])  # planted: escape
print(total)
"""
MEANT["a list at the end"] = """
x = np.random.default_rng(0).random((400, 400))
for _ in range(20):
    x = x @ x / 200
rows = x.sum(axis=1).tolist()
print(sum(rows), x.round(3).tolist()[0][0])
"""
MEANT["small things that are printed"] = """
import json
x = np.random.default_rng(0).random((300, 300))
log = []
for step in range(20):
    x = x @ x / 150
    log.append({"step": step, "mean": float(x.mean()), "head": x[0, :3].tolist()})
print(len(json.dumps(log)), x[:2, :2])
"""
MEANT["another library once"] = """
from scipy import linalg, ndimage
x = np.random.default_rng(0).random((300, 300))
smooth = ndimage.gaussian_filter(x, 2)
lu = linalg.lu_factor(x)
for _ in range(50):
    smooth = smooth * 0.99 + x * 0.01
print(smooth.sum(), lu[0].shape)
"""

# --- growth ---

PLANTED["samples that are appended"] = """
path = np.array([])
rng = np.random.default_rng(0)
for _ in range(2000):
    path = np.append(path, rng.random(8))  # planted: growth
print(path.sum())
"""
PLANTED["rows that are stacked"] = """
rng = np.random.default_rng(0)
table = np.empty((0, 32))
for _ in range(800):
    table = np.concatenate([table, rng.random((1, 32))])  # planted: growth
print(table.shape)
"""
PLANTED["an array that is resized"] = """
rng = np.random.default_rng(0)
seen = np.zeros(64)
for k in range(1, 1500):
    seen.resize(64 * (k + 1), refcheck=False)  # planted: growth
    seen[-64:] = rng.random(64)
print(seen.sum())
"""
MEANT["a list and one concatenation"] = """
rng = np.random.default_rng(0)
parts = []
for _ in range(800):
    parts.append(rng.random((1, 32)))
print(np.concatenate(parts).shape, np.vstack(parts).sum())
"""
MEANT["room that doubles"] = """
rng = np.random.default_rng(0)
room, size = np.empty(16), 0
for _ in range(5000):
    if size == len(room):
        room = np.concatenate([room, np.empty(len(room))])
    room[size] = rng.random()
    size += 1
print(room[:size].sum())
"""
MEANT["a window that slides"] = """
rng = np.random.default_rng(0)
window = np.zeros(512)
for _ in range(500):
    window = np.concatenate([window[8:], rng.random(8)])
print(window.sum())
"""
