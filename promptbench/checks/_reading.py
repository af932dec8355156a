"""The two readings of an instruction in IFEval (Zhou et al. 2023, arXiv:2311.07911), for any check.

Strict: the answer as it is. Loose: one of eight versions has to pass: the answer, without its first line, without its
last, without both, and each of these without asterisks. So an introduction ("Sure, here it is:"), a closing line or
Markdown does not fail an answer that follows the instruction. In both, an empty answer fails.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from promptbench.parsing.json_text import read
from promptbench.plugins import Check, Score, Subject


@dataclass(frozen=True, slots=True)
class Strict:
    check: Check

    def score(self, subject: Subject) -> Score:
        score = self.check.score(subject)
        if subject.text.strip() or not score.passed:
            return score
        return replace(score, passed=False, value=0.0, reason="the answer is empty")


@dataclass(frozen=True, slots=True)
class Loose:
    """A check with the best score of the versions, and the reason for the answer as it is."""

    check: Check

    def score(self, subject: Subject) -> Score:
        best = Strict(self.check).score(subject)
        reason = best.reason
        for text in _versions(subject.text):
            if best.passed:
                break
            other = Strict(self.check).score(replace(subject, text=text, read=partial(read, text)))
            if other.passed or other.value > best.value:
                best = other
        return best if best.passed else replace(best, reason=reason)


READINGS: Mapping[str, Callable[[Check], Strict | Loose]] = {"strict": Strict, "loose": Loose}
# The answer, without its first line, without its last, without both.
_SHORTENED: Sequence[Callable[[str], str]] = (
    lambda text: text,
    lambda text: text.partition("\n")[2].strip(),
    lambda text: text.rpartition("\n")[0].strip(),
    lambda text: text.partition("\n")[2].rpartition("\n")[0].strip(),
)


def _versions(text: str) -> Iterator[str]:
    # One at a time, because an answer may be large. Without the answer itself, and without empty versions.
    for number, shorten in enumerate(_SHORTENED):
        version = shorten(text)
        if number and version.strip():
            yield version
        if "*" in version and (bare := version.replace("*", "")).strip():
            yield bare
