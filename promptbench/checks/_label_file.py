"""A set of labels: a list, or a file beside the suite with one a line."""

from __future__ import annotations

from pathlib import PureWindowsPath

from promptbench.checks._words import quoted, texts
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json

_MOST_BYTES = 1_000_000


def labels(written: Json, context: CheckContext) -> tuple[str, ...]:
    """The labels in their order. Raises ValueError when there are none, or one is there twice."""
    found = _lines(written, context) if isinstance(written, str) else [item.strip() for item in texts(written)]
    if not found:
        raise ValueError(f"{written} has no labels: write one on each line")
    twice = next((label for label in found if found.count(label) > 1), None) if len({*found}) < len(found) else None
    if twice is not None:
        raise ValueError(f"the label {quoted(twice)} is listed twice")
    return tuple(found)


def _lines(name: str, context: CheckContext) -> list[str]:
    if "\0" in name:
        raise ValueError(f"{quoted(name)} cannot be the name of a file")
    folder = context.folder.resolve()
    advice = "'labels' is a list, or the name of a text file beside the suite"
    try:
        path = (folder / name.replace("\\", "/")).resolve()
        if PureWindowsPath(name).drive or not path.is_relative_to(folder):
            raise ValueError(f"{quoted(name)} lies outside the suite's folder: {advice}")
        if not path.is_file():
            raise ValueError(f"there is no file {quoted(name)} beside the suite: {advice}")
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{quoted(name)} cannot be read: {type(error).__name__}") from None
    if len(text) > _MOST_BYTES:
        raise ValueError(f"{quoted(name)} has more than {_MOST_BYTES:,} bytes")
    try:
        lines = text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{quoted(name)} is not UTF-8 text") from None
    return [line.strip() for line in lines if line.strip()]
