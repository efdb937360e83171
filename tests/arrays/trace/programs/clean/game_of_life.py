"""Conway's life on a torus of bytes: separable neighbour sums, a ghost border, truth values as views of the bytes."""

import numpy as np

SIZE, GENERATIONS = 700, 60


def wrap(board):
    """Copy the far edges into the ghost border."""
    board[0], board[-1] = board[-2], board[1]
    board[:, 0], board[:, -1] = board[:, -2], board[:, 1]


def live(board, generations):
    rows = np.empty((SIZE + 2, SIZE), dtype=np.uint8)
    around = np.empty((SIZE, SIZE), dtype=np.uint8)
    three, four = np.empty((2, SIZE, SIZE), dtype=np.bool_)
    alive = board[1:-1, 1:-1].view(np.bool_)
    for _ in range(generations):
        wrap(board)
        np.add(board[:, :-2], board[:, 1:-1], out=rows)
        rows += board[:, 2:]
        np.add(rows[:-2], rows[1:-1], out=around)
        around += rows[2:]
        # the sum counts the cell itself: 3 is always life, 4 keeps what was alive
        np.equal(around, 3, out=three)
        np.equal(around, 4, out=four)
        np.logical_and(alive, four, out=alive)
        np.logical_or(alive, three, out=alive)
        yield int(np.count_nonzero(alive))


rng = np.random.default_rng(41)
board = np.zeros((SIZE + 2, SIZE + 2), dtype=np.uint8)
board[1:-1, 1:-1] = rng.random((SIZE, SIZE), dtype=np.float32) < 0.3
counts = list(live(board, GENERATIONS))
print("alive", counts[:3], "...", counts[-3:])
