"""contains: the answer has this text in it.

What: passes when every given text occurs in the answer; upper and lower case are the same.
When: a word, a name or a number must be mentioned.
Options: one text, or a list of texts of which all must occur. Or `all of` and `any of` (each a text or a list), with
    `whole words: yes` (`rate` is then not found in `separate`) and `ignore` (`case` unless you say otherwise,
    `nothing`, or a list of `case`, `accents`, `punctuation`, `white space`, `unicode`).
Example:
    checks: [{contains: [refund, '14 days']}, {contains: {any of: [yes, no], whole words: yes}}]
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from promptbench.checks import _normal
from promptbench.checks._options import TEXTS, options, schema, texts, yes
from promptbench.checks._scores import quoted, verdict
from promptbench.plugins import CheckContext, CheckSpec, Json, Score, Subject

SCHEMA = schema(
    *TEXTS["anyOf"],
    any_of=TEXTS,
    all_of=TEXTS,
    whole_words={"type": ["boolean", "string"]},
    ignore={"anyOf": [_normal.SCHEMA, {"const": "nothing"}]},
)


@dataclass(frozen=True, slots=True)
class Mentions:
    """The texts to look for, each with its normalised form. `wanted` is False if they must not occur."""

    any_of: tuple[tuple[str, str], ...]
    all_of: tuple[tuple[str, str], ...]
    ignored: _normal.Normal
    whole_words: bool
    wanted: bool

    def score(self, subject: Subject) -> Score:
        occurs = _finder(self.ignored.text(subject.text), self.whole_words)
        any_of = [written for written, normalised in self.any_of if occurs(normalised)]
        all_of = [written for written, normalised in self.all_of if occurs(normalised)]
        if not self.wanted:
            reasons = [f"{quoted(item)} is in the answer" for item in any_of]
            if all_of and len(all_of) == len(self.all_of):
                reasons.append(f"{', '.join(map(quoted, all_of[:5]))} are all in the answer")
            return verdict("not contains", *reasons)
        reasons = [f"{quoted(item)} is not in the answer" for item, _ in self.all_of if item not in all_of]
        if self.any_of and not any_of:
            reasons.append(f"none of {', '.join(quoted(item) for item, _ in self.any_of[:5])} is in the answer")
        return verdict("contains", *reasons)


def _finder(text: str, whole_words: bool) -> Callable[[str], bool]:
    if not whole_words:
        return text.__contains__
    return lambda wanted: re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text) is not None


def build_mentions(argument: Json, plain: str, *, wanted: bool) -> Mentions:
    """Return the check. A text or a list of texts is that of the option `plain`. Raises ValueError."""
    given = (
        options(argument, ("any of", "all of", "whole words", "ignore"))
        if isinstance(argument, dict)
        else {plain: argument}
    )
    if not given.keys() & {"any of", "all of"}:
        raise ValueError("give a text, a list of texts, or one of these under 'any of' or 'all of'")
    # Unlike where whole answers are compared, upper and lower case are the same unless the author says otherwise.
    ignore = given.get("ignore", "case")
    nothing = isinstance(ignore, str) and ignore.strip().lower() == "nothing"
    normal = _normal.Normal() if nothing else _normal.normal(ignore)
    any_of, all_of = (_normalised(given, name, normal) for name in ("any of", "all of"))
    return Mentions(any_of, all_of, normal, yes(given.get("whole words", False), "whole words"), wanted)


def _normalised(given: Mapping[str, Json], name: str, normal: _normal.Normal) -> tuple[tuple[str, str], ...]:
    pairs = [(item, normal.text(item)) for item in texts(given[name])] if name in given else []
    for written, normalised in pairs:
        if not normalised:
            raise ValueError(f"{quoted(written)} is empty after applying `ignore: {', '.join(normal.steps)}`")
    return tuple(pairs)


def build(argument: Json, context: CheckContext) -> Mentions:
    return build_mentions(argument, "all of", wanted=True)


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema=SCHEMA)
