"""How an answer is judged: exact match and F1 of words, as SQuAD defines them (1606.05250, section 6; 1806.03822).

Both compare normalised texts: lower case, without punctuation and English articles, single spaces. A question that the
passage does not answer is answered by nothing.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalised(answer: str) -> str:
    """An answer as it is compared.

    >>> normalised("  The U.S. Army's (first) ")
    'us armys first'
    """
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, right: Sequence[str]) -> float:
    """1 when the answer is one of the right ones, else 0. No right answer means that there is none to give."""
    return max(float(normalised(answer) == normalised(one)) for one in right or [""])


def f1(answer: str, right: Sequence[str]) -> float:
    """The best F1 of the answer's words with those of a right one. No right answer means that there is none to give.

    >>> f1("in the late 1990s", ["the late 1990s"])
    0.8
    """
    return max(_f1(normalised(answer).split(), normalised(one).split()) for one in right or [""])


def _f1(given: list[str], right: list[str]) -> float:
    if not given or not right:
        return float(given == right)
    common = (Counter(given) & Counter(right)).total()
    return 2 * common / (len(given) + len(right))
