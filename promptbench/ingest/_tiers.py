"""The failure tier of a logged call: no answer, a truncated or refused one, or a wrong one.

A source's verdict about the content is a score. Most scores are from 0 to 1, so one below 0.5 is a failure, and so is a
word such as `wrong`. Where less is better, as with toxicity, a low score is not a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from promptbench.core.types import FailureTier, Json
from promptbench.ingest._fields import as_number

# Finish reasons of an incomplete answer, in the words of all providers, in lower case.
TRUNCATING = frozenset(
    {
        "length", "max_tokens", "max_output_tokens", "content_filter", "refusal", "model_context_window_exceeded",
        "pause_turn", "safety", "recitation", "prohibited_content", "blocklist", "spii",
    }
)  # fmt: skip
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
_THRESHOLD = 0.5


def classify_failure(
    *, error: str | None = None, finish_reason: str | None = None, refusal: bool = False, verdict: str | None = None
) -> tuple[str | None, FailureTier | None]:
    """Return what marks a call as failed, and the tier; (None, None) if nothing does.

    Args:
        error: What came instead of an answer.
        verdict: The source's own verdict about the answer. Each tier takes precedence over the next.
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
    """Return a boolean, a number that is 0 or 1, or one of the usual words as a boolean; None for anything else."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def find_low_score(scores: Iterable[tuple[str, Json]]) -> str | None:
    """Return the first score by which the answer is wrong, as `score NAME VALUE`; None if there is none."""
    for name, value in scores:
        if _is_low(name, value):
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            return f"{name} {shown}" if "score" in name.lower() else f"score {name} {shown}"
    return None


def iterate_scores(value: Json) -> Iterable[tuple[str, Json]]:
    """Yield name and value of each score, from an object of values or of lists of values."""
    for name, found in value.items() if isinstance(value, Mapping) else ():
        for one in found if isinstance(found, list) else [found]:
            yield str(name), one


def _is_low(name: str, value: Json) -> bool:
    if any(word in name.lower() for word in _LESS_IS_BETTER):
        return False
    amount = None if isinstance(value, bool) else as_number(value)
    return parse_truth(value) is False if amount is None else amount < _THRESHOLD
