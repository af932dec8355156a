"""What of a logged call failed: no answer came, it was cut short or refused, or it was wrong.

A source's verdict about the content is a score. Most have a scale from 0 to 1, so a score below one half is a failure,
and so is a word that says so. Where less is better, as with toxicity, a low score is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from promptbench.core.types import FailureTier, Json
from promptbench.ingest._fields import as_number

TRUNCATING = frozenset(
    {
        "length", "max_tokens", "max_output_tokens", "content_filter", "refusal", "model_context_window_exceeded",
        "pause_turn", "safety", "recitation", "prohibited_content", "blocklist", "spii",
    }
)  # fmt: skip
"""Finish reasons of an answer that is not whole, in the words of all providers, in lower case."""
TRUE_WORDS = frozenset(
    {"true", "1", "1.0", "yes", "y", "pass", "passed", "ok", "correct", "right", "good", "success", "valid"}
)
FALSE_WORDS = frozenset(
    {
        "false", "0", "0.0", "no", "n", "fail", "failed", "failure", "error", "incorrect", "wrong", "bad", "invalid",
        "thumbs_down", "thumbs-down", "negative", "i",
    }
)  # fmt: skip
_LESS_IS_BETTER = ("toxic", "hallucin", "bias", "harm", "risk", "pii", "error", "latency", "cost", "distance", "length")
_ENOUGH = 0.5

Failure = tuple[str | None, FailureTier | None]


def classify_failure(
    *, error: str | None = None, finish_reason: str | None = None, refusal: bool = False, verdict: str | None = None
) -> Failure:
    """What marks a call as failed, and the tier. `error` is what stood in the place of an answer, `verdict` the
    source's own about the answer; an earlier tier outweighs a later one.
    """
    if error is not None:
        return error, FailureTier.TRANSPORT
    if refusal:
        return "refusal", FailureTier.TRUNCATED
    if finish_reason is not None and finish_reason.lower() in TRUNCATING:
        return f"finish reason {finish_reason}", FailureTier.TRUNCATED
    if finish_reason is not None and finish_reason.lower() == "error":
        return "finish reason error", FailureTier.TRANSPORT
    return (verdict, FailureTier.CONTENT) if verdict is not None else (None, None)


def parse_truth(value: Json) -> bool | None:
    """A verdict as yes or no: a boolean, a number that is 0 or 1, or one of the usual words. None for all else."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def find_low_score(scores: Iterable[tuple[str, Json]]) -> str | None:
    """The first score by which the answer is wrong, as `score NAME VALUE`; None when there is none."""
    for name, value in scores:
        if _is_low(name, value):
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            return f"{name} {shown}" if "score" in name.lower() else f"score {name} {shown}"
    return None


def iterate_scores(value: Json) -> Iterable[tuple[str, Json]]:
    """Name and value of each score, from an object of values or lists of values."""
    for name, found in value.items() if isinstance(value, Mapping) else ():
        for one in found if isinstance(found, list) else [found]:
            yield str(name), one


def _is_low(name: str, value: Json) -> bool:
    if any(word in name.lower() for word in _LESS_IS_BETTER):
        return False
    if isinstance(value, bool) or as_number(value) is None:
        return parse_truth(value) is False
    return (as_number(value) or 0.0) < _ENOUGH
