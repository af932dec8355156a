"""promptfoo's results: the JSON of `promptfoo eval -o results.json` (or `export eval`), or its JSON Lines.

The assertions of each test become checks where there is one like it (`_promptfoo_checks` has the table): they are in
`extra["checks"]`, in the words of a suite, and what has none is in `extra["not_mapped"]` with the reason. What `equals`
wants is also what is expected. A failed assertion is the source's verdict; an error of the provider is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall, Usage
from promptbench.formats.embedded_json import decoded
from promptbench.ingest._bodies import input_of, usage_of
from promptbench.ingest._fields import filled, items, number, record, rest, text, written
from promptbench.ingest._promptfoo_checks import checks_of
from promptbench.ingest._records import NoCall, read_records
from promptbench.ingest._tiers import failure

__all__ = ["checks_of", "matches", "read"]

specificity = 60
NAME = "promptfoo"
_ERROR = 2
_PLACED = {"id", "provider", "prompt", "vars", "response", "success", "failureReason", "error", "latencyMs", "cost",
           "promptId", "gradingResult", "testCase", "namedScores"}  # fmt: skip
_LONGEST_NAME = 80


def matches(file: Log) -> bool:
    """Whether the file is an evaluation, or its first record the result of one."""
    first = (file.sample() or {}).keys()
    return file.keys() >= {"evalId", "results"} or first >= {"promptIdx", "testIdx", "success"}


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """The results of an evaluation."""
    whole = file.keys() >= {"results"}
    return read_records(file.records(("results", "results") if whole else ()), _call)


def _call(data: dict[str, Json], place: str) -> LoggedCall:
    if "success" not in data or not ("response" in data or "error" in data):
        raise NoCall("no result: it needs 'success' and a 'response' or an 'error'")
    response = record(data.get("response"))
    prompt = record(data.get("prompt"))
    sent = input_of(prompt.get("raw"))
    answer = written(response.get("output"))
    error, verdict = _why(data, response, answer)
    reason = text(response.get("finishReason"))
    failed, tier = failure(error=error, finish_reason=reason, verdict=verdict)
    test = record(data.get("testCase"))
    return LoggedCall(
        id=filled(data.get("id")) or place,
        answer=answer,
        model=filled(record(data.get("provider")).get("id")) or text(data.get("provider")) or "",
        variables=record(data.get("vars")) or None,
        messages=sent.messages,
        prompt=_name(prompt.get("label")),
        prompt_version=filled(data.get("promptId")),
        error=error,
        finish_reason=reason,
        usage=_usage(record(response.get("tokenUsage"))),
        latency_ms=number(data.get("latencyMs")),
        failed=failed,
        tags=tuple(str(tag) for tag in items(record(test.get("metadata")).get("tags"))),
        extra={**rest(data, _PLACED), **sent.extra, **_kept(data, test, prompt)},
        tier=tier,
        format=NAME,
        expected=_expected(test.get("assert")),
        cost=number(data.get("cost", response.get("cost"))),
        raw=data,
    )


def _kept(data: Mapping[str, Json], test: dict[str, Json], prompt: Mapping[str, Json]) -> dict[str, Json]:
    checks, others = checks_of(test.get("assert"))
    found = {
        "checks": checks,
        "not_mapped": others,
        "scores": record(data.get("namedScores")),
        "grading": record(data.get("gradingResult")),
        "test": rest(test, {"vars", "assert"}),
        "params": record(prompt.get("config")),
    }
    return rest(found, ())


def _name(label: Json) -> str | None:
    """The label of a prompt; without one of its own that is the whole prompt."""
    found = filled(label)
    return found if found and len(found) <= _LONGEST_NAME and "\n" not in found else None


def _usage(tokens: Mapping[str, Json]) -> Usage | None:
    """`cached` is left out: those are tokens of answers from promptfoo's own cache."""
    return usage_of({"input": tokens.get("prompt"), "output": tokens.get("completion")})


def _why(data: Mapping[str, Json], response: Mapping[str, Json], answer: str | None) -> tuple[str | None, str | None]:
    """What stood in the place of an answer, and what is wrong with the answer."""
    if data.get("success") is not False:
        return None, None
    said = filled(response.get("error")) or filled(data.get("error"))
    if data.get("failureReason") == _ERROR or answer is None:
        return said or "error", None
    grading = record(data.get("gradingResult"))
    for component in map(record, items(grading.get("componentResults"))):
        if component.get("pass") is False:
            kind = filled(record(component.get("assertion")).get("type"))
            reason = filled(component.get("reason"))
            return None, ": ".join(part for part in (kind, reason) if part) or "assertion failed"
    return None, filled(grading.get("reason")) or said or "success false"


def _expected(assertions: Json) -> Json:
    """The value of the one `equals` among the assertions."""
    wanted = [record(item).get("value") for item in items(assertions) if record(item).get("type") == "equals"]
    return decoded(wanted[0]) if len(wanted) == 1 else None
