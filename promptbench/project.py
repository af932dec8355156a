"""Where a command works: the settings, the two stores, and the suites that are meant."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from promptbench.core.diagnostics import Code, Diagnostics, Location
from promptbench.core.errors import InputError, NothingSelected
from promptbench.core.secrets import Secrets, variables
from promptbench.core.types import Json, LoggedCall
from promptbench.core.words import number_of
from promptbench.prompts.parser import parse_prompt
from promptbench.prompts.prompt import Prompt
from promptbench.settings.settings import Settings
from promptbench.settings.settings import load as load_settings
from promptbench.store.prompts import Store
from promptbench.yaml.source import Source

# Suites and runs are much to import, and `get` wants neither.
if TYPE_CHECKING:
    from promptbench.engine.prepare.assemble import Stored, Surroundings
    from promptbench.engine.prepare.prepared_suite import PreparedSuite
    from promptbench.engine.prepare.repair_rules import RepairRule
    from promptbench.engine.shards import Shard
    from promptbench.parsing.ladder import Ladder
    from promptbench.store.runs import RunStore

SUITE_FILE = "suite.yaml"
PRODUCTION = "production"


def stored_prompt(source: str) -> Prompt:
    """The prompt in a text of the store. Raises InputError when it is no prompt."""
    found = Diagnostics()
    prompt = parse_prompt(Source("stored.prompt", source), found)
    if prompt is None:
        raise InputError("this is no prompt", diagnostics=found)
    return prompt


DURATIONS = "durations.json"  # Beside a suite, and committed with it: how long its cases take, so that shards are even.


def part_of(prepared: PreparedSuite, shard: Shard) -> PreparedSuite:
    """One shard's part of a bench. Raises InputError when the file with the durations is none."""
    path = prepared.suite.folder / DURATIONS
    try:
        known = json.loads(path.read_text(encoding="utf-8-sig"))["cases"] if path.is_file() else {}
        durations = {str(name): round(taken) for name, taken in known.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        hint = f"`promptbench runs durations {prepared.suite.folder.name}` writes it anew; or delete it"
        raise InputError(f"{path} does not hold the durations of cases", hint=hint) from None
    return replace(prepared, cases=prepared.cases.only(shard.cases(prepared.cases.names, durations)), shard=str(shard))


def version_of(source: str) -> tuple[str, Json]:
    """The version hash and content of a prompt's text. Raises InputError when it is no prompt."""
    prompt = stored_prompt(source)
    return prompt.hash, prompt.content


def rejudge(evidence: Json) -> list[str]:
    """Return how the verdict over the evidence's attempts differs from the recorded one, as `gate.evidence` does."""
    # Needed only for what the text mirror brings, so that `get` does not pay for the import.
    from promptbench.gate.evidence import rejudge

    return rejudge(evidence)


@dataclass(frozen=True)
class Selection:
    """What a command is asked to look at. Empty means all, or what the suite says."""

    paths: tuple[Path, ...] = ()
    prompts: tuple[Path, ...] = ()
    models: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    shard: Shard | None = None
    changed: bool = False  # Only suites that a change concerns, by git.
    # The commit that changes are counted from, or a branch that this one left; by default that of the merge.
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """The versions of a prompt that are compared; one alone where that is done on several models."""

    prompt: str
    champion: Stored | None
    candidate: Stored


class Project:
    """One project as one command sees it."""

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
        """The workspace at or above `start`. Raises InputError when the settings are wrong."""
        environ = os.environ if environ is None else environ
        return cls(load_settings(start or Path.cwd(), environ, flags), environ)

    @property
    def secrets(self) -> Secrets:
        """What is never written: the environment's secrets, those of variables that only the settings name included."""
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
            raise mistakes(found)
        return rules

    @cached_property
    def ladder(self) -> Ladder:
        """The ladder that answers are read on: the built-in one and the repair rules that count."""
        from promptbench.parsing.ladder import Ladder

        return Ladder(tuple(rule.as_rule() for rule in self.repair_rules if rule.advisory is None))

    def prompts(self) -> Store:
        """The prompt store; the caller closes it."""
        return Store.open(self.settings.store, hash_of=version_of, rejudge=rejudge)

    def runs(self) -> RunStore:
        """The run record; the caller closes it."""
        from promptbench.store.runs import RunStore

        return RunStore(self.settings.state)

    @contextmanager
    def recordings(self) -> Iterator[RunStore | None]:
        """The run record for reading, if there is one: looking must leave nothing behind."""
        from promptbench.store.runs import FILE_NAME

        if not (self.settings.state / FILE_NAME).is_file():
            yield None
            return
        with self.runs() as runs:
            yield runs

    def shown(self, path: Path) -> str:
        """A path as people are told it: from the project's root, with forward slashes."""
        try:
            return path.resolve().relative_to(self.settings.root).as_posix()
        except ValueError:
            return path.as_posix()

    def suite_files(self, paths: Iterable[Path]) -> list[Path]:
        """The suite files meant by files and folders; all below `suites/` when none is named.

        Raises InputError for a path that is not there, NothingSelected when there is no suite at all.
        """
        named = list(paths)
        if not named:
            found = sorted((self.settings.root / "suites").glob(f"**/{SUITE_FILE}"))
            if not found:
                raise NothingSelected(
                    f"there is no suite below {self.shown(self.settings.root / 'suites')}/",
                    hint="`promptbench init` writes one that runs",
                )
            return found
        files: list[Path] = []
        for path in named:
            below = sorted(path.glob(f"**/{SUITE_FILE}")) if path.is_dir() else [path]
            if not below:
                raise InputError(f"there is no {SUITE_FILE} in {self.shown(path)}")
            files += below
        return list(dict.fromkeys(files))

    def suite_file(self, path: Path) -> Path:
        """The one suite that is meant. Raises InputError when there is none, or several."""
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
        champion: Stored | None = None,
        calls: Sequence[LoggedCall] | None = None,
        compared: Compared | None = None,
        without_keys: bool = False,
    ) -> tuple[list[PreparedSuite], Diagnostics]:
        """The benches of all suites meant, and what is to be said about them.

        `champion` stands in for what production has now, where an earlier run is looked at again; `calls` are asked
        instead of the suites' cases, where they are replayed; `compared` stand in for production and the candidates.
        With `without_keys` a missing key is no error; the benches say which models cannot be asked.

        Raises InputError with every diagnostic when one of them has an error; NothingSelected when no case is left.
        """
        from promptbench.engine.prepare.assemble import assemble
        from promptbench.suite.loader import load as load_suite

        found = Diagnostics()
        for rule in self.repair_rules:
            rule.warn_if_advisory(found)
        prepared_suites = []
        around = replace(self.surroundings(selection, store, runs), without_keys=without_keys)
        if champion is not None:
            around = replace(around, champion=lambda _: champion)
        if compared is not None:
            around = replace(
                around,
                champion=lambda _: compared.champion,
                candidate=(compared.prompt, compared.candidate),
            )
        if calls is not None:
            around = replace(around, calls=tuple(calls))
        for file in self.suite_files(selection.paths):
            suite = load_suite(file, self.shown(file), found)
            prepared = assemble(suite, around, found) if suite else None
            if prepared is not None:
                prepared_suites.append(prepared)
        _same_name_once(prepared_suites, found)
        if found.errors:
            raise mistakes(found)
        prepared_suites = [prepared for prepared in prepared_suites if prepared.cases]
        if selection.shard is not None:
            prepared_suites = [part_of(prepared, selection.shard) for prepared in prepared_suites]
        if not prepared_suites:
            raise NothingSelected("no case is selected", hint="look at the names and tags given with --case and --tag")
        return prepared_suites, found

    def surroundings(self, selection: Selection, store: Store, runs: RunStore | None) -> Surroundings:
        """What a suite is joined with."""
        from promptbench.engine.prepare.assemble import Stored, Surroundings

        def champion(prompt: str) -> Stored | None:
            if prompt not in store.prompts() or PRODUCTION not in store.labels(prompt):
                return None
            version = store.get(f"{prompt}@{PRODUCTION}")
            return Stored(f"{prompt}@{version.number}", version.source)

        return Surroundings(
            root=self.settings.root,
            environ=self.environ,
            allowed_code=tuple(self.settings.values.python),
            provider_options=self.settings.values.providers,
            champion=champion,
            recordings=runs,
            ladder=self.ladder,
            prompts=selection.prompts,
            models=selection.models,
            cases=selection.cases,
            tags=selection.tags,
        )


def mistakes(found: Diagnostics) -> InputError:
    """The error that tells all that was found."""
    count = len(set(found.errors))
    return InputError(number_of(count, "error"), diagnostics=found)


def _same_name_once(prepared_suites: Sequence[PreparedSuite], found: Diagnostics) -> None:
    first: dict[str, Location] = {}
    for prepared in prepared_suites:
        location = prepared.suite.document.location(("suite",))
        if prepared.suite.name in first:
            there = first[prepared.suite.name]
            message = f"two suites are named '{prepared.suite.name}': {there.path} and {location.path}"
            found.add(Code.DUPLICATE_NAME, message, location, hint="give each a name of its own", related=there)
        first.setdefault(prepared.suite.name, location)
