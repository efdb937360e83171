"""Scores a fixed linear probe over a large table batch by batch, in order or shuffled."""

import numpy as np

ROWS, WIDTH, CLASSES, BATCH = 30_000, 96, 10, 2500


class Loader:
    """Batches of a table's rows with the positions they came from."""

    def __init__(self, table, batch, shuffle=False, seed=0):
        self.table = table
        self.batch = batch
        self.shuffle = shuffle
        self.rng = np.random.default_rng(seed)

    def order(self):
        return self.rng.permutation(len(self.table)) if self.shuffle else np.arange(len(self.table))

    def __iter__(self):
        order = self.order()
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            yield start, self.table[rows]  # planted: copy


def evaluate(loader, probe, labels):
    score = np.empty((BATCH, CLASSES))
    guess = np.empty(BATCH, dtype=np.intp)
    right = 0
    for start, batch in loader:
        np.matmul(batch, probe, out=score)
        np.argmax(score, axis=1, out=guess)
        right += np.count_nonzero(guess == labels[start : start + BATCH])
    return right / ROWS


rng = np.random.default_rng(113)
table = rng.standard_normal((ROWS, WIDTH))
labels = (table @ rng.standard_normal((WIDTH, CLASSES))).argmax(axis=1)
for attempt in range(4):
    probe = rng.standard_normal((WIDTH, CLASSES))
    print(attempt, f"{evaluate(Loader(table, BATCH), probe, labels):.5f}")
