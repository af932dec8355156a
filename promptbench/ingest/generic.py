"""Logs without a format of their own: CSV, TSV, Excel, and JSON or JSON Lines with one flat object per call.

Columns are known by their usual names (`_rows.py` has the list), or by the user's mapping: `answer=reply_text`. A
call needs an input (a text, messages or variables) and an answer or an error. `failed`, `valid`, `match` or a score is
the source's verdict; so is an error next to an answer, but not one instead of an answer. A bare `latency` has no unit
and is kept unchanged: map it with `latency_s=latency`.

Inputs in a separate file are joined by the id column: import both files together. Rows without an answer, such as a
row of totals, are reported and skipped.
"""

from collections.abc import Iterator

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest import _rows, _sheets, _table
from promptbench.ingest._fields import as_text
from promptbench.ingest._records import JoinedRecords, open_join, read_records
from promptbench.ingest.files.unknown_log import describe_unsupported
from promptbench.plugins import LogFormatSpec

NAME = "generic"
_MIN_COLUMNS = 2
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
_MAX_LISTED = 12
_MAX_NAME = 40

Records = Iterator[tuple[str, Json] | BadRecord]


def matches(file: Log) -> bool:
    """Return True if a column has an input or an answer, or if the file is a table by its name or content.

    Commas alone do not make a table: prose has them too. Nor is every JSON file a log.
    """
    names = read_columns(file)
    if not names or describe_unsupported(file) is not None:
        return False
    known = len(find_missing_fields(file, names)) < len(_rows.NEEDED)
    return known or file.name.removesuffix(".gz").lower().endswith(_TABLES) or _sheets.is_workbook(file)


def read_columns(file: Log) -> tuple[str, ...]:
    """Return the names in the header of a table or of the first filled sheet, or the keys of the first record."""
    if _sheets.is_workbook(file):
        try:
            return next((names for names, _ in _sheets.read_sheets(file) if len(names) >= _MIN_COLUMNS), ("",))
        except ValueError:
            return ("",)  # still a workbook: reading it reports the error
    return _table.columns(file) or tuple(file.first_record or ())


def find_missing_fields(file: Log, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of `input` and `answer` none of these columns has."""
    return _rows.find_missing(_rows.guess_columns(names, file.mapping))


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """Yield the calls. A file of inputs yields none. Raise MissingExtra for a workbook without openpyxl."""
    if problem := _rows.describe_unknown_field(file.mapping):
        yield BadRecord("the mapping", problem)
    elif _is_inputs(file):
        if not any(_is_answers(other) for other in file.others):
            yield BadRecord("the columns", _describe_missing(read_columns(file), ("answer",)))
    else:
        with open_join() as inputs:
            if _sheets.is_workbook(file):
                yield from _read_workbook(file, inputs)
            else:
                yield from _read_rows(file, read_columns(file), _table.records(file), inputs)


def read_timings(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """Yield the latencies of a file whose calls need neither input nor answer. Workbooks are not supported."""
    if problem := _rows.describe_unknown_field(file.mapping):
        yield BadRecord("the mapping", problem)
    else:
        records = _table.records(file)
        yield from read_records(records, lambda data, location: _rows.build_timing(data, location, file.mapping))


def _read_workbook(file: Log, inputs: JoinedRecords) -> Iterator[LoggedCall | BadRecord]:
    """Yield the calls of all sheets that have some; if none has, report what the first sheet lacks."""
    first: tuple[str, ...] = ()
    found = False
    for names, rows in _sheets.read_sheets(file):
        if find_missing_fields(file, names):
            first = first or names
        else:
            found = True
            yield from _read_rows(file, names, rows, inputs)
    if not found:
        yield BadRecord("the columns", _describe_missing(first, _rows.NEEDED))


def _read_rows(
    file: Log, names: tuple[str, ...], records: Records, inputs: JoinedRecords
) -> Iterator[LoggedCall | BadRecord]:
    known = set(_rows.guess_columns(names, file.mapping))
    if "id" in known:
        for other in filter(_is_inputs, file.others):
            known |= _collect_inputs(other, inputs)
    missing = _rows.find_missing(known)
    if missing and (_table.columns(file) or _sheets.is_workbook(file)):
        yield BadRecord("the columns", _describe_missing(names, missing))
    else:

        def build(data: dict[str, Json], location: str) -> LoggedCall:
            column = _rows.guess_columns(tuple(data), file.mapping).get("id")
            key = as_text(_rows.get_value(data, column)) if column else None
            request = inputs.find(key) if key else {}
            return _rows.build_call(data, request, key or location, file.mapping, has_answers="answer" in known)

        yield from read_records(records, build)


def _describe_missing(names: tuple[str, ...], missing: tuple[str, ...]) -> str:
    fields = " and no ".join(f"column for the {name}" for name in missing)
    shown = [name[:_MAX_NAME] for name in names[:_MAX_LISTED] if name]
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    example = f"{missing[0]}={next(iter(shown), 'COLUMN')}"
    return f"no {fields} among {', '.join(shown) or 'none'}{more}: map one, such as {example}"


def _is_inputs(file: Log) -> bool:
    """Return True if the file has ids and inputs but no answers: one half of a log."""
    names = read_columns(file)
    return (
        "id" in _rows.guess_columns(names, file.mapping)
        and find_missing_fields(file, names) == ("answer",)
        and not _rows.has_final_answer(file.first_record or {}, file.mapping)
    )


def _is_answers(file: Log) -> bool:
    names = read_columns(file)
    return "id" in _rows.guess_columns(names, file.mapping) and "answer" not in find_missing_fields(file, names)


def _collect_inputs(file: Log, inputs: JoinedRecords) -> set[str]:
    fields: set[str] = set()
    for found in _table.records(file):
        if isinstance(found, BadRecord) or not isinstance(found[1], dict):
            continue
        known = _rows.guess_columns(tuple(found[1]), file.mapping)
        if key := as_text(_rows.get_value(found[1], known.get("id", "id"))):
            inputs.add(key, found[1])
            fields |= set(known)
    return fields


SPEC = LogFormatSpec(matches=matches, read=read, specificity=-10, read_timings=read_timings)
