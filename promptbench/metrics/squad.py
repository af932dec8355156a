"""Exact match and token F1 of SQuAD, as its official script for version 2.0 computes them.

Rajpurkar, Jia and Liang: Know What You Don't Know: Unanswerable Questions for SQuAD, ACL 2018 (`evaluate-v2.0.py`).
Both compare normalised texts and take the best of several right answers. For a question without an answer, only an
answer that is empty after normalising is right.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Return a text in lower case, without ASCII punctuation, the articles a, an, the, and superfluous white space."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(answer: str, right: Sequence[str]) -> float:
    """Return 1.0 if the answer is one of the right ones, else 0.0."""
    return _best(answer, right, lambda one, other: float(one == other))


def token_f1(answer: str, right: Sequence[str]) -> float:
    """Return the best F1, in [0, 1], over the words that the answer shares with a right one."""
    return _best(answer, right, _f1)


def _best(answer: str, right: Sequence[str], score: Callable[[str, str], float]) -> float:
    # Right answers that are empty after normalising do not count beside others.
    normalised = [text for text in map(normalise, right) if text] or [""]
    answer = normalise(answer)
    return max(score(answer, text) for text in normalised)


def _f1(answer: str, right: str) -> float:
    got, wanted = answer.split(), right.split()
    if not got or not wanted:
        return float(got == wanted)
    common = (Counter(got) & Counter(wanted)).total()
    if not common:
        return 0.0
    precision, recall = common / len(got), common / len(wanted)
    return 2 * precision * recall / (precision + recall)
