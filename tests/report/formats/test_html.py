"""The page as a text: what is in it, what is not, and how large it is."""

from __future__ import annotations

import builtins
import re
from dataclasses import replace
from typing import Any

import pytest

from promptbench.report.formats import html
from promptbench.report.words import Target
from tests.report import kit
from tests.report.explored import OUT_OF_PAGE, explored, report


def test_a_thousand_cases_are_a_small_file() -> None:
    page = html.render([report(1_000)], Target())
    assert len(page.encode()) < 600_000


def test_equal_reports_are_equal_pages() -> None:
    assert html.render([report(8)], Target()) == html.render([report(8)], Target())


def test_nothing_in_it_is_loaded_or_runs_but_what_the_policy_names() -> None:
    page = html.render([report(8)], Target())
    [policy] = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.findall(r"<(?:link|iframe|object|embed|img|base|form)\b", page)
    assert not re.findall(r"\son\w+=|\sstyle=|javascript:", page.partition("<script>")[0])
    assert re.findall(r"<script(?![^>]*octet-stream)", page) == ["<script"]
    assert "http" not in page.replace("http-equiv", "").partition("<main>")[0].partition("<style>")[0]


def test_foreign_text_is_no_markup() -> None:
    hostile = kit.flip(OUT_OF_PAGE, "broken", kit.side(1, 1), kit.side(0, 1, OUT_OF_PAGE, OUT_OF_PAGE))
    texts: Any = dict.fromkeys(("suite", "run", "sentence", "result", "reproduce", "path", "started"), OUT_OF_PAGE)
    rows = [kit.row(OUT_OF_PAGE, OUT_OF_PAGE, OUT_OF_PAGE), kit.row("b", "candidate", "m")]
    lists: Any = {name: [OUT_OF_PAGE] for name in ("notes", "errors", "waits", "comparisons", "unjudged", "advisory")}
    page = html.render([kit.report(flips=[hostile], rows=rows, **texts, **lists, explored=explored(8))], Target())
    assert page.count("<script") == page.count("</script>") == 3
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_what_could_not_be_seen_is_shown_by_a_sign() -> None:
    texts = [kit.ESCAPES, kit.RIGHT_TO_LEFT, kit.SURROGATE, "a\x00b"]
    page = html.render([kit.report(notes=texts, sentence="FAIL: " + kit.ESCAPES)], Target())
    assert "\\u001b[2J" in page
    assert "\\u202egnp.exe" in page
    assert "\ufffd" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_several_suites_are_one_page() -> None:
    page = html.render([report(3), kit.passed(suite="utterances", explored=explored(2))], Target())
    assert '<a href="#run=1"><span class="tag good">PASS</span> utterances</a>' in page
    assert page.count('<section class="run"') == 2
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_without_matplotlib_it_says_how_to_get_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    known = builtins.__import__

    def absent(name: str, *arguments: Any, **words: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return known(name, *arguments, **words)

    monkeypatch.setattr(builtins, "__import__", absent)
    page = html.render([report(3)], Target())
    assert "pip install 'promptbench-gate[report]'" in page
    assert "<svg" not in page


def test_a_report_without_single_attempts_has_no_list_of_cases() -> None:
    page = html.render([kit.report()], Target())
    assert 'class="explorer"' not in page
    assert "<h3>What changed</h3>" in page


def test_no_verdict_no_figures_no_cases() -> None:
    empty = replace(
        kit.passed(), result="NO VERDICT", sentence="NO VERDICT", rows=[], flips=[], judgements=[], log=None
    )
    page = html.render([replace(empty, explored=explored(0))], Target())
    assert '<p class="result">NO VERDICT</p>' in page
    assert "<h3>Prompts and models</h3>" not in page
