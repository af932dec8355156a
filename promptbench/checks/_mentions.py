"""Which of several texts occur in an answer: what `contains` and `not contains` have in common."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from promptbench.checks import _normal
from promptbench.checks._options import options, yes
from promptbench.checks._words import quoted, texts
from promptbench.core.types import Json

_OPTIONS = ("any of", "all of", "whole words", "ignore")
_TEXT: Json = {"type": ["string", "number", "boolean"]}
_TEXTS: Json = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_MAPPING: Json = {
    "type": "object",
    "properties": {
        "any of": _TEXTS,
        "all of": _TEXTS,
        "whole words": {"type": ["boolean", "string"]},
        "ignore": {"anyOf": [_normal.SCHEMA, {"const": "nothing"}]},
    },
}
argument_schema: Json = {"anyOf": [*_TEXTS["anyOf"], _MAPPING]}


@dataclass(frozen=True, slots=True)
class Mentions:
    """The texts to look for, each with its normalised form, and how an answer is searched for one."""

    any_of: tuple[tuple[str, str], ...]
    all_of: tuple[tuple[str, str], ...]
    ignored: _normal.Normal
    whole_words: bool

    def found(self, text: str) -> tuple[list[str], list[str]]:
        """Those of `any_of` and those of `all_of` that occur, as the author wrote them."""
        normalised = self.ignored.text(text)
        occurs = _finder(normalised, self.whole_words)
        any_of = [written for written, wanted in self.any_of if occurs(wanted)]
        return any_of, [written for written, wanted in self.all_of if occurs(wanted)]


def _finder(text: str, whole_words: bool) -> Callable[[str], bool]:
    if not whole_words:
        return text.__contains__
    return lambda wanted: re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text) is not None


def mentions(argument: Json, plain: str) -> Mentions:
    """From a check's argument; a text or a list of texts stands for the option `plain`. Raises ValueError."""
    given = options(argument, _OPTIONS) if isinstance(argument, dict) else {plain: argument}
    if not given.keys() & {"any of", "all of"}:
        raise ValueError("give a text, a list of texts, or one of these under 'any of' or 'all of'")
    ignored = _ignored(given)
    return Mentions(
        any_of=_wanted(given, "any of", ignored),
        all_of=_wanted(given, "all of", ignored),
        ignored=ignored,
        whole_words=yes(given.get("whole words", False), "whole words"),
    )


def _ignored(given: dict[str, Json]) -> _normal.Normal:
    """Unlike where whole answers are compared, upper and lower case are the same unless the author says otherwise."""
    written = given.get("ignore", "case")
    if isinstance(written, str) and written.strip().lower() == "nothing":
        return _normal.Normal()
    return _normal.normal(written)


def _wanted(given: dict[str, Json], name: str, ignored: _normal.Normal) -> tuple[tuple[str, str], ...]:
    wanted = [(item, ignored.text(item)) for item in texts(given[name])] if name in given else []
    for written, normalised in wanted:
        if not normalised:
            raise ValueError(f"of {quoted(written)} nothing is left to look for when that is ignored")
    return tuple(wanted)
