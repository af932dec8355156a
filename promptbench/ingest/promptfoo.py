"""promptfoo's results: the JSON of `promptfoo eval -o results.json` (versions 2 and 3), its JSON Lines, or its CSV.

The assertions of each test become checks where a check matches (`_promptfoo_checks` has the table): `extra["checks"]`
has them as a suite writes them, `extra["not_mapped"]` the others with the reason. The value of `equals` is also the
expected answer. A failed assertion is the source's verdict; an error of the provider is not.
"""

import re
from collections.abc import Iterator, Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest import _table
from promptbench.ingest._bodies import is_request
from promptbench.ingest._chat import is_conversation
from promptbench.ingest._fields import (
    as_list,
    as_nonblank,
    as_number,
    as_object,
    as_text,
    classify_failure,
    decode_embedded,
    join_nonblank,
    omit_fields,
    to_text,
)
from promptbench.ingest._promptfoo_checks import convert_each
from promptbench.ingest._records import NotACall, RecordMap, read_records
from promptbench.plugins import LogFormatSpec

_ERROR = 2
_LONGEST_NAME = 80
_SUMMARY = re.compile(rb'\s*\{\s*"results"\s*:\s*\{\s*"version"')
# A table has the variables, and for each prompt and provider a column of outputs, followed by columns about it. In
# earlier versions, verdict and reason are in the cell of the output, and the head has no provider.
_OUTPUTS = re.compile(r"\[([^\]\n]+)\] ?(.*)", re.DOTALL)
_ABOUT = re.compile(r"(Status|Score|Named Scores|Metric: .*|Grader Reason|Comment)(\.\d+)?")
_CELL = re.compile(
    r"\[(PASS|FAIL|ERROR)\](?: \(([\d.]+)[^)\n]*\))?\s*(.*?)(?:\n\n\s*(?:Pass|Fail) Reason: (.*))?\Z", re.DOTALL
)
_LONGEST_HEAD = 100_000


def matches(file: Log) -> bool:
    """Return True if the file is an evaluation, or its first record the result of one."""
    first = (file.first_record or {}).keys()
    is_whole = _is_nested(file) or file.document_keys >= {"results", "stats", "table"}
    return is_whole or first >= {"promptIdx", "testIdx", "success"} or bool(_find_outputs(file)[1])


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """Yield the results of an evaluation."""
    if _find_outputs(file)[1]:
        return _read_table(file)
    return read_records(file.records(("results", "results") if _is_nested(file) else ()), _MAP.build)


def _is_nested(file: Log) -> bool:
    """Return True for an evaluation whose results are in a summary. Its head may end before the keys that follow it."""
    return file.document_keys >= {"evalId", "results"} or _SUMMARY.match(file.head) is not None


def _prepare(data: dict[str, Json]) -> dict[str, Json]:
    if not ("response" in data or "error" in data):
        raise NotACall("it has neither a 'response' nor an 'error'")
    response, prompt = as_object(data.get("response")), as_object(data.get("prompt"))
    test, answer, sent = as_object(data.get("testCase")), to_text(response.get("output")), prompt.get("raw")
    if sent and not (is_request(decode_embedded(sent)) or is_conversation(decode_embedded(sent))):
        sent = [{"role": "user", "content": sent}]
    error, verdict = _read_failure(data, response, answer)
    converted = list(convert_each(test.get("assert")))
    return {
        **data,
        "sent": sent,
        "came": None if answer is None else {"role": "assistant", "content": answer},
        "failed": error,
        "verdict": verdict,
        "label": _read_name(prompt.get("label")),
        "good": _find_expected(test.get("assert")),
        "checks": [check for _, check, _ in converted if check],
        "not_mapped": [{"assert": item, "why": why} for item, _, why in converted if why],
        "about": omit_fields(test, {"vars", "assert"}),
        # No verdict: whether a low score is a failure is in `success`.
        "more": omit_fields({"scores": as_object(data.get("namedScores"))}),
    }


_MAP = RecordMap(
    name="promptfoo",
    keys=frozenset({"success"}),
    fields={
        "id": "id",
        "model": "provider.id | provider",
        "request": "sent",
        "variables": "vars",
        "response": "came",
        "prompt": "label",
        "prompt_version": "promptId",
        "error": "failed",
        "verdict": "verdict",
        "finish_reason": "response.finishReason",
        # `cached` there are the tokens of answers from promptfoo's own cache.
        "input_tokens": "response.tokenUsage.prompt",
        "output_tokens": "response.tokenUsage.completion",
        "latency_ms": "latencyMs",
        "tags": "testCase.metadata.tags",
        "expected": "good",
        "cost": "cost | response.cost",
        "params": "prompt.config",
        "checks": "checks",
        "not_mapped": "not_mapped",
        "grading": "gradingResult",
        "test": "about",
        "more": "more",
    },
    prepare=_prepare,
    placed=frozenset({"success", "failureReason", "error", "namedScores"}),
)


def _find_outputs(file: Log) -> tuple[tuple[str, ...], list[tuple[str, dict[str, str]]]]:
    """Return the columns of variables, and each column of outputs with the columns about it by field.

    Both are empty if the file is not a table of promptfoo.
    """
    cells = next((row[1] for row in _table.rows(file, _LONGEST_HEAD) if isinstance(row, tuple)), {})
    variables: list[str] = []
    outputs: list[tuple[str, dict[str, str]]] = []
    for name in _table.columns(file, _LONGEST_HEAD) if cells else ():
        about = _ABOUT.fullmatch(name)
        if _OUTPUTS.match(name) or _CELL.match(as_text(cells.get(name)) or ""):
            outputs.append((name, {}))
        elif about and outputs:
            outputs[-1][1][about[1]] = name
        elif not (outputs and outputs[-1][1]):  # The last columns of a red-team evaluation are not variables.
            variables.append(name)
    if not any("Status" in about or _CELL.match(as_text(cells.get(name)) or "") for name, about in outputs):
        return (), []
    return tuple(variables[variables[0] == "Description" :] if variables else ()), outputs


def _read_table(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """Yield a call for each output in each row."""
    names, outputs = _find_outputs(file)
    for row in _table.rows(file, _LONGEST_HEAD):
        if isinstance(row, BadRecord):
            yield row
            continue
        location, cells = row
        variables = {name: cells[name] for name in names if name in cells}
        for number, (column, fields) in enumerate(outputs, 1):
            about = {name: cells.get(held) for name, held in fields.items()}
            if about.get("Status") or cells.get(column):
                try:
                    yield _build_cell(column, cells.get(column), about, variables, f"{location}, output {number}")
                except NotACall as error:
                    yield BadRecord(location, str(error))


def _build_cell(name: str, output: Json, about: dict[str, Json], variables: dict[str, Json], key: str) -> LoggedCall:
    text, status, score, reason = as_text(output) or "", about.get("Status"), about.get("Score"), None
    if status is None:
        cell = _CELL.match(text)
        if cell is None:
            raise NotACall("an output without [PASS], [FAIL] or [ERROR]")
        status, score, text, reason = cell.groups()
        above, line, below = text.partition("\n---\n")
        if status == "FAIL" and line and "Grader Reason" not in about and (reason or above).startswith(above):
            text, reason = below, reason or above
    reason = as_text(about.get("Grader Reason")) or reason
    error = (text.strip() or reason or "error") if status == "ERROR" else None
    failed, tier = classify_failure(error=error, verdict=(reason or "failed") if status == "FAIL" else None)
    column = _OUTPUTS.match(name)
    provider, prompt = (column[1], column[2]) if column else ("", name)
    scores = {"score": as_number(score), **as_object(about.get("Named Scores"))}
    return LoggedCall(
        id=key,
        answer=None if error else text.strip(),
        model=provider,
        variables=variables or None,
        prompt=_read_name(prompt),
        error=error,
        failed=failed.strip() if failed else None,
        extra=omit_fields({"scores": omit_fields(scores), "comment": about.get("Comment")}),
        tier=tier,
        format=_MAP.name,
        raw={**variables, "provider": provider, "prompt": prompt, "output": output, **about},
    )


def _read_name(label: Json) -> str | None:
    """Return the label of a prompt, unless it is the prompt's whole text, as it is by default."""
    found = as_nonblank(label)
    return found if found and len(found) <= _LONGEST_NAME and "\n" not in found else None


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
