"""Explain checks, diagnostic codes and terms; the texts of the last two are the pages in `docs/reference`."""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from promptbench.checks import plugins as checks
from promptbench.core.errors import InputError, suggest

TERMINAL = "terminal"
_SECTION = re.compile(r"^## (?P<title>[^\n]+)\n\n(?P<body>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(
    r"^(?P<kind>Wrong|Right|Next to it), (?:in )?(?:`(?P<file>[^`]+)`|at the terminal)(?:, (?P<note>[^\n:]+))?:\n\n"
    r"```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class CheckPage:
    """The explanation of a check. `parts` are its paragraphs What, When and Options; `example` is YAML."""

    name: str
    summary: str
    parts: Mapping[str, str]
    example: str


def check_pages() -> list[CheckPage]:
    """Return the pages of all checks, by name."""
    return [check_page(name) for name in checks.names()]


def check_page(written: str) -> CheckPage:
    """Return the page of a check. Raise InputError if it is unknown."""
    if written not in checks:
        known = [name.replace("_", " ") for name in checks.names()]
        hint = suggest(written, known, f"known checks: {', '.join(known)}")
        raise InputError(f"unknown check '{written}'", hint=hint)
    text = (checks.load(written).doc or "").rstrip()
    title, _, rest = text.partition(": ")
    summary, _, body = rest.partition("\n\n")
    body, _, example = body.partition("Example:\n")
    found = re.split(r"^(What|When|Options): ", body.strip(), flags=re.MULTILINE)
    parts = {name: " ".join(words.split()) for name, words in zip(found[1::2], found[2::2], strict=True)}
    return CheckPage(title, f"{summary[:1].upper()}{summary[1:]}", parts, textwrap.dedent(example))


@dataclass(frozen=True, slots=True)
class DiagnosticPage:
    """The explanation of a diagnostic code.

    `wrong` are lines of `file`, and `note` describes it further, such as its encoding. `right` are lines of
    `right_file`, which may be "terminal". `beside` are the other files that the example needs.
    """

    code: str
    title: str
    cause: str
    fix: str
    file: str
    note: str
    wrong: str
    right_file: str
    right: str
    beside: Mapping[str, str]

    @property
    def where(self) -> str:
        return f"{self.file}, {self.note}" if self.note else self.file


def diagnostic_pages() -> list[DiagnosticPage]:
    """Return the pages of all diagnostic codes, in their order."""
    return [_parse_page(title, body) for title, body in _sections("diagnostics").items()]


def diagnostic_page(code: str) -> DiagnosticPage:
    """Return the page of a code such as PB104. Raise InputError if it is unknown."""
    pages = {page.code: page for page in diagnostic_pages()}
    if code not in pages:
        raise InputError(f"unknown code '{code}'", hint=suggest(code, pages, "`promptbench explain PB` lists them"))
    return pages[code]


@dataclass(frozen=True, slots=True)
class Term:
    """A word of verdicts and reports, and what it means."""

    term: str
    meaning: str


def terms() -> list[Term]:
    """Return the glossary."""
    return [Term(title, " ".join(body.split())) for title, body in _sections("glossary").items()]


def names() -> list[str]:
    """Return the names of all checks, terms and diagnostic codes."""
    return [*checks.names(), *_sections("glossary"), *(title.partition(":")[0] for title in _sections("diagnostics"))]


def explain(written: str) -> CheckPage | Term:
    """Return the page of a check, or else a term of the glossary. Raise InputError if there is neither."""
    if written in checks:
        return check_page(written)
    glossary = {item.term: item for item in terms()}
    plain = re.sub(r"[\s_-]+", " ", written.lower()).strip()
    if plain in glossary:
        return glossary[plain]
    known = [*glossary, *(name.replace("_", " ") for name in checks.names())]
    hint = suggest(plain, known, "`promptbench explain` lists all checks and terms")
    raise InputError(f"unknown check or term '{written}'", hint=hint)


@cache
def _sections(page: str) -> dict[str, str]:
    """Return the sections of a reference page: heading to text."""
    text = files("promptbench").joinpath("docs", "reference", f"{page}.md").read_text(encoding="utf-8")
    return {found["title"]: found["body"].strip() for found in _SECTION.finditer(text)}


def _parse_page(title: str, body: str) -> DiagnosticPage:
    code, _, title = title.partition(": ")
    cause, fix, _ = body.split("\n\n", 2)
    examples = list(_EXAMPLE.finditer(body))
    wrong, right = (next(item for item in examples if item["kind"] == kind) for kind in ("Wrong", "Right"))
    return DiagnosticPage(
        code=code,
        title=title,
        cause=" ".join(cause.split()),
        fix=" ".join(fix.removeprefix("Fix: ").split()),
        file=wrong["file"],
        note=wrong["note"] or "",
        wrong=wrong["text"],
        right_file=right["file"] or TERMINAL,
        right=right["text"],
        beside={item["file"]: item["text"] for item in examples if item["kind"] == "Next to it"},
    )
