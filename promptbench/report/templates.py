"""The templates of pages: those of a report in one file, and the blocks that `promptbench view` shares with them.

Everything that a template writes is escaped, and so are characters that a reader would not see or that turn the text
around them. A name that a template uses and nobody gave is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlencode

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from promptbench.core.words import number_of
from promptbench.report.diff import Piece, word_diff
from promptbench.report.markup import visible
from promptbench.report.svg import draw
from promptbench.report.words import clean, duration, excerpt, money, share

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
        "draw": lambda chart: Markup(draw(chart)),
        "duration": duration,
        "excerpt": excerpt,
        "kind": lambda block: type(block).__name__,
        "money": money,
        "moment": moment,
        "part": lambda text: quote(_whole(text), safe=""),
        "tone": lambda result: RESULTS.get(result or "", "none"),
    }
    made.globals |= {"number_of": number_of, "share": share, "pieces": pieces}
    made.globals["blocks"] = made.get_template("blocks.html").module
    return made


def _written(value: object) -> object:
    if value is None:
        return ""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def address(values: Mapping[str, object]) -> str:
    """Return the query of an address, without what is empty."""
    return urlencode({name: _whole(str(value)) for name, value in values.items() if value not in ("", None)})


def _whole(text: str) -> str:
    # An address cannot hold half a pair of surrogates; pages look for the name with the same sign in its place.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def moment(at: str | None) -> str:
    """Return a time in UTC, ISO 8601, as people read it; empty without one."""
    return datetime.fromisoformat(at).strftime("%Y-%m-%d %H:%M") if at else ""


def pieces(before: str, after: str) -> list[Piece]:
    """Return the word diff of two texts; the second alone if they are equal, or have too little in common."""
    if found := word_diff(before, after):
        return found
    same = before.split() == after.split()
    return [Piece("same", after)] if same else [Piece("removed", before), Piece("added", after)]
