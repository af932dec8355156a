"""What a suite's verdict rests on besides the models: whether a changed file is a part of that."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from promptbench.checks import plugins as checks
from promptbench.core.allowed_code import split_name
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.plugins import Plugins, module_name
from promptbench.core.types import Json
from promptbench.prompts.parser import prompt_name
from promptbench.providers import plugins as providers
from promptbench.suite.models import Suite

# What lies beside a suite and decides nothing about it, by name in small letters.
_SAYS_NOTHING = ("readme", "readme.*", "durations.json")


def is_affected(suite: Suite, changed: Iterable[Path], mirror: Path) -> bool:
    """Whether one of the changed files may change the verdict. `mirror` is the text of the prompt store.

    Rather one file too many than one too few: what a Python function reads is known to nobody, so all counts that lies
    beside the suite or beside such a function; of a plugin with a check or a provider, all its package.
    """
    files = [file for file in changed if not _says_nothing(file)]
    if _any_below(files, suite.folder.resolve()):
        return True
    stored = {file.relative_to(mirror).parts[0] for file in files if mirror in file.parents}
    prompts = {prompt_name(written.replace("\\", "/").rpartition("/")[2]) for written in suite.prompts}
    if any(fnmatchcase(name, prompt) for name in stored for prompt in prompts):
        return True
    said = _said(suite)
    functions = filter(None, map(split_name, (text.removeprefix("python/") for text in said)))
    if any(_any_below(files, (suite.folder / file).resolve().parent) for file, _ in functions):
        return True
    plugged = {name for name, home in _homes() if _any_below((file for file in files if file.suffix != ".md"), home)}
    # What stands before a slash is a provider.
    return bool(plugged) and any(module_name(text.partition("/")[0]) in plugged for text in said)


def names_check(suite: Suite, name: str) -> bool:
    """Whether a check is anywhere in a suite, inside another one too; rather once too often, where a text looks so."""
    return any(module_name(text) == name for text in _said(suite))


def _any_below(files: Iterable[Path], home: Path) -> bool:
    return any(file == home or home in file.parents for file in files)


def _says_nothing(file: Path) -> bool:
    return any(fnmatchcase(file.name.lower(), pattern) for pattern in _SAYS_NOTHING)


def _said(suite: Suite) -> set[str]:
    """The names of all models and checks, and all texts in the checks: there may be more checks and models in them."""
    models = [str(ref) for entry in suite.models for ref in (entry.ref, entry.fallback) if ref]
    found = set(models)
    for specs in (suite.checks, *(case.checks for case in suite.cases.scan(Diagnostics()))):
        for spec in specs:
            found |= {spec.name, *_texts(spec.argument)}
    return found


def _texts(value: Json) -> Iterator[str]:
    """All texts in plain data, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (str(key) for key in value)
        yield from (text for item in value.values() for text in _texts(item))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in _texts(item))


@cache
def _homes() -> list[tuple[str, Path]]:
    """Where the code of each check and provider is: the folder of its outermost package, or its file."""
    return [(name, home) for kind in (checks, providers) for name in kind.names() if (home := _home(kind, name))]


def _home(kind: Plugins, name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(kind.home(name).partition(".")[0])
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).resolve()
    return file.parent if spec.submodule_search_locations else file
