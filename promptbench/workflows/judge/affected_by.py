"""Find out if a changed file may change a suite's verdict."""

import importlib.util
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from promptbench.checks import plugins as checks
from promptbench.core.allowed_code import split_name
from promptbench.core.canonical import texts_in
from promptbench.core.errors import Diagnostics
from promptbench.core.plugins import module_name
from promptbench.prompts.parser import prompt_name
from promptbench.providers import plugins as providers
from promptbench.suite.models import Suite

# Files next to a suite that decide nothing about it, by lower-case name.
_IGNORED = ("readme", "readme.*", "durations.json")


def is_affected(suite: Suite, changed: Iterable[Path], mirror: Path) -> bool:
    """Return True if one of the changed files may change the verdict. `mirror` is the text of the prompt store.

    When in doubt a file counts. A Python function may read any file, so everything next to the suite or next to such a
    function counts, and the whole package of a plug-in with a check or a provider.
    """
    files = [file for file in changed if not any(fnmatchcase(file.name.lower(), pattern) for pattern in _IGNORED)]
    if any(_any_below(files, home) for home in (suite.folder.resolve(), *suite.common.files)):
        return True
    stored = {file.relative_to(mirror).parts[0] for file in files if mirror in file.parents}
    prompts = {prompt_name(written.replace("\\", "/").rpartition("/")[2]) for written in suite.prompts}
    prompts |= {suite.chain} if suite.steps else set()
    if any(fnmatchcase(name, prompt) for name in stored for prompt in prompts):
        return True
    texts = _texts_of(suite)
    functions = filter(None, map(split_name, (text.removeprefix("python/") for text in texts)))
    if any(_any_below(files, (suite.folder / file).resolve().parent) for file, _ in functions):
        return True
    code = [file for file in files if file.suffix != ".md"]
    plugged = {name for name, home in _homes() if _any_below(code, home)}
    # The text before a slash is a provider.
    return any(module_name(text.partition("/")[0]) in plugged for text in texts)


def uses_check(suite: Suite, name: str) -> bool:
    """Return True if a check is anywhere in a suite, also inside another one, or if a text looks like it."""
    return any(module_name(text) == name for text in _texts_of(suite))


def _any_below(files: Iterable[Path], home: Path) -> bool:
    return any(file == home or home in file.parents for file in files)


def _texts_of(suite: Suite) -> set[str]:
    """Return the names of all models and checks, and all texts in the checks, which may name more of them."""
    found = {str(ref) for entry in suite.models for ref in (entry.ref, entry.fallback) if ref}
    found |= {str(step.model) for step in suite.steps if step.model}
    for specs in (
        suite.checks,
        *(step.checks for step in suite.steps),
        *(case.checks for case in suite.cases.scan(Diagnostics())),
    ):
        for spec in specs:
            found |= {spec.name, *texts_in(spec.argument)}
    return found


@cache
def _homes() -> list[tuple[str, Path]]:
    """Return where the code of each check and provider is: the folder of its outermost package, or its file."""
    homes = []
    for plugins in (checks, providers):
        for name in plugins.names():
            try:
                spec = importlib.util.find_spec(plugins.home(name).partition(".")[0])
            except (ImportError, ValueError):
                continue
            if spec is not None and spec.origin is not None:
                file = Path(spec.origin).resolve()
                homes.append((name, file.parent if spec.submodule_search_locations else file))
    return homes
