"""Every relative link of every Markdown page leads to a file, and to a heading in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.docs.test_console import DOCS, ROOT


def pages() -> list[Path]:
    """The pages of the project, without those that a run leaves in a suite's folder."""
    found = [
        ROOT / "README.md",
        *(ROOT / ".github").rglob("*.md"),
        *(ROOT / "suites").rglob("*.md"),
        *DOCS.rglob("*.md"),
    ]
    return sorted(page for page in found if ".promptbench" not in page.parts)


def tokens(page: Path) -> Iterator[Token]:
    parser = MarkdownIt("commonmark").enable("table")
    for token in parser.parse(page.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them: of equal headings, all but the first have a number."""
    found = list(tokens(page))
    seen: Counter[str] = Counter()
    made = set()
    for head, text in pairwise(found):
        if head.type == "heading_open":
            said = "".join(part.content for part in text.children or () if part.type in ("text", "code_inline"))
            name = re.sub(r"[^\w\- ]", "", said.lower()).replace(" ", "-")
            made.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return made


def broken(page: Path) -> Iterator[str]:
    for token in tokens(page):
        link = str(token.attrGet("href") or token.attrGet("src") or "")
        if not link or re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = unquote(link).partition("#")
        file = page.parent / name if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            yield link


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` c!\n# a b c\n[1](#a-b-c) [2](#a-b-c-1) [3](#a-b-c-2) [4](page.md#nowhere) ![5](no.png) <https://a.b>\n"
        "[6][here]\n\n`[7](no)`\n\n[here]: page.md\n",
        encoding="utf-8",
    )
    assert list(broken(page)) == ["#a-b-c-2", "page.md#nowhere", "no.png"]
