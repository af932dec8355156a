"""A project: its settings, its prompt store, its run record, and its suites."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from promptbench.core.errors import Code, Diagnostic, Diagnostics, InputError, Location, NothingSelected, suggest
from promptbench.core.plugins import module_name
from promptbench.core.protocols import ProviderContext
from promptbench.core.secrets import Secrets, variables
from promptbench.core.words import number_of
from promptbench.engine.prepare.options import (
    ComparedVersions,
    PrepareOptions,
    Selection as Selection,  # noqa: PLC0414 - public here
    StoredPrompt,
    display_path,
)
from promptbench.settings.settings import Settings, load as load_settings

# Most commands need few of these, and a command should start at once.
if TYPE_CHECKING:
    from promptbench.core.types import Json, LoggedCall
    from promptbench.engine.prepare.prepared_suite import PreparedSuite
    from promptbench.engine.prepare.repair_rules import RepairRule
    from promptbench.engine.shards import Shard
    from promptbench.parsing.ladder import Ladder
    from promptbench.prompts.prompt import Prompt
    from promptbench.redaction.redactor import Redactor
    from promptbench.store.prompts import Store
    from promptbench.store.runs import RunStore
    from promptbench.suite.models import Suite

SUITE_FILE = "suite.yaml"
PRODUCTION = "production"
# Next to a suite, and committed with it: how long its cases take, so that shards take equally long.
DURATIONS = "durations.json"


def stored_prompt(source: str) -> Prompt:
    """Return the prompt or chain in a text of the store. Raise InputError if it is invalid."""
    from promptbench.prompts.chain import parse_version
    from promptbench.yaml.source import Source

    found = Diagnostics()
    prompt = parse_version(Source("stored.prompt", source), found)
    if prompt is None:
        raise InputError("this is not a valid prompt", diagnostics=found)
    return prompt


def version_of(source: str) -> tuple[str, Json]:
    """Return the version hash and the content of a stored text. Raise InputError if it is invalid."""
    prompt = stored_prompt(source)
    return prompt.hash, prompt.content


def input_error(found: Diagnostics) -> InputError:
    """Return the error to raise for diagnostics with errors: their number, and all of them."""
    return InputError(number_of(len(set(found.errors)), "error"), diagnostics=found)


def rejudge(evidence: Json) -> list[str]:
    """Return how the verdict over the evidence's attempts differs from the recorded one, as `gate.evidence` does."""
    # Needed only for what the text mirror brings, so that `get` does not pay for the import.
    from promptbench.gate.evidence import rejudge

    return rejudge(evidence)


class Project:
    """A folder with settings, suites, a prompt store and a record of runs."""

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
        """Open the project at or above a folder.

        Args:
            start: the folder; by default the current one.
            environ: the environment variables; by default those of the process.
            flags: settings that override all others.

        Raises:
            InputError: if the settings are invalid.
        """
        environ = os.environ if environ is None else environ
        settings = load_settings(start or Path.cwd(), environ, flags)
        environ = {**environ, **settings.dotenv}
        Secrets(environ, variables(settings.values.providers)).remember()
        return cls(settings, environ)

    @cached_property
    def secrets(self) -> Secrets:
        """What is never written: the secrets of environment and settings, and personal data if the project says so."""
        redact = self.redactor().redact_text if self.settings.values.redact_runs else str
        return Secrets(self.environ, variables(self.settings.values.providers), redact)

    def redactor(self, *, keep_key: bool = True) -> Redactor:
        """Return what replaces personal data in this project, as `load_redactor` does."""
        from promptbench.redaction.project_key import load_redactor

        return load_redactor(self.settings.state, self.settings.values.redact, keep_key=keep_key)

    @cached_property
    def repair_rules(self) -> tuple[RepairRule, ...]:
        """The project's own repair rules, advisory ones included, safe ones first.

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
        """The ladder on which answers are read: the built-in one and the project's repair rules that are active."""
        from promptbench.parsing.ladder import Ladder

        return Ladder(tuple(rule.as_rule() for rule in self.repair_rules if rule.advisory is None))

    def provider_context(self, provider: str) -> ProviderContext:
        """Return what a provider knows of the project outside of any suite."""
        return ProviderContext(
            root=self.settings.root,
            folder=self.settings.root,
            environ=self.environ,
            options=self.settings.values.providers.get(module_name(provider), {}),
            may_receive_key=self.settings.may_receive_key,
        )

    def prompts(self) -> Store:
        """Open the prompt store; the caller closes it."""
        from promptbench.store.prompts import Store

        return Store.open(self.settings.store, hash_of=version_of, rejudge=rejudge)

    def runs(self) -> RunStore:
        """Open the run record; the caller closes it."""
        from promptbench.store.runs import RunStore

        return RunStore(self.settings.state)

    @contextmanager
    def recordings(self) -> Iterator[RunStore | None]:
        """Open the run record for reading. Yield None if there is none, because reading must not create it."""
        from promptbench.store.runs import FILE_NAME

        if not (self.settings.state / FILE_NAME).is_file():
            yield None
            return
        with self.runs() as runs:
            yield runs

    @contextmanager
    def recorded(self) -> Iterator[RunStore]:
        """Open the run record. Raise InputError if there is none."""
        with self.recordings() as runs:
            if runs is None:
                raise InputError("no runs yet", hint="`promptbench run` makes one")
            yield runs

    def shown(self, path: Path) -> str:
        """Return a path as it is printed: relative to the project's root, with forward slashes."""
        return display_path(path, self.settings.root)

    def suite_files(self, paths: Iterable[Path]) -> list[Path]:
        """Return the suite files in files and folders; all below `suites/` if none is named.

        Raise InputError for a folder without a suite and for a path that is not found, NothingSelected if the project
        has no suite.
        """
        files: list[Path] = []
        everywhere = (self.settings.root / "suites").glob(f"**/{SUITE_FILE}")
        for path in paths:
            below = sorted(path.glob(f"**/{SUITE_FILE}")) if path.is_dir() else [path] if path.exists() else []
            if not below:
                known = [self.shown(file.parent) for file in sorted(everywhere)]
                hint = suggest(self.shown(path), known, f"suites here: {', '.join(known) or 'none'}")
                what = f"no {SUITE_FILE} found in this folder" if path.is_dir() else "file not found"
                raise InputError(
                    "1 error", diagnostics=[Diagnostic(Code.FILE_NOT_FOUND, what, Location(self.shown(path)), hint)]
                )
            files += below
        files = files or sorted(everywhere)
        if not files:
            raise NothingSelected(
                f"no suite found below {self.shown(self.settings.root / 'suites')}/",
                hint="`promptbench init` writes one that runs",
            )
        return list(dict.fromkeys(files))

    def suites(self, known: Collection[Path] = ()) -> Iterator[Suite]:
        """Yield the suites below `suites/`, without those that cannot be read or are in the `known`, resolved files."""
        from promptbench.suite.loader import load as load_suite

        for file in sorted((self.settings.root / "suites").glob(f"**/{SUITE_FILE}")):
            if file.resolve() not in known and (suite := load_suite(file, self.shown(file), Diagnostics())):
                yield suite

    def suite_file(self, path: Path) -> Path:
        """Return the only suite in a file or folder. Raise InputError if there is none, or several."""
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
        compared: ComparedVersions | None = None,
        calls: Sequence[LoggedCall] | None = None,
        without_keys: bool = False,
    ) -> tuple[list[PreparedSuite], Diagnostics]:
        """Return the selected suites, joined with their prompts, models and logs, and the warnings.

        Args:
            selection: the suites, and the part of each.
            store: the prompt store.
            runs: the run record, if there is one.
            champion: a version to use instead of the one in production, for example that of an earlier run.
            compared: versions to use instead of the suite's candidates and the one in production.
            calls: logged calls to use instead of the suite's cases.
            without_keys: True if a missing API key is not an error; the suites list the models without one.

        Raises:
            InputError: with every diagnostic, if one of them is an error.
            NothingSelected: if no case is selected.
        """
        from promptbench.engine.prepare.assemble import assemble
        from promptbench.suite.loader import load as load_suite

        found = Diagnostics()
        for rule in self.repair_rules:
            rule.warn_if_advisory(found)
        options = replace(
            self.prepare_options(selection, store, runs),
            calls=None if calls is None else tuple(calls),
            compared=compared,
            without_keys=without_keys,
        )
        if champion is not None:
            options = replace(options, champion=lambda _: champion)
        prepared_suites: list[PreparedSuite] = []
        first: dict[str, Location] = {}
        for file in self.suite_files(selection.paths):
            suite = load_suite(file, self.shown(file), found)
            prepared = assemble(suite, options, found) if suite else None
            if prepared is None:
                continue
            location = prepared.suite.document.location(("suite",))
            other = first.setdefault(prepared.suite.name, location)
            if other is not location:
                message = f"two suites are named '{prepared.suite.name}': {other.path} and {location.path}"
                found.add(Code.DUPLICATE_NAME, message, location, hint="rename one of them", related=other)
            if prepared.cases:
                prepared_suites.append(prepared)
        if found.errors:
            raise input_error(found)
        if selection.shard is not None:
            prepared_suites = [_part_of(prepared, selection.shard) for prepared in prepared_suites]
        if not prepared_suites:
            hint = "check --case, --tag, and the `skip:` of the cases"
            raise NothingSelected("no case is selected", hint=hint, diagnostics=found)
        return prepared_suites, found

    def prepare_options(self, selection: Selection, store: Store, runs: RunStore | None) -> PrepareOptions:
        """Return what a suite is joined with."""

        def champion(prompt: str) -> StoredPrompt | None:
            if prompt not in store.prompts() or PRODUCTION not in store.labels(prompt):
                return None
            version = store.get(f"{prompt}@{PRODUCTION}")
            return StoredPrompt(f"{prompt}@{version.number}", version.source)

        return PrepareOptions(
            root=self.settings.root,
            environ=self.environ,
            may_receive_key=self.settings.may_receive_key,
            allowed_code=tuple(self.settings.values.python),
            provider_options=self.settings.values.providers,
            champion=champion,
            recordings=runs,
            ladder=self.ladder,
            selection=selection,
            max_file_mb=self.settings.values.max_file_mb,
        )


def _part_of(prepared: PreparedSuite, shard: Shard) -> PreparedSuite:
    path = prepared.suite.folder / DURATIONS
    try:
        known = json.loads(path.read_text(encoding="utf-8-sig"))["cases"] if path.is_file() else {}
        durations = {str(name): round(taken) for name, taken in known.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        hint = f"`promptbench runs durations {prepared.suite.folder.name}` writes it anew; or delete it"
        raise InputError(f"{path} does not hold the durations of cases", hint=hint) from None
    return replace(prepared, cases=prepared.cases.only(shard.cases(prepared.cases.names, durations)), shard=shard)
