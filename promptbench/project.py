"""A project: its settings, its two stores and its suites."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from promptbench.core.diagnostics import Code, Diagnostics, Location
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.secrets import Secrets, variables
from promptbench.core.types import Json, LoggedCall
from promptbench.core.words import number_of
from promptbench.engine.prepare.options import (
    ComparedVersions,
    PrepareOptions,
    Selection,
    StoredPrompt,
    display_path,
)
from promptbench.prompts.parser import parse_prompt
from promptbench.prompts.prompt import Prompt
from promptbench.settings.settings import Settings
from promptbench.settings.settings import load as load_settings
from promptbench.store.prompts import Store
from promptbench.yaml.source import Source

# `promptbench get` needs neither suites nor runs, which take long to import.
if TYPE_CHECKING:
    from promptbench.engine.prepare.prepared_suite import PreparedSuite
    from promptbench.engine.prepare.repair_rules import RepairRule
    from promptbench.engine.shards import Shard
    from promptbench.parsing.ladder import Ladder
    from promptbench.store.runs import RunStore

SUITE_FILE = "suite.yaml"
PRODUCTION = "production"


def stored_prompt(source: str) -> Prompt:
    """Parse a prompt from the store. Raise InputError if it is invalid."""
    found = Diagnostics()
    prompt = parse_prompt(Source("stored.prompt", source), found)
    if prompt is None:
        raise InputError("not a valid prompt", diagnostics=found)
    return prompt


# Committed next to a suite: the durations of its cases, so that shards take equally long.
DURATIONS = "durations.json"


def part_of(prepared: PreparedSuite, shard: Shard) -> PreparedSuite:
    """Return one shard of a suite. Raise InputError if the file with the durations is invalid."""
    path = prepared.suite.folder / DURATIONS
    try:
        known = json.loads(path.read_text(encoding="utf-8-sig"))["cases"] if path.is_file() else {}
        durations = {str(name): round(taken) for name, taken in known.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        hint = f"`promptbench runs durations {prepared.suite.folder.name}` rewrites it; or delete it"
        raise InputError(f"{path} is not a valid file of durations", hint=hint) from None
    return replace(prepared, cases=prepared.cases.only(shard.cases(prepared.cases.names, durations)), shard=str(shard))


def version_of(source: str) -> tuple[str, Json]:
    """Return the version hash and the content of a prompt. Raise InputError if it is invalid."""
    prompt = stored_prompt(source)
    return prompt.hash, prompt.content


class Project:
    """A project as one command uses it."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self.settings = settings
        self.environ = environ

    @classmethod
    def open(
        cls,
        start: Path | None = None,
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, Json] | None = None,
    ) -> Project:
        """Open the project at or above `start`. Raise InputError if its settings are invalid."""
        environ = os.environ if environ is None else environ
        return cls(load_settings(start or Path.cwd(), environ, flags), environ)

    @property
    def secrets(self) -> Secrets:
        """The secrets of the environment, including variables that only the settings name. They are never written."""
        return Secrets(self.environ, variables(self.settings.values.providers))

    @cached_property
    def repair_rules(self) -> tuple[RepairRule, ...]:
        """The team's own repair rules, advisory ones included, safe ones first.

        Raises:
            InputError: if a rule is broken, with every diagnostic.
        """
        from promptbench.engine.prepare.repair_rules import load_rules

        found = Diagnostics()
        listed = Location(self.settings.origin.get("repairs", "the settings"))
        rules = load_rules(self.settings.root, self.settings.values.repairs, listed, found)
        if found.errors:
            raise input_error(found)
        return rules

    @cached_property
    def ladder(self) -> Ladder:
        """The ladder that answers are read on: the built-in one and the repair rules that count."""
        from promptbench.parsing.ladder import Ladder

        return Ladder(tuple(rule.as_rule() for rule in self.repair_rules if rule.advisory is None))

    def prompts(self) -> Store:
        """Open the prompt store; the caller closes it."""
        return Store.open(self.settings.store, hash_of=version_of)

    def runs(self) -> RunStore:
        """Open the run record; the caller closes it."""
        from promptbench.store.runs import RunStore

        return RunStore(self.settings.state)

    @contextmanager
    def recordings(self) -> Iterator[RunStore | None]:
        """Open the run record for reading, or yield None if there is none: reading must not create files."""
        from promptbench.store.runs import FILE_NAME

        if not (self.settings.state / FILE_NAME).is_file():
            yield None
            return
        with self.runs() as runs:
            yield runs

    def shown(self, path: Path) -> str:
        """Return a path as messages show it: relative to the project's root, with forward slashes."""
        return display_path(path, self.settings.root)

    def suite_files(self, paths: Iterable[Path]) -> list[Path]:
        """Return the suite files in the given files and folders; without any, all below `suites/`.

        Raises:
            InputError: A folder has no suite.
            NothingSelected: The project has no suite.
        """
        named = list(paths)
        if not named:
            found = sorted((self.settings.root / "suites").glob(f"**/{SUITE_FILE}"))
            if not found:
                raise NothingSelected(
                    f"no suite found below {self.shown(self.settings.root / 'suites')}/",
                    hint="`promptbench init` writes one that runs",
                )
            return found
        files: list[Path] = []
        for path in named:
            below = sorted(path.glob(f"**/{SUITE_FILE}")) if path.is_dir() else [path]
            if not below:
                raise InputError(f"no {SUITE_FILE} found in {self.shown(path)}")
            files += below
        return list(dict.fromkeys(files))

    def suite_file(self, path: Path) -> Path:
        """Return the only suite file in a file or folder. Raise InputError if there is none, or several."""
        file, *others = self.suite_files([path])
        if others:
            raise InputError(f"there are several suites in {self.shown(path)}", hint="name one of them")
        return file

    def assemble(
        self,
        selection: Selection,
        *,
        store: Store,
        runs: RunStore | None,
        champion: StoredPrompt | None = None,
        calls: Sequence[LoggedCall] | None = None,
        compared: ComparedVersions | None = None,
        without_keys: bool = False,
    ) -> tuple[list[PreparedSuite], Diagnostics]:
        """Prepare the selected suites, and return them with their warnings.

        Args:
            champion: Replaces what is in production, to judge an earlier run again.
            calls: Logged calls that replace the suites' cases, to replay them.
            compared: Replaces the candidates and what is in production.
            without_keys: Accept missing API keys. `PreparedSuite.absent` names the models that cannot be called.

        Raises:
            InputError: A suite has errors; it holds every diagnostic.
            NothingSelected: No case is selected.
        """
        from promptbench.engine.prepare.assemble import assemble
        from promptbench.suite.loader import load as load_suite

        found = Diagnostics()
        for rule in self.repair_rules:
            rule.warn_if_advisory(found)
        prepared_suites = []
        options = replace(
            self.prepare_options(selection, store, runs),
            calls=None if calls is None else tuple(calls),
            compared=compared,
            without_keys=without_keys,
        )
        if champion is not None:
            options = replace(options, champion=lambda _: champion)
        for file in self.suite_files(selection.paths):
            suite = load_suite(file, self.shown(file), found)
            prepared = assemble(suite, options, found) if suite else None
            if prepared is not None:
                prepared_suites.append(prepared)
        _report_duplicate_names(prepared_suites, found)
        if found.errors:
            raise input_error(found)
        prepared_suites = [prepared for prepared in prepared_suites if prepared.cases]
        if selection.shard is not None:
            prepared_suites = [part_of(prepared, selection.shard) for prepared in prepared_suites]
        if not prepared_suites:
            raise NothingSelected("no case is selected", hint="check the names and tags given with --case and --tag")
        return prepared_suites, found

    def prepare_options(self, selection: Selection, store: Store, runs: RunStore | None) -> PrepareOptions:
        """Return the options to prepare suites of this project."""

        def champion(prompt: str) -> StoredPrompt | None:
            if prompt not in store.prompts() or PRODUCTION not in store.labels(prompt):
                return None
            version = store.get(f"{prompt}@{PRODUCTION}")
            return StoredPrompt(f"{prompt}@{version.number}", version.source)

        return PrepareOptions(
            root=self.settings.root,
            environ=self.environ,
            allowed_code=tuple(self.settings.values.python),
            provider_options=self.settings.values.providers,
            champion=champion,
            recordings=runs,
            ladder=self.ladder,
            selection=selection,
        )


def input_error(found: Diagnostics) -> InputError:
    """Return an error that holds everything found."""
    count = len(set(found.errors))
    return InputError(number_of(count, "error"), diagnostics=found)


def _report_duplicate_names(prepared_suites: Sequence[PreparedSuite], found: Diagnostics) -> None:
    first: dict[str, Location] = {}
    for prepared in prepared_suites:
        location = prepared.suite.document.location(("suite",))
        if prepared.suite.name in first:
            there = first[prepared.suite.name]
            found.add(
                Code.DUPLICATE_NAME,
                f"two suites are named '{prepared.suite.name}': {there.path} and {location.path}",
                location,
                hint="give each a name of its own",
                related=there,
            )
        first.setdefault(prepared.suite.name, location)
