"""Decide if a suite is affected by changed files."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from promptbench.checks import plugins as checks
from promptbench.core.allowed_code import split_name
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.plugins import Plugins, module_name
from promptbench.core.types import Json
from promptbench.prompts.parser import prompt_name
from promptbench.providers import plugins as providers
from promptbench.suite.models import Suite

# Files next to a suite that do not affect it, by lower-case name.
_IGNORED = ("readme", "readme.*", "durations.json")


def is_affected(suite: Suite, changed: Iterable[Path], mirror: Path) -> bool:
    """Return True if one of the changed files may change the verdict. `mirror` is the text mirror of the prompt store.

    In doubt the answer is True. A Python function may read any file, so all files next to the suite or next to such a
    function count, and the whole package of a plug-in with a check or a provider.
    """
    files = [file for file in changed if not _is_ignored(file)]
    if _any_below(files, suite.folder.resolve()):
        return True
    stored = {file.relative_to(mirror).parts[0] for file in files if mirror in file.parents}
    prompts = {prompt_name(written.replace("\\", "/").rpartition("/")[2]) for written in suite.prompts}
    if any(fnmatchcase(name, prompt) for name in stored for prompt in prompts):
        return True
    texts = _texts_of(suite)
    functions = filter(None, map(split_name, (text.removeprefix("python/") for text in texts)))
    if any(_any_below(files, (suite.folder / file).resolve().parent) for file, _ in functions):
        return True
    plugged = {name for name, home in _homes() if _any_below((file for file in files if file.suffix != ".md"), home)}
    # The provider of a model is before the slash.
    return bool(plugged) and any(module_name(text.partition("/")[0]) in plugged for text in texts)


def names_check(suite: Suite, name: str) -> bool:
    """Return True if a suite uses a check, also inside another one. A text that equals the name counts as well."""
    return any(module_name(text) == name for text in _texts_of(suite))


def _any_below(files: Iterable[Path], home: Path) -> bool:
    return any(file == home or home in file.parents for file in files)


def _is_ignored(file: Path) -> bool:
    return any(fnmatchcase(file.name.lower(), pattern) for pattern in _IGNORED)


def _texts_of(suite: Suite) -> set[str]:
    # All names of models and checks, and all texts in arguments, which may hold further checks and models.
    models = [str(ref) for entry in suite.models for ref in (entry.ref, entry.fallback) if ref]
    found = set(models)
    for specs in (suite.checks, *(case.checks for case in suite.cases.scan(Diagnostics()))):
        for spec in specs:
            found |= {spec.name, *_texts(spec.argument)}
    return found


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (str(key) for key in value)
        yield from (text for item in value.values() for text in _texts(item))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in _texts(item))


@cache
def _homes() -> list[tuple[str, Path]]:
    """Return each check and provider with the folder of its outermost package, or its file."""
    return [(name, home) for kind in (checks, providers) for name in kind.names() if (home := _home(kind, name))]


def _home(kind: Plugins[Any], name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(kind.home(name).partition(".")[0])
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).resolve()
    return file.parent if spec.submodule_search_locations else file
