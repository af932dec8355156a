"""Check the installation, the settings, the stores and the models."""

import json
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from promptbench import __version__
from promptbench.core.errors import Code, PromptbenchError, suggest
from promptbench.core.types import Json, ModelRef, ProviderFailure
from promptbench.core.words import number_of
from promptbench.plugins import ServiceAddress
from promptbench.project import Project
from promptbench.providers import plugins as providers, provider_spec
from promptbench.settings.settings import DOTENV, find_project, user_file
from promptbench.workflows.judge.shutdowns import ask_provider, shutdown_warning

_FOREIGN = ("promptbench", "promptbench-cli")
_BACKPORTED = ((3, 44, 6), (3, 50, 7))


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """The result of one check."""

    what: str
    value: str
    good: bool = True
    hint: str | None = None


def doctor(project: Project, *, online: bool = False) -> list[HealthCheck]:
    """Run all checks; `online` also asks every server that has its key for the list of its models, which is free."""
    return [*_installation(), *_settings(project), *_stores(project), *_models(project, online=online)]


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
    if own is not None:
        yield HealthCheck("user's settings", f"{own}{'' if own.is_file() else ' (no such file)'}")
    if settings.dotenv:
        yield HealthCheck(DOTENV, f"sets {', '.join(settings.dotenv)}")
    for name, value in _values(settings.values.model_dump(by_alias=True)):
        top = name.partition(".")[0]
        origin = settings.origin.get(name, settings.origin.get(top, "default"))
        yield HealthCheck(f"  {top.replace('_', '-')}{name.removeprefix(top)}", f"{_shown(value)} ({origin})")


def _values(table: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, Json]]:
    """Yield the values of nested tables by their dotted names; an empty table has none."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _values(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _shown(value: Json) -> str:
    if isinstance(value, str):
        return value
    return "not set" if value in (None, []) else json.dumps(value, ensure_ascii=False, default=str)


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


def _models(project: Project, *, online: bool) -> Iterator[HealthCheck]:
    yield HealthCheck("providers", ", ".join(providers.names()))
    for name, table in project.settings.values.providers.items():
        yield from _unknown_options(name, table)
    # The suites that cannot be read are left out.
    used = list(dict.fromkeys(model.ref for suite in project.suites() for model in suite.models))
    for name in providers.names():
        spec, context = provider_spec(name), project.provider_context(name)
        if spec.requires:
            package, install = spec.requires
            try:
                yield HealthCheck(package, metadata.version(package))
            except metadata.PackageNotFoundError:
                yield HealthCheck(package, f"not installed; {name} models need it: {install}")
        for at in spec.addresses(context):
            unset = [key for key in at.keys if not project.environ.get(key, "").strip()]
            withheld = [key for key in at.keys if key not in unset and not context.may_receive_key(at.url, key)]
            sources = {key: DOTENV if key in project.settings.dotenv else "environment" for key in at.keys}
            keys = [f"{key} is {'not set' if key in unset else f'set ({sources[key]})'}" for key in at.keys]
            where = f"{at.url} ({at.source})" if at.url else "no address"
            hint = (
                f"`promptbench explain {Code.UNTRUSTED_ADDRESS}`: only the project names this host"
                if withheld
                else None
            )
            yield HealthCheck(at.name, f"{', '.join(keys) or 'needs no key'}; {where}", not withheld, hint)
            if online and at.url and not unset:
                yield from _live(project, at, [model for model in used if f"{model}/".startswith(f"{at.name}/")])


def _unknown_options(name: str, table: Mapping[str, Json]) -> Iterator[HealthCheck]:
    if name not in providers.names():
        hint = suggest(name, providers.names(), f"known are {', '.join(providers.names())}")
        yield HealthCheck(f"providers.{name}", "unknown provider", False, hint)
        return
    known = provider_spec(name).options
    for key in table if known else ():
        if key not in known:
            yield HealthCheck(
                f"providers.{name}.{key}", "unknown key", False, suggest(key, known, f"known are {', '.join(known)}")
            )


def _live(project: Project, at: ServiceAddress, used: Sequence[ModelRef]) -> Iterator[HealthCheck]:
    provider, _, server = at.name.partition("/")
    began = time.perf_counter()
    try:
        dates = ask_provider(project, ModelRef(provider, f"{server}/-" if server else "-"), lambda it: it.listed())
    except ProviderFailure as error:
        yield HealthCheck(f"  {at.name}", error.message, False)
        return
    if dates is None:
        yield HealthCheck(f"  {at.name}", "has no list of models, so only a call would show whether it answers")
        return
    seconds = time.perf_counter() - began
    yield HealthCheck(f"  {at.name}", f"answers in {seconds:.1f} s and lists {number_of(len(dates), 'model')}")
    for model in used:
        name = model.name.removeprefix(f"{server}/") if server else model.name
        warning = shutdown_warning(str(model), dates.get(name))
        if name not in dates:
            yield HealthCheck(f"  {model}", "is not in the list of its server", False, "check the model's name")
        else:
            yield HealthCheck(f"  {model}", warning or dates[name] or "no shutdown announced", warning is None)
