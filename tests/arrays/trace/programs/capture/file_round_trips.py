"""Every way to and from a file: npy, npz, raw, text, memmap, pickle, the format module, JSON, deepcopy."""

import copy
import io
import json
import os
import pickle
import tempfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

rng = np.random.default_rng(64)
grid = rng.normal(size=(200, 50)).astype("f4")
table = np.zeros(3, dtype=[("name", "U6"), ("size", "i4")])
table["name"], table["size"] = ["ada", "bo", "cyrus"], range(3)

with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    np.save(folder / "grid.npy", grid)
    again = np.load(folder / "grid.npy")
    lazily = np.load(folder / "grid.npy", mmap_mode="r")
    print(
        np.array_equal(again, grid),
        type(lazily).__name__,
        lazily[3:5, :2].sum() == grid[3:5, :2].sum(),
        lazily.flags.writeable,
    )
    with open(folder / "grid.npy", "rb") as file:
        print(npy_format.read_magic(file), npy_format.read_array_header_1_0(file))
    np.savez_compressed(folder / "both.npz", grid=grid, table=table, scalar=np.float64(3.5))
    with np.load(folder / "both.npz") as both:
        print(sorted(both.files), both["table"]["name"], both["scalar"].item(), both["grid"].dtype)

    grid.tofile(folder / "raw.bin")
    raw = np.fromfile(folder / "raw.bin", dtype=grid.dtype).reshape(grid.shape)
    print(
        (raw == grid).all(),
        os.path.getsize(folder / "raw.bin") == grid.nbytes,
        np.fromfile(folder / "raw.bin", "f4", 3, offset=4)[0] == grid[0, 1],
    )

    np.savetxt(folder / "t.csv", grid[:4, :3], fmt="%.5f", delimiter=",", header="a,b,c")
    text = np.loadtxt(folder / "t.csv", delimiter=",", skiprows=1, usecols=(0, 2))
    print(text.shape, np.allclose(text, grid[:4, [0, 2]], atol=1e-5), (folder / "t.csv").read_text().splitlines()[0])
    (folder / "holes.csv").write_text("day,rain\n1,2.5\n2,\n3,4.0\n")
    holes = np.genfromtxt(folder / "holes.csv", delimiter=",", names=True)
    print(holes["rain"], np.nanmean(holes["rain"]), holes.dtype.names)

    disk = np.memmap(folder / "disk.dat", dtype=np.int64, mode="w+", shape=(1000, 4))
    disk[:] = np.arange(4000).reshape(1000, 4)
    disk[10:20] *= -1
    disk.flush()
    part = np.memmap(folder / "disk.dat", dtype=np.int64, mode="r", offset=8 * 4 * 9, shape=(3, 4))
    print(part.tolist(), str(part.filename).endswith("disk.dat"), disk.sum(), np.asarray(disk[::100, 0]).tolist()[:3])
    del disk, part, lazily

    with (folder / "p.pkl").open("wb") as file:
        pickle.dump({"grid": grid, "empty": np.array([]), "zero": np.array(5)}, file, protocol=5)
    with (folder / "p.pkl").open("rb") as file:
        loaded = pickle.load(file)
    print(np.array_equal(loaded["grid"], grid), loaded["empty"].shape, loaded["zero"][()] + 1, loaded["zero"].ndim)
    print(sorted(path.name for path in folder.iterdir()))

buffer = io.BytesIO()
np.save(buffer, table)
buffer.seek(0)
print(np.load(buffer)["size"].sum(), len(pickle.dumps(table)) > 100, np.frombuffer(grid.tobytes(), "f4").size)
nested = {"layers": [grid[:2], [table]], "shape": grid.shape}
clone = copy.deepcopy(nested)
clone["layers"][0][...] = 0
shallow = copy.copy(grid)
print(
    nested["layers"][0].any(),
    clone["layers"][0].any(),
    shallow is grid,
    (shallow == grid).all(),
    clone["layers"][1][0]["name"][2],
)
line = json.dumps(
    {"shape": grid.shape, "row": grid[0, :3].tolist(), "kind": grid.dtype.str, "mean": float(grid.mean())}
)
back = json.loads(line)
print(np.array(back["row"], dtype=back["kind"]) == grid[0, :3], tuple(back["shape"]) == grid.shape)
print(
    np.fromstring("1 2 3", sep=" ", dtype=int),
    np.fromregex(io.StringIO("a1 b22"), r"([a-z])(\d+)", [("k", "U1"), ("n", int)])["n"],
)
