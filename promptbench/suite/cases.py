"""Read the cases of a suite: those written in it, and those of the files next to it, one at a time."""

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from promptbench.core.errors import Code, Diagnostics, InputError, Location, Severity, did_you_mean
from promptbench.core.files import FileValue
from promptbench.core.types import Json, Message
from promptbench.suite.file import CaseFile, ChecksFile, TurnFile, field_name, is_case_file
from promptbench.suite.models import NOTHING_COMMON, Case, Common, Marked, Turn, Where, WrittenCheck
from promptbench.suite.sheets import case_rows
from promptbench.suite.validation import validate
from promptbench.text.templates import is_name
from promptbench.yaml.marked import YamlDocument, parse, parse_line
from promptbench.yaml.source import SourceError, below, matches, read_source

_MAX_PROBLEMS = 100  # per file; the rest of the file is then skipped
_LONGEST_LINE = 8 * 1024 * 1024


class SuiteCases:
    """All cases of one suite, in order. Call `scan` first: it records where each case is."""

    def __init__(
        self,
        suite: Path,
        shown: str,
        written: list[Case],
        files: list[tuple[str, Where]],
        common: Common = NOTHING_COMMON,
    ) -> None:
        self._written = written
        self._named = files
        self._suite = suite
        self._shown = shown
        self._common = common
        self._forget()

    def _forget(self) -> None:
        # Compact arrays, because a suite may name files with hundreds of thousands of cases.
        self._numbers: dict[str, int] = {}
        self._files: list[_File | _Sheet] = []
        self._file_of, self._starts, self._lines = array("I"), array("Q"), array("Q")

    def scan(self, found: Diagnostics) -> Iterator[Case]:
        """Yield every valid case, and add problems to `found`, duplicate names included."""
        self._forget()
        for number, case in enumerate(self._written):
            if self._is_first(case, found):
                self._numbers[case.name] = number
            yield case
        hint = "a pattern such as more/*.yaml is about the suite's folder"
        named = {
            path: where  # A file that two patterns match is read once.
            for written, where in self._named
            for path in matches(
                self._suite.parent, written, where.location(), found, hint=hint, counts=self._suite.__ne__
            )
        }
        for path, where in named.items():
            shown = (Path(self._shown).parent / path.relative_to(self._suite.parent)).as_posix()
            file = _KINDS.get(path.suffix.lower(), _Sheet)(path, shown, self._common)
            self._files.append(file)
            for start, line, case in _valid_cases(file, where, found):
                if self._is_first(case, found):
                    self._numbers[case.name] = len(self._written) + len(self._starts)
                    self._file_of.append(len(self._files) - 1)
                    self._starts.append(start)
                    self._lines.append(line)
                yield case

    @property
    def numbers(self) -> dict[str, int]:
        """Return the position of each case, by name, as of the last scan."""
        return self._numbers

    def __getitem__(self, name: str) -> Case:
        """Return a case of the last scan. Raise KeyError if unknown, InputError if its file has changed since."""
        number = self._numbers[name]
        if number < len(self._written):
            return self._written[number]
        number -= len(self._written)
        return self._files[self._file_of[number]].case(self._starts[number], self._lines[number])

    def _is_first(self, case: Case, found: Diagnostics) -> bool:
        if case.name not in self._numbers:
            return True
        there, here = self[case.name].where.location("case"), case.where.location("case")
        lines = f"on lines {there.line} and {here.line}" if there.path == here.path else f"at {there} and {here}"
        found.add(
            Code.DUPLICATE_NAME,
            f"two cases are named '{case.name}': {lines}",
            here,
            hint="give each a name of its own",
            related=there,
        )
        return False


class _File:
    """A JSON Lines file of cases. `shown` is its name for the user."""

    def __init__(self, path: Path, shown: str, common: Common) -> None:
        self.path = path
        self.shown = shown
        self._common = common
        self._state: tuple[int, int] | None = None

    def read(self, found: Diagnostics) -> Iterator[tuple[int, int, Case | None]]:
        """Yield each case with its byte offset and line; None for an invalid one."""
        with self.path.open("rb") as file:
            self._state = _state(file)
            for start, line, raw in _lines(file):
                yield start, line, self._case(raw, line, found)

    def case(self, start: int, line: int) -> Case:
        """Return the case at an offset. Raise InputError if the file has changed since it was scanned."""
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                raw = file.readline(_LONGEST_LINE) if _state(file) == self._state else b""
        except OSError:
            raw = b""
        case = self._case(raw, line, Diagnostics()) if raw else None
        if case is None:
            raise InputError(f"{self.shown} has changed since this command started", hint="run the command again")
        return case

    def _case(self, raw: bytes, number: int, found: Diagnostics) -> Case | None:
        location = Location(self.shown, number)
        if len(raw) > _LONGEST_LINE:
            found.add(Code.TOO_BIG, f"this line is larger than {_LONGEST_LINE // 1024**2} MB", location)
            return None
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            found.add(Code.UNREADABLE_FILE, "this line is not UTF-8 text", location, hint="save the file as UTF-8")
            return None
        line = parse_line(self.shown, number, text, found)
        return read_case(line.value, Where(line), found, self._common) if line else None


class _Sheet:
    """A spreadsheet or YAML file of cases. People wrote it, so it fits in memory."""

    def __init__(self, path: Path, shown: str, common: Common) -> None:
        self.path = path
        self.shown = shown
        self._common = common
        self._cases: list[Case] = []

    def read(self, found: Diagnostics) -> Iterator[tuple[int, int, Case | None]]:
        """Yield each case with its index; None for an invalid row."""
        self.path.open("rb").close()
        for where in self._written(found):
            case = read_case(where.value, where, found, self._common) if where else None
            self._cases += [case] if case else []
            yield len(self._cases) - 1, 0, case

    def _written(self, found: Diagnostics) -> Iterator[Where | None]:
        return (Where(row) if row else None for row in case_rows(self.path, self.shown, found))

    def case(self, start: int, line: int) -> Case:
        return self._cases[start]


class _Yaml(_Sheet):
    """A YAML file with a list of cases, as `cases:` of a suite has it."""

    def _written(self, found: Diagnostics) -> Iterator[Where | None]:
        document = parse_file(self.path, self.shown, found)
        if document is None or document.value is None:
            return
        if not isinstance(document.value, list):
            hint = "start each case with '- case: NAME'; a file of cases has no 'cases:' above them"
            found.add(Code.WRONG_TYPE, "expected a list of cases", document.location(), hint=hint)
            return
        yield from (Where(document, (index,)) for index in range(len(document.value)))


_KINDS: dict[str, type[_File | _Sheet]] = {".jsonl": _File, ".yaml": _Yaml, ".yml": _Yaml}


def _valid_cases(file: _File | _Sheet, where: Where, found: Diagnostics) -> Iterator[tuple[int, int, Case]]:
    """Yield the valid cases of a file. `where` is the entry in the suite that names the file."""
    before, empty = len(found), True
    try:
        for start, line, case in file.read(found):
            empty = False
            if case is not None:
                yield start, line, case
            elif len(found) - before >= _MAX_PROBLEMS:
                found.add(
                    Code.TOO_BIG,
                    f"{file.shown} has more than {_MAX_PROBLEMS} problems; the rest of it was skipped",
                    where.location(),
                    hint="fix these first",
                )
                return
    except FileNotFoundError:
        suite = Path(where.location().path).name
        near = [item.name for item in file.path.parent.glob("*.*") if is_case_file(item.name) and item.name != suite]
        stems = {Path(name).stem: name for name in near}
        guess = stems.get(did_you_mean(file.path.stem, stems) or "")
        hint = f"did you mean '{guess}'?" if guess else f"files with cases there: {', '.join(sorted(near)) or 'none'}"
        message = f"file '{file.path.name}' not found next to the suite"
        found.add(Code.FILE_NOT_FOUND, message, where.location(), hint=hint)
    except OSError as error:
        why = "it is a folder" if file.path.is_dir() else error.strerror
        found.add(Code.UNREADABLE_FILE, f"{file.shown} cannot be read: {why}", where.location())
    else:
        if empty and len(found) == before:
            found.add(Code.NO_CASES, f"{file.shown} has no cases", where.location())


def _lines(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Yield the offset, number and bytes of each line that is not blank; only the start of an overlong one."""
    number = start = 0
    while raw := file.readline(_LONGEST_LINE + 1):
        number += 1
        if raw.strip(b" \t\r\n\xef\xbb\xbf"):
            yield start, number, raw
        start += len(raw)
        while len(raw) > _LONGEST_LINE and not raw.endswith(b"\n"):
            raw = file.readline(_LONGEST_LINE + 1)
            start += len(raw)


def _state(file: BinaryIO) -> tuple[int, int]:
    state = os.fstat(file.fileno())
    return state.st_size, state.st_mtime_ns


def parse_file(path: Path, shown: str, found: Diagnostics) -> YamlDocument | None:
    """Return a YAML file, or None with a diagnostic if it cannot be read."""
    try:
        return parse(read_source(path, shown), found)
    except SourceError as error:
        found.extend([error.diagnostic])
        return None


def read_case(written: Json, where: Where, found: Diagnostics, common: Common = NOTHING_COMMON) -> Case | None:
    """Return the case `written` at `where`, with what is common to all cases of its suite.

    Add problems to `found` and return None if it is invalid.
    """
    item = validate(CaseFile, written, where.path, where.document, found)
    if item is None:
        return None
    _no_blanks(written, where, found)
    files = values_of_files(item.files, item.vars, where, common.folder, found)
    if files is None:
        return None
    keys = {field_name(key) for key in written}
    wrong = sorted(keys & _ONE_ANSWER.keys()) if item.turns else []
    for name in wrong:
        message = f"a case with 'turns' has several answers, and '{name.replace('_', ' ')}' is about one"
        found.add(Code.BAD_VALUE, message, where.location(name, key=True), hint=_ONE_ANSWER[name])
    if wrong:
        return None
    return Case(
        name=item.case,
        variables={**common.variables, **item.vars, **files},
        messages=tuple(Message(message.role, message.content) for message in item.messages),
        has_expect="expect" in keys,
        expect=item.expect,
        was=item.was,
        has_wish="should_be" in keys,
        should_be=item.should_be,
        checks=common.expand(checks_as_written(item.checks, where.below("checks")), found),
        threshold=item.threshold,
        tags=tuple(item.tags),
        where=where,
        cluster=item.cluster,
        quarantine=item.quarantine,
        repeats=item.repeats,
        only_models=tuple(item.only_models),
        skip=item.skip,
        tool_results=item.tool_results,
        turns=tuple(_turn(turn, where.below("turns").below(index)) for index, turn in enumerate(item.turns)),
        origin=item.origin,
        expect_at=item.expect_at,
    )


# Keys of a case that are about its one answer, and what to write instead.
_ONE_ANSWER = {
    "expect": "write it under the turn whose answer it is about",
    "was": "write the conversation up to the logged answer under 'messages:', without 'turns:'",
    "should_be": "write the checks of each turn under the turn",
    "tool_results": "write a case of its own for tools with results",
}


def _turn(item: TurnFile, where: Where) -> Turn:
    has_expect = "expect" in item.model_fields_set
    return Turn(item.user, has_expect, item.expect, checks_as_written(item.checks, where.below("checks")), where)


def checks_as_written(items: list[dict[str, Any]], where: Where) -> tuple[WrittenCheck, ...]:
    """Return the checks of a validated list at `where`."""
    return tuple(WrittenCheck.of(item, where.below(index)) for index, item in enumerate(items))


def read_checks(written: Json, where: Where, found: Diagnostics) -> tuple[WrittenCheck, ...]:
    """Return the checks that are `written`, one or a list. Add problems to `found` and return none if invalid."""
    inside = _Inside(where.document, where.path, {"checks": written})
    file = validate(ChecksFile, inside.value, (), inside, found)
    return checks_as_written(file.checks, Where(inside, ("checks",))) if file else ()


@dataclass(frozen=True, slots=True)
class _Inside:
    """What is at a path of a document, as if it were under a key."""

    document: Marked
    path: tuple[str | int, ...]
    value: Json

    def location(self, path: Sequence[str | int] = (), *, key: bool = False) -> Location:
        return self.document.location((*self.path, *path[1:]), key=key and len(path) > 1)

    def is_blank(self, path: Sequence[str | int]) -> bool:
        return self.document.is_blank((*self.path, *path[1:]))


def _no_blanks(written: dict[str, Json], where: Where, found: Diagnostics) -> None:
    for key, value in written.items():
        if value is None and field_name(key) in _BLANK and where.document.is_blank((*where.path, key)):
            location = where.document.location((*where.path, key))
            found.add(Code.MISSING_KEY, f"nothing is written after '{key}:'", location, hint=_BLANK[field_name(key)])
    variables = written.get("vars")
    for name, value in variables.items() if isinstance(variables, dict) else ():
        if value is None and is_name(name) and where.document.is_blank((*where.path, "vars", name)):
            location = where.document.location((*where.path, "vars", name))
            behind = location.text[location.column - 1 + location.length :].partition("#")[2].strip()
            hint = (
                f"a text that starts with # needs quotes: '#{behind}'" if behind else "write the text, or '' for none"
            )
            found.add(Code.MISSING_KEY, f"nothing is written after '{name}:'", location, hint=hint)


_BLANK = {
    "expect": "write what should come back, or null if that is what the answer should be",
    "should_be": "write an answer that passes, or delete the line",
    "was": "write the answer that came back, or '' if it was empty",
}


_FORMATS = "expected an image (PNG, JPEG, GIF, WebP), a PDF or text"


def values_of_files(
    files: Mapping[str, Sequence[str]], variables: Mapping[str, Json], where: Where, folder: Path, found: Diagnostics
) -> dict[str, Json] | None:
    """Return the values of a case's `files:` by name; None, with errors in `found`, if one is not valid.

    Args:
        variables: the case's other values.
        folder: the suite's folder, in which the files are.
    """
    before = len(found.errors)
    for name, value in variables.items():
        if name in files:
            message = f"'{name}' is in both 'vars' and 'files'"
            found.add(Code.DUPLICATE_KEY, message, where.location("vars", name), hint="keep one of them")
        elif isinstance(value, str) and value.startswith("file://"):
            hint = f"write it outside of 'vars': files: {{{name}: {value.removeprefix('file://')}}}"
            message = f"'{value}' is sent as this text, and no file is read"
            found.add(Code.BAD_VALUE, message, where.location("vars", name), hint=hint, severity=Severity.WARNING)
    values: dict[str, Json] = {}
    for name, paths in files.items():
        listed = isinstance(where.below("files", name).value, list)
        steps = [("files", name, index) if listed else ("files", name) for index in range(len(paths))]
        read = [_read(path, folder, where.location(*at), found) for path, at in zip(paths, steps, strict=True)]
        values[name] = read if listed else read[0]
    return values if len(found.errors) == before else None


def _read(written: str, folder: Path, location: Location, found: Diagnostics) -> Json:
    path = below(folder, written, location, found)
    if path is None:
        return None
    code, message, hint = Code.UNREADABLE_FILE, "", None
    try:
        if not path.exists():
            near = did_you_mean(path.name, [item.name for item in path.parent.glob("*") if item.is_file()])
            code, hint = Code.FILE_NOT_FOUND, f"did you mean '{near}'?" if near else None
            message = f"file '{written}' not found below the suite's folder"
        elif not path.is_file():
            message = f"'{written}' is not a file"
        else:
            return FileValue.of(path, written.replace("\\", "/")) or read_source(path, written).text.removesuffix("\n")
    except SourceError as error:
        code = error.diagnostic.code
        message = f"'{written}': {error.diagnostic.message}"
        hint = _FORMATS if code is Code.UNREADABLE_FILE else None
    except OSError as error:
        message = f"'{written}' cannot be read: {error.strerror}"
    found.add(code, message, location, hint=hint)
    return None
