"""How formats for other programs read a case's result: right or wrong, and why."""

from collections.abc import Iterator

from promptbench.report.document import Report
from promptbench.report.model import CaseResult

RIGHT = frozenset({"fixed", "still passing", "passing"})
_UNDECIDED = frozenset({"not reproduced", "flaky", "quarantined"})
# The longest answer shown, in characters; JSON has it whole.
_LONGEST = 4_000


def judged(report: Report) -> Iterator[CaseResult]:
    """Yield the results that count as the run's: those of the judged prompt, and of models without a prompt."""
    return (item for item in report.cases if item.judged or item.side == "baseline")


def is_right(item: CaseResult) -> bool:
    """Return True if nothing is wrong with a case; in an undecided state, if every attempt passes."""
    return item.state in RIGHT or (item.state in _UNDECIDED and item.passed == item.attempts)


def decides(item: CaseResult, report: Report) -> bool:
    """Return True if a case that is not right counts against the prompt: never if the verdict is PASS."""
    return item.judged and item.gated and item.state not in _UNDECIDED and report.exit != 0


def headline(item: CaseResult) -> str:
    """Return in one line why a case is not right: expected and actual answer, or the provider's error."""
    tries = f"{item.passed} of {item.attempts} tries pass"
    if item.answer is None:
        return f"{item.state}: {item.error or 'no answer'}"
    # The check on the expected answer starts its reasons so.
    if item.expected is not None and any(reason.startswith("expect:") for reason in item.reasons):
        return f"{item.state}, {tries}: expected {_short(item.expected)}, got {_short(item.answer)}"
    return f"{item.state}, {tries}: {_short('; '.join(item.reasons) or item.error or '')}"


def details(item: CaseResult) -> Iterator[str]:
    """Yield lines with the location, the expected and actual answer, and the reasons of the checks."""
    if item.line:
        yield f"at {item.file}:{item.line}"
    if item.expected is not None:
        yield f"expected: {_cut(item.expected)}"
    if item.answer is not None:
        yield f"got: {_cut(item.answer)}"
    yield from map(str, item.called)
    yield from map(_cut, item.reasons)
    if item.error:
        yield f"error: {_cut(item.error)}"


def _short(text: str) -> str:
    one = " ".join(text[:400].split())
    return one if len(one) <= 160 and len(text) <= 400 else f"{one[:160]}…"


def _cut(text: str) -> str:
    left = len(text) - _LONGEST
    return text if left <= 0 else f"{text[:_LONGEST]}… ({left:,} more characters)"
