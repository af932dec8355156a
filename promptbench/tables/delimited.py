"""Delimiter-separated text: CSV, TSV and the variants that spreadsheet programs save."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

# The most frequent one in a header wins; on a tie, the first in this order.
DELIMITERS = ",;\t|"
# Python's own limit, 128 KB, is shorter than some prompts. It holds for the whole process.
_MAX_FIELD_LENGTH = 16 * 1024 * 1024
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class DelimitedReader(Iterator[tuple[int, list[str]]]):
    """An iterator over the rows of delimited text, each with the line on which it starts, counted from 1.

    A cell may span lines. `csv.Error` is raised for a malformed row, after which iteration can continue; `line` is the
    line on which that row starts. A strict reader rejects text after a closing quote and an unclosed quote; otherwise
    both are accepted, and spaces behind a delimiter are skipped.
    """

    def __init__(self, lines: Iterable[str], delimiter: str, *, strict: bool = False) -> None:
        csv.field_size_limit(_MAX_FIELD_LENGTH)
        self._reader = csv.reader(lines, delimiter=delimiter, strict=strict, skipinitialspace=not strict)
        self.line = 1

    def __next__(self) -> tuple[int, list[str]]:
        self.line = self._reader.line_num + 1
        return self.line, next(self._reader)


def detect_delimiter(lines: Iterable[str], delimiters: str = DELIMITERS) -> str | None:
    """Return the delimiter that is most frequent, outside quotes, in the first line that has one."""
    for line in lines:
        unquoted = "".join(line.split('"')[::2])
        best = max(delimiters, key=unquoted.count)
        if best in unquoted:
            return best
    return None


def write_csv(rows: Iterable[Sequence[str]], *, delimiter: str = ",", line_end: str = "\r\n") -> str:
    """Return the rows as CSV. Cells are written as they are: see `escape_formula`."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return text.getvalue()


def escape_formula(text: str) -> str:
    """Return a text with an apostrophe in front if a spreadsheet program would take it for a formula."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA_STARTS) else text


def unescape_formula(text: str) -> str:
    """Return the text that `escape_formula` was given."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA_STARTS) else text
