"""Check the installation, the settings, the stores and the models."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from promptbench import __version__
from promptbench.core.errors import PromptbenchError
from promptbench.project import Project
from promptbench.providers import plugins as providers
from promptbench.providers import provider_spec
from promptbench.settings.settings import find_project, user_file

_FOREIGN = ("promptbench", "promptbench-cli")
_BACKPORTED = ((3, 44, 6), (3, 50, 7))


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """The result of one check."""

    what: str
    value: str
    good: bool = True
    hint: str | None = None


def doctor(project: Project) -> list[HealthCheck]:
    """Run all checks."""
    return [*_installation(), *_settings(project), *_stores(project), *_models(project)]


def _installation() -> Iterator[HealthCheck]:
    yield HealthCheck("promptbench", f"{__version__} on Python {sys.version.split()[0]}, {sys.platform}")
    for name in _FOREIGN:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        yield HealthCheck(
            "another package",
            f"{name} {version} uses the same import name",
            False,
            f"pip uninstall {name}; then reinstall",
        )
    here = sqlite3.sqlite_version_info
    fixed = here >= (3, 51, 3) or any(here[:2] == good[:2] and here >= good for good in _BACKPORTED)
    note = "" if fixed else " (has a rare bug in WAL mode, which the prompt store does not use)"
    yield HealthCheck("SQLite", sqlite3.sqlite_version + note)


def _settings(project: Project) -> Iterator[HealthCheck]:
    settings = project.settings
    found = find_project(settings.root)
    yield HealthCheck("project", str(found or f"{settings.root} (no settings file)"))
    own = user_file(project.environ)
    if own is not None and own.is_file():
        yield HealthCheck("user's settings", str(own))
    for name in type(settings.values).model_fields:
        value = getattr(settings.values, name)
        if name != "providers" or value:
            yield HealthCheck(f"  {name.replace('_', '-')}", f"{value!r} ({settings.origin.get(name, 'default')})")


def _stores(project: Project) -> Iterator[HealthCheck]:
    try:
        with project.prompts() as store:
            findings = store.verify()
            count = len(store.prompts())
    except PromptbenchError as error:
        yield HealthCheck("prompt store", error.message, False, error.hint)
    else:
        if findings:
            yield HealthCheck("prompt store", f"{len(findings)} findings", False, "promptbench store verify")
        else:
            yield HealthCheck("prompt store", f"{project.settings.store}, {count} prompts, valid")
    try:
        with project.runs() as runs:
            yield HealthCheck("run record", str(runs.path))
    except PromptbenchError as error:
        yield HealthCheck("run record", error.message, False, error.hint)


def _models(project: Project) -> Iterator[HealthCheck]:
    yield HealthCheck("providers", ", ".join(providers.names()))
    required = {name: requires for name in providers.names() if (requires := provider_spec(name).requires)}
    for name, (package, install) in required.items():
        try:
            yield HealthCheck(package, metadata.version(package))
        except metadata.PackageNotFoundError:
            yield HealthCheck(package, f"not installed; {name} models need it: {install}")
