"""Add a case to a suite: what it needs, how it looks in the file, how its checks judge an answer, and writing it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError
from promptbench.core.types import Json, Rung
from promptbench.engine.prepare.cases import CaseBuilder
from promptbench.engine.prepare.evaluate import Evaluation
from promptbench.engine.prepare.options import PrepareOptions, Selection
from promptbench.engine.prepare.prepared_suite import PreparedCase
from promptbench.parsing.json_text import read as read_json
from promptbench.project import Project, input_error
from promptbench.prompts.prompt import Prompt, Template
from promptbench.suite.cases import read_case
from promptbench.suite.editor import Change, edit_cases, write_whole
from promptbench.suite.models import Where
from promptbench.text.templates import Tag
from promptbench.workflows.logs.capture import load_valid_suite
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source
from promptbench.yaml.text import item_lines, mapping_lines

_MOST_WORDS, _LONGEST_NAME = 5, 40


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the answer, from the prompt's output schema. `choices` are its possible values, if they are listed."""

    name: str
    is_text: bool
    choices: tuple[str, ...] = ()

    def read(self, written: str) -> Json:
        """Return user input as a value of the field. Raise ValueError if it is not one of the choices."""
        if self.choices and written not in self.choices:
            raise ValueError(f"it can only be one of {', '.join(self.choices)}")
        return written if self.is_text else as_data(written)


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

    @property
    def data(self) -> dict[str, Json]:
        """Return the case as data, in reading order."""
        checks = [*([{"not contains": one_or_all(self.never)}] if self.never else []), *self.checks]
        data: dict[str, Json] = {"case": self.name}
        if self.variables:
            data["vars"] = dict(self.variables)
        if self.was is not None:
            data["was"] = self.was
        if self.expect:
            data["expect"] = self.expect[0]
        if checks:
            data["checks"] = checks
        if self.tags:
            data["tags"] = list(self.tags)
        return data


class CaseAuthor:
    """Adds a case to one suite. Raises InputError if the suite is invalid."""

    def __init__(self, project: Project, path: Path | None) -> None:
        self._file = _only_suite(project, path)
        self.shown = project.shown(self._file)
        self.folder = project.shown(self._file.parent)
        self._project = project
        with project.prompts() as store, project.recordings() as runs:
            self._options = project.prepare_options(Selection(), store, runs)
            self._suite, self._prompts = load_valid_suite(self._file, self.shown, self._options)
        cases = list(self._suite.cases.scan(Diagnostics()))
        self._names = {case.name for case in cases}
        self._inputs = {json.dumps(case.variables, sort_keys=True): case.name for case in cases}

    @property
    def variables(self) -> Sequence[str]:
        """Return the names for which a case needs a value, in the order of the prompt."""
        prompt = self._prompts[0].prompt
        needed = {name for item in self._prompts for name in item.prompt.missing({})}
        return [name for name in dict.fromkeys([*_in_order(prompt), *sorted(needed)]) if name in needed]

    @property
    def fields(self) -> Sequence[Field]:
        """Return the fields of the answer; none if it is a text, or has no schema."""
        schema = self._prompts[0].prompt.output_schema or {}
        properties = schema.get("properties")
        return [_field(name, item) for name, item in properties.items()] if isinstance(properties, Mapping) else []

    @property
    def has_checks(self) -> bool:
        """Return whether the suite has checks of its own."""
        return bool(self._suite.checks)

    def check_name(self, name: str) -> None:
        """Raise InputError, suggesting a free name, if a case has that name."""
        if name in self._names:
            raise InputError(f"the case '{name}' already exists", hint=f"'{self._free(name)}' is free")

    def suggested_name(self, variables: Mapping[str, str]) -> str:
        """Return a free name from the first words of the longest value."""
        words = re.findall(r"[\w'-]+", max(variables.values(), key=len, default=""))[:_MOST_WORDS]
        return self._free(" ".join(words)[:_LONGEST_NAME].strip() or "new case")

    def _free(self, wanted: str) -> str:
        names = (wanted if count == 1 else f"{wanted} ({count})" for count in itertools.count(1))
        return next(name for name in names if name not in self._names)

    def same_input(self, draft: Draft) -> str | None:
        """Return the name of the case with the same input, if there is one."""
        return self._inputs.get(json.dumps(dict(draft.variables), sort_keys=True))

    def text(self, draft: Draft) -> str:
        """Return the case as it will be written. Raise InputError for a text that YAML cannot hold."""
        try:
            return "".join(f"{line}\n" for line in item_lines(draft.data, 2))
        except ValueError as error:
            raise InputError(f"this cannot be written to a file: {error}") from None

    def tried(self, draft: Draft, answer: str) -> Evaluation:
        """Return the scores of an answer by all checks of the case. Raise InputError if the case is invalid."""
        builder, built = self._built(draft)
        return builder.evaluation(answer, built)

    def check(self, draft: Draft) -> None:
        """Raise InputError with all problems of the case."""
        self.check_name(draft.name)
        self._built(draft)

    def _built(self, draft: Draft) -> tuple[CaseBuilder, PreparedCase]:
        found = Diagnostics()
        self.text(draft)
        document = parse(Source("the new case", "\n".join(mapping_lines(draft.data, 0)) + "\n"), found)
        case = read_case(document.value, Where(document), found) if document else None
        builder = CaseBuilder(self._suite, self._prompts, found, self._options)
        built = builder.build(case) if case else None
        if built is None or found.errors:
            raise input_error(found)
        return builder, built

    def add(self, draft: Draft) -> None:
        """Add the case after the others; nothing else in the file changes. Raise InputError if that is not possible."""
        self.check(draft)
        after = edit_cases(self._file.read_bytes(), self.shown, {}, [Change(draft.data)])
        # Load the new file as any command would; if it is invalid, the old one stays.
        with self._prepare_options() as around:
            write_whole(self._file, after, lambda new: load_valid_suite(new, self.shown, around))

    @contextmanager
    def _prepare_options(self) -> Iterator[PrepareOptions]:
        with self._project.prompts() as store, self._project.recordings() as runs:
            yield self._project.prepare_options(Selection(), store, runs)


def _only_suite(project: Project, path: Path | None) -> Path:
    files = project.suite_files([path] if path else [])
    if len(files) > 1:
        names = ", ".join(project.shown(file.parent) for file in files)
        raise InputError("there are several suites", hint=f"name one of them: {names}")
    return files[0]


def _in_order(prompt: Prompt) -> list[str]:
    parts = [part for item in prompt.messages if isinstance(item, Template) for part in item.parts]
    return [part.body for part in parts if isinstance(part, Tag)]


def _field(name: str, schema: Json) -> Field:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    choices = schema.get("enum") if isinstance(schema, Mapping) else None
    texts = isinstance(choices, list) and all(isinstance(choice, str) for choice in choices)
    return Field(name, texts or kind == "string", tuple(choices) if isinstance(choices, list) and texts else ())


def as_data(written: str) -> Json:
    """Return user input as data if it is JSON, such as 12, true or a list, else as text."""
    reading = read_json(written)
    return reading.value if reading.rung is Rung.RAW else written


def one_or_all(texts: Sequence[str]) -> Json:
    """Return a single text alone, several as a list."""
    return texts[0] if len(texts) == 1 else list(texts)
