"""promptfoo's results: the JSON of `promptfoo eval -o results.json` (or `export eval`), or its JSON Lines.

The assertions of each test become checks where there is one like it (`_promptfoo_checks` has the table): they are in
`extra["checks"]`, in the words of a suite, and what has none is in `extra["not_mapped"]` with the reason. What `equals`
wants is also what is expected. A failed assertion is the source's verdict; an error of the provider is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall, Usage
from promptbench.formats.embedded_json import decode_embedded
from promptbench.ingest._bodies import read_input, read_usage
from promptbench.ingest._fields import as_list, as_nonblank, as_number, as_object, as_text, omit_fields, to_text
from promptbench.ingest._promptfoo_checks import convert_assertions
from promptbench.ingest._records import NotACall, read_records
from promptbench.ingest._tiers import classify_failure
from promptbench.plugins import LogFormatSpec

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
        raise NotACall("no result: it needs 'success' and a 'response' or an 'error'")
    response = as_object(data.get("response"))
    prompt = as_object(data.get("prompt"))
    sent = read_input(prompt.get("raw"))
    answer = to_text(response.get("output"))
    error, verdict = _why(data, response, answer)
    reason = as_text(response.get("finishReason"))
    failed, tier = classify_failure(error=error, finish_reason=reason, verdict=verdict)
    test = as_object(data.get("testCase"))
    return LoggedCall(
        id=as_nonblank(data.get("id")) or place,
        answer=answer,
        model=as_nonblank(as_object(data.get("provider")).get("id")) or as_text(data.get("provider")) or "",
        variables=as_object(data.get("vars")) or None,
        messages=sent.messages,
        prompt=_name(prompt.get("label")),
        prompt_version=as_nonblank(data.get("promptId")),
        error=error,
        finish_reason=reason,
        usage=_usage(as_object(response.get("tokenUsage"))),
        latency_ms=as_number(data.get("latencyMs")),
        failed=failed,
        tags=tuple(str(tag) for tag in as_list(as_object(test.get("metadata")).get("tags"))),
        extra={**omit_fields(data, _PLACED), **sent.extra, **_kept(data, test, prompt)},
        tier=tier,
        format=NAME,
        expected=_expected(test.get("assert")),
        cost=as_number(data.get("cost", response.get("cost"))),
        raw=data,
    )


def _kept(data: Mapping[str, Json], test: dict[str, Json], prompt: Mapping[str, Json]) -> dict[str, Json]:
    checks, others = convert_assertions(test.get("assert"))
    found = {
        "checks": checks,
        "not_mapped": others,
        "scores": as_object(data.get("namedScores")),
        "grading": as_object(data.get("gradingResult")),
        "test": omit_fields(test, {"vars", "assert"}),
        "params": as_object(prompt.get("config")),
    }
    return omit_fields(found, ())


def _name(label: Json) -> str | None:
    """The label of a prompt; without one of its own that is the whole prompt."""
    found = as_nonblank(label)
    return found if found and len(found) <= _LONGEST_NAME and "\n" not in found else None


def _usage(tokens: Mapping[str, Json]) -> Usage | None:
    """`cached` is left out: those are tokens of answers from promptfoo's own cache."""
    return read_usage({"input": tokens.get("prompt"), "output": tokens.get("completion")})


def _why(data: Mapping[str, Json], response: Mapping[str, Json], answer: str | None) -> tuple[str | None, str | None]:
    """What stood in the place of an answer, and what is wrong with the answer."""
    if data.get("success") is not False:
        return None, None
    said = as_nonblank(response.get("error")) or as_nonblank(data.get("error"))
    if data.get("failureReason") == _ERROR or answer is None:
        return said or "error", None
    grading = as_object(data.get("gradingResult"))
    for component in map(as_object, as_list(grading.get("componentResults"))):
        if component.get("pass") is False:
            kind = as_nonblank(as_object(component.get("assertion")).get("type"))
            reason = as_nonblank(component.get("reason"))
            return None, ": ".join(part for part in (kind, reason) if part) or "assertion failed"
    return None, as_nonblank(grading.get("reason")) or said or "success false"


def _expected(assertions: Json) -> Json:
    """The value of the one `equals` among the assertions."""
    wanted = [as_object(item).get("value") for item in as_list(assertions) if as_object(item).get("type") == "equals"]
    return decode_embedded(wanted[0]) if len(wanted) == 1 else None


SPEC = LogFormatSpec(matches, read, specificity=60)
