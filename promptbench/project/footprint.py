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

_SAYS_NOTHING = ("readme", "readme.*", "durations.json")
"""What lies beside a suite and decides nothing about it, by name in small letters."""


def touched(suite: Suite, changed: Iterable[Path], mirror: Path) -> bool:
    """Whether one of the changed files may change the verdict. `mirror` is the text of the prompt store.

    Rather one file too many than one too few: what a Python function reads is known to nobody, so all counts that lies
    beside the suite or beside such a function; of a plugin with a check or a provider, all its package.
    """
    files = list(changed)
    prompts = {prompt_name(written.replace("\\", "/").rpartition("/")[2]) for written in suite.prompts}
    folders = [suite.folder.resolve(), *_code(suite)]
    if any(_is_below(file, folder) and not _says_nothing(file) for file in files for folder in folders):
        return True
    stored = (file.relative_to(mirror).parts[0] for file in files if file.is_relative_to(mirror) and file != mirror)
    if any(fnmatchcase(name, prompt) for name in stored for prompt in prompts):
        return True
    plugged = {
        name for name, home in _homes().items() if any(_is_below(file, home) and file.suffix != ".md" for file in files)
    }
    return bool(plugged) and not plugged.isdisjoint(_names(suite))


def _is_below(file: Path, home: Path) -> bool:
    return file == home or file.is_relative_to(home)


def _says_nothing(file: Path) -> bool:
    return any(fnmatchcase(file.name.lower(), pattern) for pattern in _SAYS_NOTHING)


def _code(suite: Suite) -> Iterator[Path]:
    """The folders of Python files that are named as models or by checks, wherever they are."""
    names = [entry.ref.name for entry in suite.models if entry.ref.provider == "python"]
    for written in (*names, *_texts([spec.argument for spec in suite.checks])):
        if parts := split_name(written):
            yield (suite.folder / parts[0]).resolve().parent


def _names(suite: Suite) -> set[str]:
    """The checks and the providers of a suite, and whatever else in its checks may be the name of one."""
    written = [entry.ref.provider for entry in suite.models]
    written += [entry.fallback.provider for entry in suite.models if entry.fallback]
    specs = [*suite.checks, *(spec for case in suite.cases.scan(Diagnostics()) for spec in case.checks)]
    for spec in specs:
        # A check inside of another, or a judge.
        written += [spec.name, *(text.partition("/")[0] for text in _texts(spec.argument))]
    return {module_name(name) for name in written}


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
def _homes() -> dict[str, Path]:
    """Where the code of each check and provider is: the folder of its outermost package, or its file."""
    return {name: home for kind in (checks, providers) for name in kind.names() if (home := _home(kind, name))}


def _home(kind: Plugins, name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(kind.home(name).partition(".")[0])
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).resolve()
    return file.parent if spec.submodule_search_locations else file
