"""Markdown as GitHub's readers parse it: by markdown-it with tables, which knows the same rules."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from promptbench.report.document import Target
from promptbench.report.renderers.markdown import LIMIT
from promptbench.report.words import clean, excerpt
from tests.report import kit
from tests.report.golden import check

READER = MarkdownIt("gfm-like", {"linkify": False, "html": True})


def cells(text: str) -> list[list[str]]:
    """What stands in the cells of all tables, row by row."""
    found: list[list[str]] = []
    tokens = READER.parse(text)
    for before, token in pairwise(tokens):
        if before.type == "tr_open":
            found.append([])
        if before.type in ("td_open", "th_open"):
            found[-1].append("".join(child.content for child in token.children or ()))
    return found


def inline(text: str) -> list[Token]:
    return [child for token in READER.parse(text) for child in token.children or ()]


def test_golden() -> None:
    check("markdown.md", kit.rendered("markdown", [kit.report()], Target()))


def test_figures_and_cases_are_tables() -> None:
    found = cells(kit.rendered("markdown", [kit.report()], Target()))
    assert found[0][:4] == ["model", "side", "prompt", "answers"]
    by_case = {row[1]: row for row in found if len(row) == 6}
    assert by_case["markup in the answer"][3:] == [
        "3/11",
        f'expected {{"team":"billing"}}, got {kit.MARKUP}',
        "suites/triage/suite.yaml:31",
    ]
    assert "lines | bars in the answer" in by_case


def test_the_verdict_comes_first() -> None:
    tokens = READER.parse(kit.rendered("markdown", [kit.passed()], Target()))
    assert tokens[1].content == "✅ triage: PASS"
    text = "".join(child.content for child in tokens[4].children or ())
    assert text == kit.passed().sentence


@given(
    st.sampled_from(
        [kit.MARKUP, "a|b`c``", "<img src=x onerror=alert(1)>", "@everyone", "[x](http://e.org)", "| - | _*~"]
    )
    | st.text(alphabet=st.characters(exclude_categories=()))
)
def test_no_text_is_markup(text: str) -> None:
    item = kit.result(
        text, "broken", 0, 1, answer=text, reasons=(f"expect: {text}",), model=text, expected=text, file=text
    )
    report = kit.report(
        suite=text, sentence=f"FAIL: {text}", reproduce=text, notes=[text], errors=[text], results=[item],
        rows=[kit.row(text, "candidate", text)], judgements=[kit.judgement(text, sentence=text)], comparisons=[text],
        waits=[], flips=[],
    )  # fmt: skip
    shown = kit.rendered("markdown", [report], Target())
    kinds = [token.type for token in inline(shown)]
    assert {*kinds} <= {"text", "text_special", "code_inline", "hardbreak", "softbreak", "strong_open", "strong_close"}
    assert kinds.count("strong_open") == 1, "the state of the one case"
    assert not any(token.type.startswith("html") for token in READER.parse(shown))
    [row] = [row for row in cells(shown) if len(row) == 6 and row[0] == "broken"]
    # A code span loses one space at either end, and so does a cell.
    assert row[1].strip() == (excerpt(text, 300) or "(empty)").strip()
    texts = "".join(token.content for token in inline(shown) if token.type != "code_inline")
    assert clean(text).strip().replace("@", "@\u200b") in texts


def test_what_does_not_fit_is_mentioned() -> None:
    many = [kit.result(f"case {n}", "broken", 0, 1, answer="no " * 90) for n in range(1_000)]
    text = kit.rendered("markdown", [kit.report(results=many)], Target())
    assert LIMIT - 1_000 < len(text.encode()) <= LIMIT
    assert text.endswith("_Shortened: the rest is in `promptbench runs report r-20261124-093012-ab12`._\n")
    assert len([row for row in cells(text) if row[0] == "**broken**".strip("*")]) > 100
