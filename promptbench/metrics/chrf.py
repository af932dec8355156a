"""chrF: the share of character n-grams that two texts have in common.

Popović: chrF: character n-gram F-score for automatic MT evaluation, WMT 2015. With P the mean over n = 1 … 6 of the
share of the answer's n-grams that are in the reference, and R that of the reference's that are in the answer,

    chrFβ = (1 + β²) · P · R / (β² · P + R)

White space is left out, as in the paper. β is 2, so that recall counts twice, and an n that one of the texts is too
short for is left out of the means: both as sacreBLEU 2 does by default.
"""

from __future__ import annotations

from collections import Counter

ORDER = 6
BETA = 2.0


def chrf(answer: str, reference: str) -> float:
    """Return chrF2 in [0, 1]. Two empty texts are equal. Time is linear in both texts, memory in the reference."""
    got, wanted = ("".join(text.split()) for text in (answer, reference))
    if not got or not wanted:
        return float(got == wanted)
    precisions, recalls = [], []
    for size in range(1, min(ORDER, len(got), len(wanted)) + 1):
        left = Counter(wanted[at : at + size] for at in range(len(wanted) - size + 1))
        total, shared = len(got) - size + 1, 0
        for at in range(total):
            gram = got[at : at + size]
            if left.get(gram, 0):
                left[gram] -= 1
                shared += 1
        precisions.append(shared / total)
        recalls.append(shared / (len(wanted) - size + 1))
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    if not precision + recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)
