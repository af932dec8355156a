"""The options that prepare a suite: what the user selected, and the project around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from promptbench.core.subset import EVERYTHING, Subset

if TYPE_CHECKING:
    from promptbench.core.protocols import Recordings
    from promptbench.core.types import Json, LoggedCall
    from promptbench.engine.prepare.prepared_suite import PreparedCase
    from promptbench.engine.shards import Shard
    from promptbench.parsing.ladder import Ladder


@dataclass(frozen=True)
class Selection:
    """What the user selected. Empty fields mean everything, or what the suite says."""

    paths: tuple[Path, ...] = ()
    prompts: tuple[Path, ...] = ()
    models: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()  # Patterns of names; `*` stands for any text.
    tags: tuple[str, ...] = ()
    shard: Shard | None = None
    changed: bool = False  # Only suites that a change affects, by git.
    # The commit or branch to compare with; by default the branch that this one will be merged into.
    since: str | None = None
    subset: Subset = EVERYTHING  # Of the cases that names and tags select.

    def selects(self, case: PreparedCase) -> bool:
        """Return True if the name of a case matches a pattern and it has one of the tags."""
        by_name = not self.cases or any(fnmatchcase(case.name, pattern) for pattern in self.cases)
        return by_name and (not self.tags or bool({*self.tags} & {*case.tags}))

    @property
    def flags(self) -> dict[str, list[str]]:
        """What the user selected of a suite besides prompts, by option, as a run records it."""
        named = {"model": self.models, "case": self.cases, "tag": self.tags}
        return {flag: list(values) for flag, values in named.items()} | self.subset.flags


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    """A prompt version from the store: its label, such as `triage@3`, and its text."""

    label: str
    source: str


@dataclass(frozen=True, slots=True)
class ComparedVersions:
    """Versions of a prompt to compare with one of it; without a champion if one is compared on several models."""

    prompt: str
    champion: StoredPrompt | None
    candidates: tuple[StoredPrompt, ...]


@dataclass(frozen=True, slots=True)
class PrepareOptions:
    """What is needed to prepare a suite besides the suite itself."""

    root: Path
    environ: Mapping[str, str]
    allowed_code: Sequence[str]  # Globs of Python files that may be executed.
    provider_options: Mapping[str, Mapping[str, Json]]
    champion: Callable[[str], StoredPrompt | None]  # Returns what is in production for the name of a prompt.
    ladder: Ladder
    recordings: Recordings | None = None
    selection: Selection = field(default_factory=Selection)
    calls: tuple[LoggedCall, ...] | None = None  # Replaces the logs of the suite; then only their cases are selected.
    compared: ComparedVersions | None = None  # Replaces the suite's candidates and what is in production.
    may_receive_key: Callable[[str, str], bool] = lambda url, variable: True  # As `ProviderContext` has it.
    max_file_mb: float = 20  # The largest image or PDF of a case, in MB.
    without_keys: bool = False  # If True, a missing API key is a warning, and the model stays but cannot be called.

    @property
    def partial(self) -> bool:
        """True if only some of the cases are selected."""
        selected = self.selection
        return bool(selected.cases or selected.tags or selected.subset) or self.calls is not None


def display_path(path: Path, root: Path) -> str:
    """Return a path as messages show it: relative to the project's root, with forward slashes."""
    try:
        return path.resolve().relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()
