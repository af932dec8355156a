"""What a case's result means to a reader of another program: whether it is right, and why not in a few lines."""

from __future__ import annotations

from collections.abc import Iterator

from promptbench.report.model import CaseResult, RunReport

RIGHT = frozenset({"fixed", "still passing", "passing"})
_APART = frozenset({"not reproduced", "flaky", "quarantined"})
"""What proves nothing either way."""
_EXPECT = "expect:"
"""What the check on the expected answer begins its reasons with."""
_LONGEST = 4_000
"""Characters of an answer that are shown; JSON has it whole."""


def judged(report: RunReport) -> Iterator[CaseResult]:
    """The results that a reader takes for the run's: those of the judged prompt, and of models without one."""
    return (item for item in report.results if item.judged or item.side == "baseline")


def is_right(item: CaseResult) -> bool:
    """Whether nothing is wrong with a case. Where production's failure did not come again, or the case flakes or is
    set apart, what counts is ours.
    """
    return item.state in RIGHT or (item.state in _APART and item.passed == item.attempts)


def decides(item: CaseResult, report: RunReport) -> bool:
    """Whether a case that is not right speaks against the prompt: never where the verdict is that it may pass."""
    return item.judged and item.gated and item.state not in _APART and report.exit != 0


def headline(item: CaseResult) -> str:
    """In one line why a case is not right: what was expected and what came, or what the provider said."""
    tries = f"{item.passed} of {item.attempts} tries pass"
    if item.answer is None:
        return f"{item.state}: {item.error or 'no answer'}"
    if item.expected is not None and any(reason.startswith(_EXPECT) for reason in item.reasons):
        return f"{item.state}, {tries}: expected {short(item.expected)}, got {short(item.answer)}"
    return f"{item.state}, {tries}: {short('; '.join(item.reasons) or item.error or '')}"


def details(item: CaseResult) -> Iterator[str]:
    """Line by line what was expected, what came, and what the checks say of it."""
    if item.line:
        yield f"at {item.file}:{item.line}"
    if item.expected is not None:
        yield f"expected: {cut(item.expected)}"
    if item.answer is not None:
        yield f"got: {cut(item.answer)}"
    yield from (cut(reason) for reason in item.reasons)
    if item.error:
        yield f"error: {cut(item.error)}"


def short(text: str) -> str:
    """A text for a headline."""
    one = " ".join(text[:400].split())
    return one if len(one) <= 160 and len(text) <= 400 else f"{one[:160]}…"


def cut(text: str) -> str:
    """A text that may be long, for details."""
    left = len(text) - _LONGEST
    return text if left <= 0 else f"{text[:_LONGEST]}… ({left:,} more characters)"
