"""The templates of pages: those of a report in one file, and the blocks that `promptbench view` shares with them.

Everything that a template writes is escaped, and so are characters that a reader would not see or that turn the text
around them. A name that a template uses and nobody gave is an error.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote, urlencode

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from promptbench.core.canonical import without_halves
from promptbench.core.files import FileValue, map_files
from promptbench.core.types import Json, failures
from promptbench.core.words import number_of
from promptbench.report.diff import Piece, word_diff
from promptbench.report.model import AttemptRow
from promptbench.report.svg import layout
from promptbench.report.words import clean, duration, excerpt, money, share, shorten, side_word

_MOST_CHARACTERS = 40_000
_END = 4_000
# The tone of each result of a run.
RESULTS = {"PASS": "good", "FAIL": "bad", "INCONCLUSIVE": "warn", "NO VERDICT": "none"}


def environment(*folders: str) -> Environment:
    """Return the environment of the templates in these folders of the package, and of the shared blocks."""
    loaders = [PackageLoader("promptbench", folder) for folder in (*folders, "report/assets")]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_written,
    )
    made.filters |= {
        "address": address,
        "clean": clean,
        "cut": cut,
        "duration": duration,
        "excerpt": excerpt,
        "failures": failures,
        "kind": lambda block: type(block).__name__,
        "layout": layout,
        "money": money,
        "moment": moment,
        "part": lambda text: quote(without_halves(text), safe=""),
        "px": "{:.1f}".format,
        "shorten": shorten,
        "side": side_word,
        "written": written,
        "tone": lambda result: RESULTS.get(result or "", "none"),
    }
    made.globals |= {"number_of": number_of, "share": share, "pieces": pieces, "shown": shown}
    for name in ("blocks", "case"):
        made.globals[name] = made.get_template(f"{name}.html").module
    return made


def _written(value: object) -> object:
    if value is None:
        return ""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def visible(text: str) -> str:
    """Return a foreign text with its lines, with a sign in the place of each character that would not be seen."""
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line if line.isprintable() else "\t".join(map(clean, line.split("\t"))) for line in lines)


def address(values: Mapping[str, object]) -> str:
    """Return the query of an address, without what is empty."""
    # An address cannot hold half a pair of surrogates; pages look for the name with the same sign in its place.
    return urlencode({name: without_halves(str(value)) for name, value in values.items() if value not in ("", None)})


def shown(column: Sequence[AttemptRow]) -> AttemptRow:
    """Return the attempt that stands for a prompt on a model: the first failing one, or the first."""
    return next((item for item in column if item.outcome == "failed"), column[0])


def written(value: Json) -> str:
    """Return a value of a case as text. A browser would round large numbers."""
    value = str(value) if isinstance(value, FileValue) else value
    return value if isinstance(value, str) else json.dumps(map_files(value, str), ensure_ascii=False, indent=1)


def cut(text: str) -> str:
    """Return a text, a long one by its start and its end."""
    if len(text) <= _MOST_CHARACTERS:
        return text
    left_out = number_of(len(text) - _MOST_CHARACTERS, "character")
    return f"{text[: _MOST_CHARACTERS - _END]}\n\n[{left_out} left out; the run record has them]\n\n{text[-_END:]}"


def moment(at: str | None) -> str:
    """Return a time in UTC, ISO 8601, as people read it; empty without one."""
    return datetime.fromisoformat(at).strftime("%Y-%m-%d %H:%M") if at else ""


def pieces(before: str, after: str) -> list[Piece]:
    """Return the word diff of two texts; the second alone if they are equal, or have too little in common."""
    if found := word_diff(before, after):
        return found
    same = before.split() == after.split()
    return [Piece("same", after)] if same else [Piece("removed", before), Piece("added", after)]
