"""Ranking documents: tokens into a term matrix, tf-idf and BM25, top lists, edit distance by rows, near neighbours."""

import collections
import heapq
import re

import numpy as np
import scipy.sparse

TEXT = "harbour light stone river night winter bread copper letter market glass window engine paper field"
WORDS = np.array(TEXT.split())
rng = np.random.default_rng(88)
popularity = 1 / np.arange(1, len(WORDS) + 1)
popularity /= popularity.sum()
documents = [" ".join(rng.choice(WORDS, rng.integers(5, 60), p=popularity)) for _ in range(400)]

vocabulary = {}
row, column, value = [], [], []
for number, text in enumerate(documents):
    for word, count in collections.Counter(re.findall(r"\w+", text)).items():
        row.append(number)
        column.append(vocabulary.setdefault(word, len(vocabulary)))
        value.append(count)
terms = np.zeros((len(documents), len(vocabulary)))
terms[row, column] = value
sparse = scipy.sparse.csr_array((value, (row, column)), shape=terms.shape)
assert (sparse.toarray() == terms).all()
lengths = terms.sum(axis=1)
frequency = (terms > 0).sum(axis=0)
idf = np.log((len(documents) - frequency + 0.5) / (frequency + 0.5) + 1)


def bm25(query, k1=1.5, b=0.75):
    columns = [vocabulary[word] for word in query.split() if word in vocabulary]
    tf = terms[:, columns]
    return (idf[columns] * tf * (k1 + 1) / (tf + k1 * (1 - b + b * lengths / lengths.mean())[:, None])).sum(axis=1)


def tf_idf(query):
    weights = terms * idf
    weights = weights / np.linalg.norm(weights, axis=1)[:, None]
    wanted = np.fromiter((query.split().count(word) for word in vocabulary), dtype=float, count=len(vocabulary)) * idf
    return weights @ wanted


def top(scores, k):
    best = np.argpartition(-scores, k)[:k]
    best = best[np.argsort(-scores[best], kind="stable")]
    assert heapq.nlargest(k, scores) == scores[best].tolist()
    return [(int(i), round(float(scores[i]), 4)) for i in best]


for query in ("window engine", "paper", "harbour nothing"):
    print(query, top(bm25(query), 3), top(tf_idf(query), 2))
print(
    sparse.nnz,
    (sparse @ np.ones(len(vocabulary)) == lengths).all(),
    sparse[[0, 1]].sum(),
    frequency.tolist(),
    sparse.indptr[:3],
)


def edit_distance(a, b):
    """Levenshtein by rows; insertions along a row become a running minimum."""
    a, b = np.frombuffer(a.encode(), np.uint8), np.frombuffer(b.encode(), np.uint8)
    places = np.arange(len(b) + 1)
    last = places.copy()
    for i, letter in enumerate(a, start=1):
        best = np.minimum(last[1:] + 1, last[:-1] + (b != letter))
        last = np.minimum.accumulate(np.append(i, best) - places) + places
    return int(last[-1])


assert edit_distance("kitten", "sitting") == 3
misspelt = ["habour", "widow", "grass", "enigne", "feild"]
table = np.array([[edit_distance(wrong, right) for right in WORDS] for wrong in misspelt])
print(dict(zip(misspelt, WORDS[table.argmin(axis=1)], strict=True)), table.min(axis=1))

normal = terms / np.sqrt((terms**2).sum(1, keepdims=True))
similarity = normal @ normal.T
np.fill_diagonal(similarity, -1)
pair = np.unravel_index(similarity.argmax(), similarity.shape)
print("alike", tuple(map(int, pair)), similarity.max().round(5), np.median(similarity).round(5))
u, s, vt = np.linalg.svd(terms - terms.mean(0), full_matrices=False)
print("topics", s[:3].round(3), [str(list(vocabulary)[k]) for k in np.abs(vt[0]).argsort()[::-1][:3]])
planes = rng.standard_normal((len(vocabulary), 12))
signature = (terms - terms.mean(axis=0)) @ planes > 0
codes = signature @ (1 << np.arange(12))
buckets = collections.defaultdict(list)
for number, code in enumerate(codes):
    buckets[int(code)].append(number)
print(
    "buckets",
    len(buckets),
    max(map(len, buckets.values())),
    len(np.unique(codes)),
    np.bitwise_count(codes[:4] ^ codes[1:5]),
)
judged = bm25("copper letter")
relevance = judged > np.quantile(judged, 0.8)
ranking = np.argsort(-tf_idf("copper letter"), kind="stable")
gains = relevance[ranking][:10] / np.log2(np.arange(2, 12))
precision = np.cumsum(relevance[ranking]) / np.arange(1, len(ranking) + 1)
print(
    f"ndcg {gains.sum() / (1 / np.log2(np.arange(2, 12))).sum():.4f}"
    f" average precision {precision[relevance[ranking]].mean():.4f}"
)
