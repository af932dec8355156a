"""starts with: the answer, or one of its paragraphs, begins with this.

What: compares without the white space at the start; upper and lower case are the same.
When: a greeting, a fixed opening or the repeated request must come first.
Options: a text. Or `text`, `word` (the first word is this one, without quotes before it and punctuation behind it) or
    `variable` (the text of one of the case's `vars`), and `paragraph` (1, 2, … or `last`; there is one empty line
    between them).
Example:
    checks: [{starts with: Dear}, {starts with: {word: However, paragraph: 2}}]
"""

from collections.abc import Mapping
from dataclasses import dataclass

from promptbench.checks import _options
from promptbench.checks._options import TEXT, count, text
from promptbench.checks._scores import mismatch, quoted, verdict
from promptbench.plugins import CheckContext, CheckSpec, Json, Score, Subject

# For a check's argument schema.
PROPERTIES: Mapping[str, Json] = {
    "text": TEXT,
    "variable": {"type": "string"},
    "paragraph": {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "last"}]},
}
ENDS_A_WORD = ".,?!'\""


@dataclass(frozen=True, slots=True)
class Edge:
    """One of the checks `starts with` and `ends with`.

    The text is `wanted`, or that of the case's variable `variable`. `paragraph` is None for the whole answer, -1 for
    the last paragraph. With `word` the first word is compared.
    """

    name: str
    wanted: str
    variable: str | None
    paragraph: int | None
    word: bool = False

    def score(self, subject: Subject) -> Score:
        value = self.wanted if self.variable is None else subject.variables.get(self.variable)
        wanted = value.strip() if isinstance(value, str) else ""
        if not wanted:
            return verdict(self.name, f"the case has no text {quoted(self.variable)} under 'vars'")
        part = paragraph(subject.text, self.paragraph)
        where = {None: "", -1: "last paragraph"}.get(self.paragraph, f"paragraph {self.paragraph}")
        if part is None:
            return verdict(self.name, f"{where} not found")
        if self.word:
            # Without quotes before it: single ones first, as in IFEval.
            first = (part.split(maxsplit=1) or [""])[0].lstrip("'").lstrip('"')
            got = first[: next((index for index, char in enumerate(first) if char in ENDS_A_WORD), len(first))]
            where, fits = f"first word of {where or 'the answer'}", got.lower() == wanted.lower()
        elif self.name == "starts with":
            got, fits = part[: len(wanted)], part.casefold().startswith(wanted.casefold())
        else:
            # A quote at the end may be the text's own, or belong to quotes around the whole answer.
            fits = any(end.casefold().endswith(wanted.casefold()) for end in (part, part.strip('"')))
            got = part[-len(wanted) :]
        return verdict(self.name, None if fits else mismatch(where, quoted(wanted), quoted(got)))


def build_edge(name: str, given: Mapping[str, Json]) -> Edge:
    """Return the check for its options. Raises ValueError."""
    names = given.keys() & {"text", "variable", "word"}
    if len(names) != 1:
        raise ValueError("give a text, or the name of one of the case's 'vars' under 'variable'")
    written, variable = given.get("text", given.get("word")), None
    if "variable" in given:
        wanted, variable = "", text(given["variable"], "variable").strip()
    elif isinstance(written, bool):
        wanted = "true" if written else "false"
    else:
        wanted = text(written, *names).strip()
    if "word" in given and any(char.isspace() or char in ENDS_A_WORD for char in wanted):
        raise ValueError(f"{quoted(wanted)} is not one word: write it under 'text'")
    return Edge(name, wanted, variable, _number(given.get("paragraph")), "word" in given)


def _number(written: Json) -> int | None:
    if written is None:
        return None
    if isinstance(written, str) and written.strip().lower() == "last":
        return -1
    found = count(written, "paragraph")
    if not found:
        raise ValueError("paragraphs count from 1; 'last' is the last one")
    return found


def paragraph(answer: str, number: int | None) -> str | None:
    """Return a paragraph without the white space around it, -1 for the last; the whole answer for None.

    As in IFEval, paragraphs are separated by empty lines, and an empty one has a number but does not count. So behind
    two empty lines in a row no number finds its paragraph.
    """
    if number is None:
        return answer.strip()
    if number < 0:
        return answer.strip().rpartition("\n\n")[2].strip()
    paragraphs = [piece.strip() for piece in answer.split("\n\n")]
    return None if number > len(paragraphs) - paragraphs.count("") else paragraphs[number - 1] or None


def build(argument: Json, context: CheckContext) -> Edge:
    return build_edge(
        "starts with", _options.value_or_options(argument, "text", ("text", "word", "variable", "paragraph"))
    )


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(_options.TEXT, **PROPERTIES, word=_options.TEXT),
)
