"""Add a case to a suite, or change one: what it needs, how it looks in the file, how its checks score an answer.

A form for a case is a row of a sheet: its fields have the names of the columns, so both are read by the same rules, and
errors are located at a field. `=` before the name of a field means that its content is a text, whatever it looks like.
"""

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

from promptbench.core.canonical import digest, digest_text, lf
from promptbench.core.errors import Code, ConflictError, Diagnostic, Diagnostics, InputError, Location, Severity
from promptbench.core.files import recorded_names
from promptbench.core.types import Json, Rung
from promptbench.core.words import number_of
from promptbench.engine.prepare.evaluate import Evaluation
from promptbench.engine.prepare.prepared_suite import PreparedCase
from promptbench.parsing.json_text import read as read_json
from promptbench.project import Project
from promptbench.suite.editor import Change
from promptbench.suite.labelled import Labelled
from promptbench.suite.loader import load as load_suite
from promptbench.suite.models import Case
from promptbench.suite.sheet_changes import KnownCase, SheetCases, SheetChanges, changed_files, known_cases, merge_case
from promptbench.suite.sheets import SheetCase, read_columns, read_row
from promptbench.suite.tables import as_json, fields_of, table_of
from promptbench.tables.grid import GridCell
from promptbench.text.templates import outer_names
from promptbench.workflows.judge.inspect_run import state_of
from promptbench.workflows.logs.capture import first_words, free_name
from promptbench.workflows.logs.valid_suite import open_valid_suite
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source
from promptbench.yaml.text import in_braces, item_lines

MISSING_VARIABLE = re.compile(r"has no value for \{\{(.+?)\}\}")
Files = Mapping[Path, tuple[bytes, bytes]]  # That change, each before and after.
# The order of a new case in its file.
_ORDER = ("case", "vars", "files", "was", "expect", "checks", "tags")
_FLOW = ("{", "[", '"', "'", "- ")
_EMPTY = 2  # Checks that a form has room for, besides those that are there.
_WRITE = Lock()  # Between reading a file and replacing it, no other request of this process writes.


@dataclass(frozen=True, slots=True)
class FormField:
    """A field: its name in the form, its label, its content, all possible contents if they are known, and a remark."""

    name: str
    label: str
    value: str = ""
    choices: Sequence[str] = ()
    about: str = ""

    @property
    def heading(self) -> str:
        """The column of a sheet that it stands for."""
        return self.name.removeprefix("=")

    @property
    def group(self) -> str:
        """The part of a case that it belongs to."""
        return self.heading.partition(".")[0].partition(" ")[0]


@dataclass(frozen=True, slots=True)
class CaseDraft:
    """A case as it was written into a form.

    `problems` are by the heading of their field. `files` are those that change, each before and after. `text` is the
    case as YAML, empty while it cannot be read.
    """

    old: KnownCase | None
    problems: Mapping[str, Sequence[Diagnostic]]
    data: Mapping[str, Json] = field(default_factory=dict)
    text: str = ""
    files: Files = field(default_factory=dict)
    built: PreparedCase | None = None
    twin: str | None = None  # The name of another case with the same input.

    @property
    def name(self) -> str:
        return str(self.data.get("case", ""))

    @property
    def errors(self) -> list[Diagnostic]:
        return [item for found in self.problems.values() for item in found if item.severity is Severity.ERROR]


@dataclass(frozen=True, slots=True)
class CasesFound:
    """The cases of a suite that match; `total` and `tags`, with counts, are of all, `problems` of the file."""

    cases: Sequence[Case]
    total: int
    tags: Mapping[str, int]
    problems: Sequence[Diagnostic]


def search_cases(project: Project, file: Path, text: str, tag: str) -> CasesFound:
    """Return the cases that have a text anywhere, and a tag. A suite with errors has the cases that can be read."""
    every, problems = _read_all(file, project.shown(file), state_of(file))
    cases = [case for case, said in every if text.lower() in said and (not tag or tag in case.tags)]
    return CasesFound(cases, len(every), Counter(tag for case, _ in every for tag in case.tags), problems)


@lru_cache(maxsize=1)
def _read_all(
    file: Path, shown: str, state: tuple[int, int]
) -> tuple[Sequence[tuple[Case, str]], Sequence[Diagnostic]]:
    """Return the cases of a suite with all that each says, in lower case, and what is wrong with the suite."""
    found = Diagnostics()
    suite = load_suite(file, shown, found)
    every = [(case, as_json(case.where.value).lower()) for case in suite.cases.scan(found)] if suite else []
    return every, list(found)


class CaseAuthor:
    """Adds cases to one suite, and changes them. Raises InputError if the suite is invalid.

    Unless `validate`, the other cases are checked only when one is saved.

    Attributes:
        target: the suite.
        known: its cases by name, without those from its logs.
        variables: the names for which a case needs a value, in the order of the prompt.
        files: those among them that are images or PDFs.
        fields: the fields of the answer with their schemas; none if the answer is a text, or has no schema.
        has_checks: True if the suite has checks for all cases.
    """

    def __init__(self, project: Project, path: Path | None, *, validate: bool = True) -> None:
        file, *others = project.suite_files([path] if path else [])
        if others:
            names = ", ".join(project.shown(item.parent) for item in (file, *others))
            raise InputError("there are several suites", hint=f"name one of them: {names}")
        self._project = project
        with open_valid_suite(project, file, validate=validate) as self.target:
            self.known = {item.case.name: item for item in known_cases(self.target.suite)}
        self.folder = project.shown(file.parent)
        self.has_checks = bool(self.target.suite.checks)
        prompt = self.target.prompts[0].prompt
        order = [name for item in prompt.templates for name in outer_names(item.parts)]
        needed = sorted({name for item in self.target.prompts for name in item.prompt.missing({})})
        self.variables = [name for name in dict.fromkeys([*order, *needed]) if name in needed]
        self.files = prompt.file_names
        fields = (prompt.output_schema or {}).get("properties")
        self.fields: Mapping[str, Json] = fields if isinstance(fields, Mapping) else {}

    def check_name(self, name: str) -> None:
        """Raise InputError, suggesting a free name, if a case has that name."""
        if name in self.known:
            raise InputError(f"the case '{name}' already exists", hint=f"'{free_name(name, set(self.known))}' is free")

    def suggested_name(self, variables: Mapping[str, str]) -> str:
        """Return a free name from the first words of the longest value."""
        return free_name(first_words(variables.values(), 5) or "new case", set(self.known))

    def draft(
        self,
        name: str,
        variables: Mapping[str, Json],
        expect: Sequence[Json] = (),
        never: Sequence[str] = (),
        checks: Sequence[Json] = (),
        tags: Sequence[str] = (),
        was: str | None = None,
    ) -> CaseDraft:
        """Return a new case, as `read` does. `expect` has one value or none, because null may be the right answer.

        Raise InputError with every error in the case.
        """
        files = {key: recorded_names(value) or value for key, value in variables.items() if key in self.files}
        data = {
            "case": name,
            "vars": {key: value for key, value in variables.items() if key not in files},
            "files": files,
            "was": was,
            "checks": [*([{"not contains": never[0] if len(never) == 1 else list(never)}] if never else []), *checks],
            "tags": list(tags),
        }
        data = {key: value for key, value in data.items() if value not in ("", {}, [], None)}
        data |= {"expect": expect[0]} if expect else {}
        draft = self._draft(None, SheetCase(data, Location("the new case")), Diagnostics())
        if draft.errors:
            raise InputError(number_of(len(draft.errors), "error"), diagnostics=draft.errors)
        return draft

    def base(self, old: KnownCase | None) -> str:
        """Return the hash of the files that a form is made from."""
        paths = dict.fromkeys((self.target.file, old.path if old else self.target.file))
        return digest([digest_text(path.read_bytes().decode("utf-8", "replace")) for path in paths])

    def form(self, old: KnownCase | None, checks: int = 0) -> list[FormField]:
        """Return the fields of the form for a case, or for a new one, with room for at least `checks` checks."""
        prompt = self.target.prompts[0].prompt
        table = table_of([old.entry] if old else [], csv=True)
        row = table.rows[0] if old else [""] * len(table.headings)
        cells = {name: str(cell) for name, cell in zip(table.headings, row, strict=True)}
        written = old.fields if old else {}
        found = [FormField("=case", "Name", str(written.get("case", "")), about="empty: the first words of the input")]
        schema = (prompt.input_schema or {}).get("properties", {})
        variables = {name: schema.get(name, {}) for name in (*self.variables, *written.get("vars", ()))}
        files: dict[str, Json] = {name: {} for name in (*sorted(self.files), *written.get("files", ()))}
        expected = written.get("expect", {})
        answer = (
            {name: self.fields.get(name, {}) for name in (*self.fields, *expected)} if type(expected) is dict else {}
        )
        for part, schemas in (("vars", variables), ("files", files), ("expect", answer)):
            values = written.get(part, {})
            known = values if isinstance(values, dict) else {}
            found += [
                _field(f"{part}.{name}", name, schemas[name], known.get(name, ""), cells)
                for name in schemas
                if part != "vars" or name not in files
            ]
        if not answer:
            found.append(FormField("expect", "The whole answer", cells.get("expect", "")))
        pairs = sum(name.startswith("check ") or name == "check" for name, cell in cells.items() if cell)
        for number in range(1, max(pairs + _EMPTY, checks) + 1):
            end = f" {number}" if number > 1 else ""
            found.append(FormField(f"=check{end}", f"Check {number}", cells.get(f"check{end}", "")))
            found.append(FormField(f"value{end}", f"What check {number} needs", cells.get(f"value{end}", "")))
        found.append(FormField("=was", "A wrong answer that came back", str(written.get("was", ""))))
        found.append(FormField("tags", "Tags", cells.get("tags", ""), about="words with commas between them"))
        there = {item.heading for item in found}
        return found + [FormField(name, name, cell) for name, cell in cells.items() if cell and name not in there]

    def read(self, old: KnownCase | None, form: Mapping[str, str]) -> CaseDraft:
        """Return what a form says, with every problem at its field."""
        found = Diagnostics()
        names = [GridCell(name.removeprefix("="), Location(name.removeprefix("="))) for name in form]
        row = [
            GridCell(_content(name, text, found), names[at].location) for at, (name, text) in enumerate(form.items())
        ]
        written = read_row(read_columns(names, found), row, found)
        return self._draft(old, written, found) if written else CaseDraft(old, _by_heading(found))

    def _draft(self, old: KnownCase | None, written: SheetCase, found: Diagnostics) -> CaseDraft:
        texts = {name: text for name, text in written.value.get("vars", {}).items() if isinstance(text, str)}
        written.value.setdefault("case", self.suggested_name(texts))
        case = next(SheetCases([written], self.target.suite.common).scan(found), None)
        if case is None:
            return CaseDraft(old, _by_heading(found))
        if case.name in self.known and (old is None or old.case.name != case.name):
            hint = f"'{free_name(case.name, set(self.known))}' is free"
            found.add(
                Code.DUPLICATE_NAME, f"the case '{case.name}' already exists", written.location(("case",)), hint=hint
            )
        built = self.target.builder(found).build(case)
        data = self._data(old, written, case)
        changes = SheetChanges(changed=[(old, Change(data))]) if old else SheetChanges(added=[Change(data)])
        text, files = "", {}
        try:
            text = "".join(f"{line}\n" for line in item_lines(data, 2))
            files = changed_files(self.target.suite, changes, remove=False)
        except (ValueError, InputError) as error:
            found.add(Code.BAD_VALUE, str(error), written.location(("case",)), hint=getattr(error, "hint", None))
        same = (item for item in self.known.values() if item is not old and item.case.said == case.said)
        twin = next((item.case.name for item in same if item.case.variables == case.variables), None)
        return CaseDraft(old, _by_heading(found), data, text, files, built, twin)

    def _data(self, old: KnownCase | None, written: SheetCase, case: Case) -> dict[str, Json]:
        if old:
            return merge_case(old, written.value, fields_of(case))
        data = {key.replace("_", " "): value for key, value in written.value.items()}
        return {key: data[key] for key in (*_ORDER, *data) if key in data}

    def evaluate(self, draft: CaseDraft, answer: str) -> Evaluation:
        """Return the scores of an answer by all checks of a valid case."""
        assert draft.built is not None
        return self.target.builder(Diagnostics()).evaluation(answer, draft.built)

    def command(self, draft: CaseDraft) -> str:
        """Return the command that adds a new case; empty if its options cannot say all of it."""
        data = draft.data
        values = {**data.get("vars", {}), **data.get("files", {})}
        if draft.old or not data or data.keys() - {*_ORDER} or not all(isinstance(it, str) for it in values.values()):
            return ""
        words = ["promptbench", "new", "case", self.folder, "--name", draft.name]
        words += [word for name, value in values.items() for word in ("--var", f"{name}={value}")]
        words += ["--expect", in_braces(data["expect"])] if "expect" in data else []
        words += [word for check in data.get("checks", ()) for word in ("--check", in_braces(check))]
        words += [word for tag in data.get("tags", ()) for word in ("--tag", tag)]
        return shlex.join([*words, *(["--was", data["was"]] if "was" in data else [])])

    def save(self, draft: CaseDraft, base: str | None = None) -> None:
        """Write a case. Raise ConflictError if a file has changed since `base`, InputError if the case is invalid."""
        if draft.errors:
            raise InputError(number_of(len(draft.errors), "error"), diagnostics=draft.errors)
        self.write(draft.files, draft.old, base)

    def without(self, name: str) -> Files:
        """Return the files that change if a case is deleted. Raise InputError if that cannot be done here."""
        if name not in self.known:
            raise InputError(f"case '{name}' not found in {self.folder}")
        return changed_files(self.target.suite, SheetChanges(missing=[self.known[name]]), remove=True)

    def write(self, files: Files, old: KnownCase | None, base: str | None = None) -> None:
        """Write changed files. Raise ConflictError if one has changed since `base`, InputError if one is invalid."""
        with _WRITE, open_valid_suite(self._project, self.target.file) as target:
            if base not in (None, self.base(old)):
                raise ConflictError(f"{self.target.shown} has changed since this form was opened")
            target.write_files(files)


def expect_answer(project: Project, file: Path, mark: Labelled) -> tuple[CaseAuthor, CaseDraft]:
    """Return how a case of a suite looks if it expects what a reviewer says, and the author that saves it.

    That is the answer if it is right, and `should_be` if it is wrong; then the case must also fail on the answer.
    Raise InputError if the case is not in the suite's files.
    """
    author = CaseAuthor(project, file)
    if mark.case not in author.known:
        raise InputError(f"case '{mark.case}' not found in {author.folder}")
    old = author.known[mark.case]
    form = {field.name: field.value for field in author.form(old) if field.group != "expect"}
    form["expect"] = (mark.answer if mark.passed else mark.should_be) or ""
    form["=was"] = form["=was"] or ("" if mark.passed else mark.answer or "")
    return author, author.read(old, form)


def choices_of(schema: Json) -> Sequence[str]:
    """Return the texts that a field's schema lists as its only values; none if it lists other values, or nothing."""
    choices = schema.get("enum") if isinstance(schema, Mapping) else None
    return choices if isinstance(choices, list) and all(isinstance(choice, str) for choice in choices) else []


def read_field(schema: Json, written: str) -> Json:
    """Return user input as a value of a field, None if it is empty. Raise ValueError if it is not a possible value."""
    choices = choices_of(schema)
    if not written:
        return None
    if choices and written not in choices:
        raise ValueError(f"expected one of {', '.join(choices)}")
    is_text = choices or (isinstance(schema, Mapping) and schema.get("type") == "string")
    return written if is_text else read_value(written)


def read_value(written: str) -> Json:
    """Return user input as data if it is JSON, such as 12, true or a list, else as text."""
    reading = read_json(written)
    return reading.value if reading.rung is Rung.RAW else written


def _field(heading: str, name: str, schema: Json, value: Json, cells: Mapping[str, str]) -> FormField:
    described = schema if isinstance(schema, dict) else {}
    kind, choices = described.get("type"), choices_of(schema)
    about = str(described.get("description", ""))
    if isinstance(value, str) and (value or choices or kind in (None, "string")):
        return FormField(f"={heading}", name, value, choices, about)
    listed = described.get("enum") or ([True, False] if kind == "boolean" else ())
    kinds = " or ".join(kind) if isinstance(kind, list) else kind or "data"
    return FormField(heading, name, cells.get(heading, ""), [as_json(item) for item in listed], about or kinds)


def _content(name: str, text: str, found: Diagnostics) -> str:
    """Return the content of the cell that stands for a field."""
    text = lf(text)
    if not text.strip() or text == '""':
        return text  # An empty field is absent, and an empty text is written as in a sheet.
    if name.startswith("="):
        return as_json(text.strip() if name.startswith(("=case", "=check")) else text)
    if name.startswith("value") and text.lstrip().startswith(_FLOW):
        document = parse(Source(name, text), inside := Diagnostics())
        for item in inside:
            found.add(item.code, item.message, Location(name), hint=item.hint, severity=item.severity)
        return as_json(document.value if document else text)
    return text


def _by_heading(found: Diagnostics) -> dict[str, list[Diagnostic]]:
    problems: dict[str, list[Diagnostic]] = {}
    for item in dict.fromkeys(found):
        missing = MISSING_VARIABLE.search(item.message)
        here = replace(item, hint='write it here; "" is an empty text') if missing else item
        problems.setdefault(f"vars.{missing[1]}" if missing else item.location.path, []).append(here)
    return problems
