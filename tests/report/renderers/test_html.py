"""The page as a text: what is in it, what is not, and how large it is."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from promptbench.metrics.nlu import LabelScore
from promptbench.report.document import Target
from promptbench.report.figures import Confused, Nlu, NluComparison, NluSummary, Part
from promptbench.report.model import FlipRow
from tests.report import kit
from tests.report.explored import OUT_OF_PAGE, explored, report


def test_a_thousand_cases_are_a_small_file() -> None:
    page = kit.rendered("html", [report(1_000)], Target())
    assert len(page.encode()) < 600_000


def test_equal_reports_are_equal_pages() -> None:
    assert kit.rendered("html", [report(8)], Target()) == kit.rendered("html", [report(8)], Target())


def test_nothing_in_it_is_loaded_or_runs_but_what_the_policy_names() -> None:
    page = kit.rendered("html", [report(8)], Target())
    [policy] = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.findall(r"<(?:link|iframe|object|embed|img|base|form)\b", page)
    assert not re.findall(r"<[^>]*\s(?:on\w+|style)=|javascript:", page.partition("<main>")[2].partition("<script>")[0])
    assert re.findall(r"<script(?![^>]*octet-stream)", page) == ["<script"]
    assert "http" not in page.replace("http-equiv", "").partition("<main>")[0].partition("<style>")[0]


def test_foreign_text_is_no_markup() -> None:
    hostile = kit.flip(OUT_OF_PAGE, "broken", kit.side(1, 1), kit.side(0, 1, OUT_OF_PAGE, OUT_OF_PAGE))
    texts: Any = dict.fromkeys(("suite", "run", "sentence", "result", "reproduce", "path", "started"), OUT_OF_PAGE)
    rows = [kit.row(OUT_OF_PAGE, OUT_OF_PAGE, OUT_OF_PAGE), kit.row("b", "candidate", "m")]
    lists: Any = {name: [OUT_OF_PAGE] for name in ("notes", "errors", "waits", "comparisons", "unjudged", "advisory")}
    page = kit.rendered(
        "html", [kit.report(flips=[hostile], rows=rows, **texts, **lists, explored=explored(8))], Target()
    )
    assert page.count("<script") == page.count("</script>") == 3
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_what_could_not_be_seen_is_shown_by_a_sign() -> None:
    texts = [kit.ESCAPES, kit.RIGHT_TO_LEFT, kit.SURROGATE, "a\x00b"]
    page = kit.rendered("html", [kit.report(rows=[], notes=texts, sentence="FAIL: " + kit.ESCAPES)], Target())
    assert "\\u001b[2J" in page
    assert "\\u202egnp.exe" in page
    assert "\ufffd" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_several_suites_are_one_page() -> None:
    page = kit.rendered("html", [report(3), kit.passed(suite="utterances", explored=explored(2))], Target())
    assert '<a href="#run=1"><span class="tag good">PASS</span> utterances</a>' in page
    assert page.count('<section class="run"') == 2
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_a_report_without_single_attempts_has_no_list_of_cases() -> None:
    page = kit.rendered("html", [kit.report(rows=[])], Target())
    assert 'class="explorer"' not in page
    assert '<h3><span class="tag bad">broken (2)</span>' in page
    assert 'href="#run' not in page


def test_a_flip_shows_what_was_expected_what_came_and_why() -> None:
    right, wrong = '{"team": "billing"}', '{"team": "delivery"}'
    reason = "expect: team is 'delivery', not 'billing'"
    broken = kit.flip("one", "broken", kit.side(8, 8, right), kit.side(0, 8, wrong, reason), expected=right)
    fixed = kit.flip("two", "fixed", kit.side(0, 8, wrong, reason), kit.side(8, 8, right), expected=right)
    page = kit.rendered("html", [kit.passed(rows=[], flips=[broken, fixed])], Target())
    [one] = re.findall(r'<dl class="said">(.*?)</dl>', page, re.DOTALL)
    quoted = "{&#34;team&#34;: &#34;%s&#34;}"
    marks = quoted % '<del class="good">billing</del><ins class="bad">delivery</ins>'
    assert one.strip().splitlines() == [
        "<dd>expect: team is &#39;delivery&#39;, not &#39;billing&#39;</dd>",
        f'<dt>production</dt><dd class="mono">{quoted % "billing"}</dd>',
        f'<dt>expected → candidate</dt><dd class="mono">{marks}</dd>',
    ]
    assert "<p>two</p>" in page


def test_many_failures_are_grouped_by_their_cause() -> None:
    def failing(number: int, cause: str) -> FlipRow:
        return kit.flip(f"{cause} {number}", "still failing", None, kit.side(0, 1, "no", cause), cause=cause)

    flips = [failing(number, cause) for cause, count in (("rare", 1), ("often", 40)) for number in range(count)]
    page = kit.rendered("html", [kit.passed(rows=[], flips=flips, explored=explored(0))], Target())
    assert "40 cases: often" in page
    assert page.count('<dl class="said">') == 10
    assert page.index(">often 0<") < page.index(">rare 0<")
    assert "and 31 more: " in page
    assert "and 11 others</p>" in page


def test_intents_and_answers_have_their_figures() -> None:
    part = Part(9, 10, 0.55, 0.99)
    score = LabelScore(0.9, 0.8, 0.85, 10, 0.7, 0.95)
    nothing: Any = dict.fromkeys(("in_scope", "out_of_scope", "micro", "weighted", "slots", "exact", "confidence"))
    confused = [Confused("billing", "delivery", 3, 1, "one", "where is it")]
    summary = NluSummary(
        *("triage.few-shot", "candidate", "gguf/smollm2-135m"),
        accuracy=part,
        macro=score,
        intents={},
        confused=confused,
        outside={},
        outside_count=0,
        unread=0,
        by_slot={},
        **nothing,
    )
    compared = NluComparison("a", "b", 10, 4, 1, 0.03, stands=True)
    page = kit.rendered("html", [kit.report(rows=[], nlu=Nlu([summary], [compared]))], Target())
    assert """<th scope="row">intent accuracy</th><td>90.0 % (55.0–99.0)</td><td>10 cases</td>""" in page
    assert "<li>3 × delivery for billing, and 1 the other way: where is it</li>" in page
    assert "<p>a compared with b: 4 intents right that the other has wrong, 1 the other way" in page


def test_no_verdict_no_figures_no_cases() -> None:
    empty = replace(
        kit.passed(), result="NO VERDICT", sentence="NO VERDICT", rows=[], flips=[], judgements=[], log=None
    )
    page = kit.rendered("html", [replace(empty, explored=explored(0))], Target())
    assert '<p class="result">NO VERDICT</p>' in page
    assert "Prompts and models" not in page
