"""count: the answer has the right number of words, sentences or something else.

What: counts, and compares with `exactly`, `at least`, `at most`, `less than` or `more than`.
When: a length, a number of bullet points, or how often a word is used is part of the task.
Options: `of` is one of `words`, `sentences`, `paragraphs` (an empty line between them), `bullets`, `placeholders`
    ([name]), `highlights` (*text*), `titles` (<<text>>), `capital words`, `characters`; or `word banana` (a whole
    word), `text banana` (also inside of other words), `letter e`, `sections Section` (Section 1, Section 2 …). Upper
    and lower case are the same, but not in the mark of a section. And one or two of the five comparisons.
Example:
    checks: [{count: {of: words, at least: 100, less than: 300}}, {count: {of: word banana, exactly: 3}}]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptbench.checks import _bounds
from promptbench.checks._counting import KINDS, NAMED
from promptbench.checks._options import option_name, options
from promptbench.checks._scores import mismatch, quoted, verdict
from promptbench.core.diagnostics import did_you_mean
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject

_EXAMPLES = {"word": "word banana", "text": "text banana", "letter": "letter e", "sections": "sections Section"}


@dataclass(frozen=True, slots=True)
class Count:
    what: str
    number: Callable[[str], int]
    wanted: _bounds.Bounds

    def score(self, subject: Subject) -> Score:
        found = self.number(subject.text)
        return verdict(
            "count", None if self.wanted.include(found) else mismatch(self.what, self.wanted.words, str(found))
        )


def build(argument: Json, context: CheckContext) -> Check:
    if not isinstance(argument, dict):
        raise ValueError("say what is counted and how many, as in 'count: {of: words, at most: 50}'")
    given = options(argument, ("of", *_bounds.NAMES))
    if "of" not in given:
        raise ValueError("say what is counted, as in 'of: words'")
    what, number = _counter(given["of"])
    return Count(what, number, _bounds.bounds(given))


def _counter(of: Json) -> tuple[str, Callable[[str], int]]:
    """Return the name of what is counted, and the function that counts it. Raises ValueError."""
    if not isinstance(of, str) or not of.strip():
        raise ValueError(f"'of': expected what is counted, such as words, got {quoted(of)}")
    name = option_name(of)
    if name in KINDS:
        return name, KINDS[name]
    first, _, rest = of.strip().partition(" ")
    first, wanted = first.lower(), _unquoted(rest.strip())
    if first == "section":
        first = "sections"
    if first not in NAMED:
        known = [*KINDS, *_EXAMPLES.values()]
        guess = did_you_mean(name, known) or did_you_mean(first, NAMED)
        meant = f"did you mean '{_EXAMPLES.get(guess, guess)}'?" if guess else f"known are {', '.join(known)}"
        raise ValueError(f"{quoted(of)} cannot be counted: {meant}")
    if not wanted:
        raise ValueError(f"say which {first}, for example 'of: {_EXAMPLES[first]}'")
    if first == "letter" and len(wanted) != 1:
        raise ValueError(f"{quoted(wanted)} is not one letter: write 'of: text {wanted}'")
    return (f"{quoted(wanted)} sections" if first == "sections" else quoted(wanted)), NAMED[first](wanted)


def _unquoted(text: str) -> str:
    """Return a text without the author's quotes around it, as in `word "banana"`."""
    return text[1:-1] if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'" else text


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema={
        "type": "object",
        "properties": {"of": {"type": "string"}, **_bounds.PROPERTIES},
        "required": ["of"],
    },
)
