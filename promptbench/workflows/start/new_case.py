"""Add a case to a suite: what it needs, how it looks in the file, how its checks score an answer, and writing it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError
from promptbench.core.files import recorded_names
from promptbench.core.types import Json, Rung
from promptbench.engine.prepare.evaluate import Evaluation
from promptbench.parsing.json_text import read as read_json
from promptbench.project import Project, input_error
from promptbench.suite.editor import Change, edit_cases
from promptbench.text.templates import outer_names
from promptbench.workflows.logs.capture import first_words, free_name
from promptbench.workflows.logs.valid_suite import open_valid_suite
from promptbench.yaml.text import item_lines


@dataclass(frozen=True, slots=True)
class Draft:
    """The content of a new case. `expect` is a tuple of one value, because null may be the expected answer."""

    name: str
    variables: Mapping[str, str]
    expect: tuple[Json, ...] = ()
    never: tuple[str, ...] = ()
    checks: tuple[Json, ...] = ()
    tags: tuple[str, ...] = ()
    was: str | None = None
    files: frozenset[str] = frozenset()  # The variables whose value is the path of an image or PDF.

    @property
    def data(self) -> dict[str, Json]:
        """Return the case as data, in reading order."""
        never = self.never[0] if len(self.never) == 1 else list(self.never)
        checks = [*([{"not contains": never}] if self.never else []), *self.checks]
        values = {name: value for name, value in self.variables.items() if name not in self.files}
        files = {name: recorded_names(value) or value for name, value in self.variables.items() if name in self.files}
        return {
            "case": self.name,
            **({"vars": values} if values else {}),
            **({"files": files} if files else {}),
            **({"was": self.was} if self.was is not None else {}),
            **({"expect": self.expect[0]} if self.expect else {}),
            **({"checks": checks} if checks else {}),
            **({"tags": list(self.tags)} if self.tags else {}),
        }


class CaseAuthor:
    """Adds a case to one suite. Raises InputError if the suite is invalid.

    Attributes:
        variables: the names for which a case needs a value, in the order of the prompt.
        files: those among them that are images or PDFs.
        fields: the fields of the answer with their schemas; none if the answer is a text, or has no schema.
        has_checks: True if the suite has checks for all cases.
    """

    def __init__(self, project: Project, path: Path | None) -> None:
        file, *others = project.suite_files([path] if path else [])
        if others:
            names = ", ".join(project.shown(item.parent) for item in (file, *others))
            raise InputError("there are several suites", hint=f"name one of them: {names}")
        self._project = project
        with open_valid_suite(project, file) as self._target:
            cases = list(self._target.suite.cases.scan(Diagnostics()))
        self.shown = self._target.shown
        self.folder = project.shown(file.parent)
        self.has_checks = bool(self._target.suite.checks)
        self._names = {case.name for case in cases}
        self._inputs = {json.dumps(case.variables, sort_keys=True): case.name for case in cases}
        prompt = self._target.prompts[0].prompt
        order = [name for item in prompt.templates for name in outer_names(item.parts)]
        needed = sorted({name for item in self._target.prompts for name in item.prompt.missing({})})
        self.variables = [name for name in dict.fromkeys([*order, *needed]) if name in needed]
        self.files = prompt.file_names
        fields = (prompt.output_schema or {}).get("properties")
        self.fields: Mapping[str, Json] = fields if isinstance(fields, Mapping) else {}

    def check_name(self, name: str) -> None:
        """Raise InputError, suggesting a free name, if a case has that name."""
        if name in self._names:
            raise InputError(f"the case '{name}' already exists", hint=f"'{free_name(name, self._names)}' is free")

    def suggested_name(self, variables: Mapping[str, str]) -> str:
        """Return a free name from the first words of the longest value."""
        return free_name(first_words(variables.values(), 5) or "new case", self._names)

    def same_input(self, draft: Draft) -> str | None:
        """Return the name of the case with the same input, if there is one."""
        return self._inputs.get(json.dumps(dict(draft.variables), sort_keys=True))

    def text(self, draft: Draft) -> str:
        """Return the case as it will be written.

        Raises:
            InputError: with every error in the case, or if YAML cannot hold it.
        """
        self.check_name(draft.name)
        try:
            text = "".join(f"{line}\n" for line in item_lines(draft.data, 2))
        except ValueError as error:
            raise InputError(f"this cannot be written to a file: {error}") from None
        self.evaluate(draft, "")
        return text

    def evaluate(self, draft: Draft, answer: str) -> Evaluation:
        """Return the scores of an answer by all checks of the case. Raise InputError if the case is invalid."""
        found = Diagnostics()
        builder, built = self._target.build(draft.data, found)
        if built is None or found.errors:
            raise input_error(found)
        return builder.evaluation(answer, built)

    def add(self, draft: Draft) -> None:
        """Add the case after the others; nothing else in the file changes. Raise InputError if that is not possible."""
        with open_valid_suite(self._project, self._target.file) as target:
            target.write(edit_cases(target.file.read_bytes(), target.shown, {}, [Change(draft.data)]))


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
