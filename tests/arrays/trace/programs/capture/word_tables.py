"""Words as arrays: np.char and np.strings, a bag of words, fixed-width, variable-width and byte strings."""

from collections import Counter

import numpy as np
import numpy.strings as ns

POEM = """The tide comes in the tide goes out and what it leaves it does not count
a shell a rope a broken oar the tide has seen them all before
The gulls are loud the boats are slow and no one has far to go"""

lines = np.array(POEM.splitlines())
print(lines.dtype, lines.shape, np.char.str_len(lines))
lower = np.char.lower(lines)
words = np.array(POEM.lower().split())
unique, inverse, counts = np.unique(words, return_inverse=True, return_counts=True)
assert Counter(words.tolist()) == dict(zip(unique.tolist(), counts.tolist(), strict=True))
print(unique[counts > 2], counts[counts > 2])
print("rebuilt", " ".join(unique[inverse][:6]))

longest = words[np.argmax(np.char.str_len(words))]
print(longest, longest.upper(), len(longest), type(longest) is np.str_, isinstance(longest, str))
starred = np.char.add(np.char.multiply("*", np.array([1, 2, 3])), np.array([" one", " two", " three"]))
print(starred, np.char.center(starred, 9, "."), np.char.replace(starred, "*", "#"))
print(ns.startswith(lower, "the"), ns.find(lower, "tide"), ns.count(lower, "a"), ns.endswith(lower, "o"))
print(np.char.split(lines[:1])[0][:3], np.char.join("-", ["abc", "xyz"]), np.char.isdigit(["12", "a1", "7"]))
print(np.char.equal(words[:5], "the"), (words == "tide").sum(), np.isin(words, ["rope", "oar", "anchor"]).sum())

# a table of lines by words, filled by an unbuffered add
table = np.zeros((len(lines), len(unique)), dtype=int)
for i, line in enumerate(lower):
    np.add.at(table[i], np.searchsorted(unique, line.split()), 1)
assert table.sum() == len(words)
cosine = table @ table.T / np.outer(norms := np.linalg.norm(table, axis=1), norms)
print(cosine.round(4))

raw = np.frombuffer(POEM.encode("ascii"), dtype=np.uint8)
letters = raw[(raw | 32 >= ord("a")) & (raw | 32 <= ord("z"))] | 32
shares = np.bincount(letters - ord("a"), minlength=26) / letters.size
best = np.argsort(-shares, kind="stable")[:5]
print("".join(chr(97 + k) for k in best), shares[best].round(4))
shifted = ((letters[:20] - 97 + 13) % 26 + 97).astype(np.uint8)
print(shifted.tobytes().decode(), shifted.view("S20")[0], np.array(["7", "-3.5", "1e3"]).astype(float))
encoded = np.char.encode(words[:3], "utf-8")
print(
    encoded, encoded.dtype, np.char.decode(encoded)[0], np.char.partition(["a=1", "b=22"], "=")[:, 2].astype(int).sum()
)
flexible = np.array(["short", "a good deal longer than that"], dtype=np.dtypes.StringDType())
print(flexible.dtype, ns.str_len(flexible), ns.upper(flexible[:1]), sorted(words, key=len)[-1], "tide" in words)
