"""Logs without a format of their own: CSV, TSV, Excel, and JSON or JSON Lines with a flat object a call.

The columns are known by their usual names (`_columns.py` has the list), or by the user's word: `answer=reply_text`. A
call needs an input (a text, messages or variables) and an answer or an error. What `failed`, `valid`, `match` or a
score says is the source's verdict; an error beside an answer is one too, an error in its place is none. A bare
`latency` has no unit and is kept as it is: say `latency_s=latency`.

Inputs that lie in a file of their own are joined by the column of the id: import both files together. Rows that have no
answer, such as a sum at the end, are named and left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.formats.log_sight import describe_unsupported
from promptbench.ingest import _columns, _sheets, _table
from promptbench.ingest._fields import as_text
from promptbench.ingest._joined import JoinedRecords, open_join
from promptbench.ingest._records import read_records
from promptbench.ingest._rows import build_call, build_timing, has_final_answer
from promptbench.plugins import LogFormatSpec

NAME = "generic"
_LEAST_COLUMNS = 2
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
_MOST_NAMED = 12
_LONGEST_NAME = 40

Records = Iterator[tuple[str, Json] | BadRecord]


def matches(file: Log) -> bool:
    """Whether the file has columns of which one holds an input or an answer, or is a table by its name or nature.

    Prose has commas too, and not every JSON is a log.
    """
    names = columns(file)
    if not names or describe_unsupported(file) is not None:
        return False
    known = len(_columns.find_missing(_columns.guess_columns(names, file.mapping))) < len(_columns.NEEDED)
    return known or file.name.removesuffix(".gz").lower().endswith(_TABLES) or _sheets.is_workbook(file)


def columns(file: Log) -> tuple[str, ...]:
    """The names in a table's header or in the first record; of a workbook those of the first sheet that has some."""
    if _sheets.is_workbook(file):
        try:
            return next((names for _, names, _ in _sheets.sheets(file) if len(names) >= _LEAST_COLUMNS), ("",))
        except ValueError:
            return ("",)  # it is a workbook all the same, and reading it says what is wrong
    return _table.columns(file) or tuple(file.sample() or ())


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """The calls. A file of inputs gives none of its own. Raises MissingExtra for a workbook without openpyxl."""
    if problem := _columns.describe_unknown_field(file.mapping):
        yield BadRecord("the mapping", problem)
        return
    if _is_inputs(file):
        if not any(_is_answers(other) for other in file.others):
            yield BadRecord("the columns", _unknown(columns(file), ("answer",)))
        return
    with open_join() as inputs:
        if _sheets.is_workbook(file):
            yield from _workbook(file, inputs)
            return
        yield from _rest(file, columns(file), _own(file), inputs)


def read_timings(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """What the calls took, of a file that need not say what was asked and answered. There is nothing of workbooks."""
    if problem := _columns.describe_unknown_field(file.mapping):
        yield BadRecord("the mapping", problem)
        return
    yield from read_records(_own(file), lambda data, place: build_timing(data, place, file.mapping))


def _own(file: Log) -> Records:
    return _table.rows(file) if _table.columns(file) else file.records()


def _workbook(file: Log, inputs: JoinedRecords) -> Iterator[LoggedCall | BadRecord]:
    """The sheets that have calls; what the first one lacks is told where none has any."""
    told: tuple[str, ...] | None = None
    found = False
    for _, names, rows in _sheets.sheets(file):
        if _columns.find_missing(_columns.guess_columns(names, file.mapping)):
            told = told or names
            continue
        found = True
        yield from _rest(file, names, rows, inputs)
    if not found:
        yield BadRecord("the columns", _unknown(told or (), _columns.NEEDED))


def _rest(
    file: Log, names: tuple[str, ...], records: Records, inputs: JoinedRecords
) -> Iterator[LoggedCall | BadRecord]:
    known = _columns.guess_columns(names, file.mapping)
    collected = set(known)
    if "id" in known:
        for other in file.others:
            if _is_inputs(other):
                collected |= _collect(other, inputs)
    lacking = _columns.find_missing(collected)
    if lacking and (_table.columns(file) or _sheets.is_workbook(file)):
        yield BadRecord("the columns", _unknown(names, lacking))
        return
    yield from read_records(records, lambda data, place: _call(data, place, file.mapping, inputs))


def _call(data: dict[str, Json], place: str, mapping: Mapping[str, str], inputs: JoinedRecords) -> LoggedCall:
    column = _columns.guess_columns(tuple(data), mapping).get("id")
    key = as_text(_columns.get_value(data, column)) if column else None
    return build_call(data, inputs.find(key) if key else {}, key or place, mapping)


def _unknown(names: tuple[str, ...], lacking: tuple[str, ...]) -> str:
    wanted = " and no ".join(f"column for the {name}" for name in lacking)
    shown = [name[:_LONGEST_NAME] for name in names[:_MOST_NAMED] if name]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    example = f"{lacking[0]}={next(iter(shown), 'COLUMN')}"
    return f"there is no {wanted} among {', '.join(shown) or 'none'}{more}: map one, such as {example}"


def _is_inputs(file: Log) -> bool:
    """Whether the file has ids and inputs, and no answers: the other half of a log."""
    fields = _columns.guess_columns(columns(file), file.mapping)
    return (
        "id" in fields
        and _columns.find_missing(fields) == ("answer",)
        and not has_final_answer(file.sample() or {}, file.mapping)
    )


def _is_answers(file: Log) -> bool:
    fields = _columns.guess_columns(columns(file), file.mapping)
    return "id" in fields and "answer" not in _columns.find_missing(fields)


def _collect(file: Log, inputs: JoinedRecords) -> set[str]:
    """Puts the inputs of a file where they are found by their ids; the fields that they have."""
    fields: set[str] = set()
    for found in _own(file):
        if isinstance(found, BadRecord) or not isinstance(found[1], dict):
            continue
        known = _columns.guess_columns(tuple(found[1]), file.mapping)
        if key := as_text(_columns.get_value(found[1], known.get("id", "id"))):
            inputs.add(key, found[1])
            fields |= set(known)
    return fields


SPEC = LogFormatSpec(matches, read, specificity=-10, read_timings=read_timings)
