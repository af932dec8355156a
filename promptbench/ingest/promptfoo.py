"""promptfoo's results: the JSON of `promptfoo eval -o results.json` (versions 2 and 3), its JSON Lines, or its CSV.

The assertions of each test become checks where a check matches (`_promptfoo_checks` has the table): `extra["checks"]`
has them as a suite writes them, `extra["not_mapped"]` the others with the reason. The value of `equals` is also the
expected answer. A failed assertion is the source's verdict; an error of the provider is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall, Usage
from promptbench.ingest import _table
from promptbench.ingest._bodies import read_input, read_usage
from promptbench.ingest._fields import (
    as_list,
    as_nonblank,
    as_number,
    as_object,
    as_tags,
    as_text,
    decode_embedded,
    join_nonblank,
    omit_fields,
    to_text,
)
from promptbench.ingest._promptfoo_checks import convert_assertions
from promptbench.ingest._records import NotACall, read_records
from promptbench.ingest._tiers import classify_failure
from promptbench.plugins import LogFormatSpec

NAME = "promptfoo"
_ERROR = 2
_PLACED = {"id", "provider", "prompt", "vars", "response", "success", "failureReason", "error", "latencyMs", "cost",
           "promptId", "gradingResult", "testCase", "namedScores"}  # fmt: skip
_LONGEST_NAME = 80
# In a table: the head of a column of outputs, and a cell of it. Before version 0.100, the reason was above the output.
_OUTPUTS = re.compile(r"\[([^\]\n]+)\] ?(.*)", re.DOTALL)
_CELL = re.compile(
    r"\[(PASS|FAIL|ERROR)\](?: \(([\d.]+)[^)\n]*\))?(?:(?<=FAIL\])([^\n]*)\n---\n)?"
    r"(.*?)(?:\n\n(?:Pass|Fail) Reason: (.*))?\Z",
    re.DOTALL,
)


def matches(file: Log) -> bool:
    """Return True if the file is an evaluation, or its first record the result of one."""
    first = (file.first_record or {}).keys()
    is_whole = file.document_keys >= {"evalId", "results"} or file.document_keys >= {"results", "stats", "table"}
    return is_whole or first >= {"promptIdx", "testIdx", "success"} or _is_table(file)


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """Yield the results of an evaluation."""
    if _is_table(file):
        return _read_table(file)
    whole = file.document_keys >= {"evalId", "results"}
    return read_records(file.records(("results", "results") if whole else ()), _build_call)


def _build_call(data: dict[str, Json], location: str) -> LoggedCall:
    if "success" not in data or not ("response" in data or "error" in data):
        raise NotACall("not a result: it needs 'success' and a 'response' or an 'error'")
    response = as_object(data.get("response"))
    prompt = as_object(data.get("prompt"))
    sent = read_input(prompt.get("raw"))
    answer = to_text(response.get("output"))
    error, verdict = _read_failure(data, response, answer)
    reason = as_text(response.get("finishReason"))
    failed, tier = classify_failure(error=error, finish_reason=reason, verdict=verdict)
    test = as_object(data.get("testCase"))
    return LoggedCall(
        id=as_nonblank(data.get("id")) or location,
        answer=answer,
        model=as_nonblank(as_object(data.get("provider")).get("id")) or as_text(data.get("provider")) or "",
        variables=as_object(data.get("vars")) or None,
        messages=sent.messages,
        prompt=_read_name(prompt.get("label")),
        prompt_version=as_nonblank(data.get("promptId")),
        error=error,
        finish_reason=reason,
        usage=_usage(as_object(response.get("tokenUsage"))),
        latency_ms=as_number(data.get("latencyMs")),
        failed=failed,
        tags=as_tags(as_object(test.get("metadata")).get("tags")),
        extra={**omit_fields(data, _PLACED), **sent.extra, **_collect_extra(data, test, prompt)},
        tier=tier,
        format=NAME,
        expected=_find_expected(test.get("assert")),
        cost=as_number(data.get("cost", response.get("cost"))),
        raw=data,
    )


def _is_table(file: Log) -> bool:
    """Return True if a table has a column of outputs, `[provider] prompt`, whose first cell has a verdict."""
    outputs = [name for name in _table.columns(file) if _OUTPUTS.match(name)]
    first = next((row for row in _table.rows(file) if isinstance(row, tuple)), None) if outputs else None
    return first is not None and any(_CELL.match(as_text(first[1].get(name)) or "") for name in outputs)


def _read_table(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """Yield a call for each output in each row. The other columns are the variables."""
    for row in _table.rows(file):
        if isinstance(row, BadRecord):
            yield row
            continue
        location, cells = row
        variables = {name: cell for name, cell in cells.items() if not _OUTPUTS.match(name)}
        for name, cell in cells.items():
            column, found = _OUTPUTS.match(name), _CELL.match(cell) if isinstance(cell, str) else None
            if column and not found:
                yield BadRecord(location, "an output without [PASS], [FAIL] or [ERROR]")
            elif column and found:
                raw: dict[str, Json] = {**variables, "provider": column[1], "prompt": column[2], "output": cell}
                yield _build_cell(f"{location}, {column[1]}", raw, variables, found)


def _build_cell(key: str, raw: dict[str, Json], variables: dict[str, Json], cell: re.Match[str]) -> LoggedCall:
    why, text, reason = cell[3], cell[4].strip(), cell[5]
    if cell[1] == "ERROR":
        failed, tier = classify_failure(error=(why or text or "error").strip())
    else:
        failed, tier = classify_failure(verdict=(why or reason or "failed").strip() if cell[1] == "FAIL" else None)
    return LoggedCall(
        id=key,
        answer=None if cell[1] == "ERROR" else text,
        model=str(raw["provider"]),
        variables=variables or None,
        prompt=_read_name(raw["prompt"]),
        error=failed if cell[1] == "ERROR" else None,
        failed=failed,
        extra={"scores": {"score": as_number(cell[2])}} if cell[2] else {},
        tier=tier,
        format=NAME,
        raw=raw,
    )


def _collect_extra(data: Mapping[str, Json], test: dict[str, Json], prompt: Mapping[str, Json]) -> dict[str, Json]:
    checks, others = convert_assertions(test.get("assert"))
    found = {
        "checks": checks,
        "not_mapped": others,
        "scores": as_object(data.get("namedScores")),
        "grading": as_object(data.get("gradingResult")),
        "test": omit_fields(test, {"vars", "assert"}),
        "params": as_object(prompt.get("config")),
    }
    return omit_fields(found)


def _read_name(label: Json) -> str | None:
    """Return the label of a prompt, unless it is the prompt's whole text, as it is by default."""
    found = as_nonblank(label)
    return found if found and len(found) <= _LONGEST_NAME and "\n" not in found else None


def _usage(tokens: Mapping[str, Json]) -> Usage | None:
    # Its `cached` are not the provider's: they are tokens of answers from promptfoo's own cache.
    return read_usage({"input": tokens.get("prompt"), "output": tokens.get("completion")})


def _read_failure(
    data: Mapping[str, Json], response: Mapping[str, Json], answer: str | None
) -> tuple[str | None, str | None]:
    if data.get("success") is not False:
        return None, None
    message = as_nonblank(response.get("error")) or as_nonblank(data.get("error"))
    if data.get("failureReason") == _ERROR or answer is None:
        return message or "error", None
    grading = as_object(data.get("gradingResult"))
    for component in map(as_object, as_list(grading.get("componentResults"))):
        if component.get("pass") is False:
            kind = as_object(component.get("assertion")).get("type")
            return None, join_nonblank(kind, component.get("reason")) or "assertion failed"
    return None, as_nonblank(grading.get("reason")) or message or "success false"


def _find_expected(assertions: Json) -> Json:
    values = [as_object(item).get("value") for item in as_list(assertions) if as_object(item).get("type") == "equals"]
    return decode_embedded(values[0]) if len(values) == 1 else None


SPEC = LogFormatSpec(matches=matches, read=read, specificity=60)
