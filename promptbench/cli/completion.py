"""Values for shell completion, read from the project. Whatever goes wrong, nothing is completed."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from functools import partial
from types import SimpleNamespace
from typing import Any

VARIABLE = "_PROMPTBENCH_COMPLETE"
_LATEST = 30
# Characters at which bash splits words.
_BREAKS = frozenset("@:=")
_HEAD_BYTES = 65_536


def prepare(command: Any, environ: MutableMapping[str, str]) -> None:
    """Let the options and arguments of a command tree complete, and read the line of bash in the environment right."""
    _add(command, split=environ[VARIABLE] == "complete_bash" and _join_words(environ))


def _join_words(environ: MutableMapping[str, str]) -> bool:
    """Put together the words that bash has split, such as `triage@production`. Return True if there are any."""
    joined, split = list[str](), False
    for word in environ["COMP_WORDS"].split("\n")[: int(environ["COMP_CWORD"]) + 1]:
        if joined and ({word[:1], joined[-1][-1:]} & _BREAKS):
            joined[-1] += word
            split = True
        else:
            joined.append(word)
    environ["COMP_WORDS"], environ["COMP_CWORD"] = "\n".join(joined), str(len(joined) - 1)
    return split


def _add(command: Any, *, split: bool) -> None:
    """Let each option and argument of a command, and of the commands in it, complete by its metavar."""
    for parameter in command.params:
        values = _VALUES.get(parameter.metavar) or (_no_values if parameter.metavar else None)
        if values:
            parameter.shell_complete = partial(_complete, values, split)
    for inner in getattr(command, "commands", {}).values():
        _add(inner, split=split)


def _complete(values: Callable[[], Iterable[tuple[str, str]]], split: bool, _: object, incomplete: str) -> list[Any]:
    # Bash replaces what is behind the last colon, and an @ with what is behind it.
    cut = max(incomplete.rfind(":") + 1, incomplete.rfind("@"), 0) if split else 0
    try:
        found = {value: about for value, about in values() if value.startswith(incomplete)}
    except Exception:  # noqa: BLE001 - a broken project must not write into the line that is being typed
        return []
    return [SimpleNamespace(value=value[cut:], help=about, type="plain") for value, about in found.items()]


def _no_values() -> Iterable[tuple[str, str]]:
    """Return nothing, so that the shell completes files."""
    return ()


def _project() -> Any:
    """Return the project of this folder."""
    from promptbench.project import Project

    return Project.open()


def _suites() -> Iterator[tuple[str, str]]:
    """Yield the folders of suites."""
    for file in _project().suite_files(()):
        yield os.path.relpath(file.parent), ""


def _models() -> Iterator[tuple[str, str]]:
    """Yield the models that suites name."""
    found: dict[str, str] = {}
    for file in _project().suite_files(()):
        with file.open(encoding="utf-8", errors="replace") as opened:
            head = re.split(r"^cases\s*:", opened.read(_HEAD_BYTES), maxsplit=1, flags=re.MULTILINE)[0]
        for block in re.findall(r"^models\s*:.*(?:\n(?:[ \t-].*|[ \t]*(?=\n)))*", head, re.MULTILINE):
            for name in re.findall(r"(?<![\w./])[a-z][a-z_]*/[\w./:-]*\w", re.sub(r"#.*", "", block)):
                found.setdefault(name, file.parent.name)
    yield from found.items()


def _prompts() -> Iterator[tuple[str, str]]:
    """Yield the names of stored prompts."""
    with _project().prompts() as store:
        yield from ((name, "") for name in store.prompts())


def _references() -> Iterator[tuple[str, str]]:
    """Yield stored prompts with their labels."""
    with _project().prompts() as store:
        for name in store.prompts():
            yield from ((f"{name}@{label}", f"@{item.number}") for label, item in store.labels(name).items())


def _runs() -> Iterator[tuple[str, str]]:
    """Yield `latest` and the newest runs."""
    from promptbench.workflows.upkeep.runs import list_runs

    yield "latest", "the newest run"
    for run in list_runs(_project(), limit=_LATEST):
        yield run.run, f"{run.suite} {run.result or 'open'}"


def _terms() -> Iterator[tuple[str, str]]:
    """Yield what `explain` knows, as one word each."""
    from promptbench.workflows.start.explain import names

    yield from ((re.sub(r"[\s_]", "-", name), "") for name in names())


def _pages() -> Iterator[tuple[str, str]]:
    """Yield the pages of `docs`."""
    from promptbench.workflows.start.docs import list_pages

    yield from ((page.name, page.title) for page in list_pages())


def _formats() -> Iterator[tuple[str, str]]:
    """Yield the formats of reports."""
    from promptbench.report.renderers import plugins

    yield from ((name, "") for name in plugins.names())


_VALUES: dict[str, Callable[[], Iterable[tuple[str, str]]]] = {
    "SUITE": _suites,
    "A B [SUITE] | SUITE": _suites,
    "PROVIDER/NAME": _models,
    "PROMPT": _prompts,
    "NAME[@LABEL|@N|@HASH]": _references,
    "NAME@…": _references,
    "RUN": _runs,
    "WHAT": _terms,
    "PAGE": _pages,
    "FORMAT": _formats,
}
