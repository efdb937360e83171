"""Lloyd's k-means in single precision: distances and centroid sums both as matrix products into kept buffers."""

import numpy as np

POINTS, FEATURES, CLUSTERS, ROUNDS = 20_000, 16, 12, 25


def blobs(rng):
    centres = 4 * rng.standard_normal((CLUSTERS, FEATURES), dtype=np.float32)
    owner = rng.integers(0, CLUSTERS, size=POINTS)
    points = rng.standard_normal((POINTS, FEATURES), dtype=np.float32)
    points += centres[owner]
    return points


def assign(points, centres, distance, labels):
    """Squared distances less the points' own norms, which do not change the winner."""
    np.matmul(points, centres.T, out=distance)
    distance *= -2.0
    distance += np.einsum("kd,kd->k", centres, centres)
    np.argmin(distance, axis=1, out=labels)


def move(points, labels, member, centres):
    np.equal(labels[:, np.newaxis], np.arange(CLUSTERS)[np.newaxis, :], out=member)
    np.matmul(member.T, points, out=centres)
    sizes = np.bincount(labels, minlength=CLUSTERS).astype(np.float32)
    np.maximum(sizes, 1, out=sizes)
    centres /= sizes[:, np.newaxis]


def main():
    rng = np.random.default_rng(11)
    points = blobs(rng)
    centres = points[:CLUSTERS].copy()
    distance = np.empty((POINTS, CLUSTERS), dtype=np.float32)
    member = np.empty((POINTS, CLUSTERS), dtype=np.float32)
    labels = np.empty(POINTS, dtype=np.intp)
    for _ in range(ROUNDS):
        assign(points, centres, distance, labels)
        move(points, labels, member, centres)
    print("sizes", sorted(np.bincount(labels, minlength=CLUSTERS).tolist()))
    print(f"centres {centres.dtype} {np.abs(centres).sum():.2f}")


main()
