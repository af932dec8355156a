"""The two readings of an instruction in IFEval (Zhou et al. 2023, arXiv:2311.07911), for any check.

Strict: the answer as it is. Loose: it is enough that one of eight passes: the answer, without its first line, without
its last, without both, and each of these without asterisks. So an introduction ("Sure, here it is:"), a closing line or
Markdown does not fail an answer that follows the instruction. In both, an empty answer follows none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.core.protocols import Check, Subject
from promptbench.core.types import Reading, Score
from promptbench.formats.json_text import read


def strictly(check: Check) -> Check:
    """The check on the answer as it is; an empty answer fails."""
    return Strict(check)


def loosely(check: Check) -> Check:
    """The check on the eight versions of the answer: the best value, and the reason for the answer as it is."""
    return Loose(Strict(check))


READINGS: Mapping[str, Callable[[Check], Check]] = {"strict": strictly, "loose": loosely}


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
    check: Check

    def score(self, subject: Subject) -> Score:
        best = self.check.score(subject)
        reason = best.reason
        for text in _versions(subject.text):
            if best.passed:
                break
            other = self.check.score(replace(subject, text=text, read=_Reader(text)))
            if other.passed or other.value > best.value:
                best = other
        return best if best.passed else replace(best, reason=reason)


@dataclass(frozen=True, slots=True)
class _Reader:
    text: str

    def __call__(self) -> Reading:
        return read(self.text)


def _versions(text: str) -> Iterator[str]:
    """The seven others that are not empty, one at a time, since an answer may be large."""
    for number, shorten in enumerate(_SHORTENED):
        version = shorten(text)
        if number and version.strip():
            yield version
        if "*" in version and (bare := version.replace("*", "")).strip():
            yield bare


_SHORTENED: Sequence[Callable[[str], str]] = (
    lambda text: text,
    lambda text: text.partition("\n")[2].strip(),
    lambda text: text.rpartition("\n")[0].strip(),
    lambda text: text.partition("\n")[2].rpartition("\n")[0].strip(),
)
"""The answer, without its first line, without its last, without both."""
