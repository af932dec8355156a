"""What `doctor` looks at."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from promptbench import __version__
from promptbench.api.workspace import Project
from promptbench.core.errors import PromptbenchError
from promptbench.providers import plugins as providers
from promptbench.settings.settings import find_project, user_file

_FOREIGN = ("promptbench", "promptbench-cli")
_BACKPORTED = ((3, 44, 6), (3, 50, 7))


@dataclass(frozen=True, slots=True)
class Health:
    """One thing that was looked at."""

    what: str
    value: str
    good: bool = True
    hint: str | None = None


def doctor(project: Project) -> list[Health]:
    """Installation, settings, stores and models."""
    return [*_installation(), *_settings(project), *_stores(project), *_models(project)]


def _installation() -> Iterator[Health]:
    yield Health("promptbench", f"{__version__} on Python {sys.version.split()[0]}, {sys.platform}")
    for name in _FOREIGN:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        yield Health(
            "another package",
            f"{name} {version} uses the same import name",
            False,
            f"pip uninstall {name}; then reinstall",
        )
    here = sqlite3.sqlite_version_info
    fixed = here >= (3, 51, 3) or any(here[:2] == good[:2] and here >= good for good in _BACKPORTED)
    note = "" if fixed else " (has a rare fault of the WAL mode, which the prompt store does not use)"
    yield Health("SQLite", sqlite3.sqlite_version + note)


def _settings(project: Project) -> Iterator[Health]:
    settings = project.settings
    settings_file = find_project(settings.root)
    yield Health("project", str(settings_file or f"{settings.root} (no settings file)"))
    own = user_file(project.environ)
    if own is not None and own.is_file():
        yield Health("user's settings", str(own))
    for name in type(settings.values).model_fields:
        value = getattr(settings.values, name)
        if name != "providers" or value:
            yield Health(f"  {name.replace('_', '-')}", f"{value!r} ({settings.origin.get(name, 'default')})")


def _stores(project: Project) -> Iterator[Health]:
    try:
        with project.prompts() as store:
            findings = store.verify()
            count = len(store.prompts())
    except PromptbenchError as error:
        yield Health("prompt store", error.message, False, error.hint)
    else:
        if findings:
            yield Health("prompt store", f"{len(findings)} findings", False, "promptbench store verify")
        else:
            yield Health("prompt store", f"{project.settings.store}, {count} prompts, sound")
    try:
        with project.runs() as runs:
            yield Health("run record", str(runs.path))
    except PromptbenchError as error:
        yield Health("run record", error.message, False, error.hint)


def _models(project: Project) -> Iterator[Health]:
    yield Health("providers", ", ".join(providers.names()))
    for package, extra in (("xllamacpp", "the local model needs it: pip install 'promptbench-gate[local]'"),):
        try:
            yield Health(package, metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Health(package, f"not installed; {extra}")
