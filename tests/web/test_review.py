"""Marks made on the page: what they say, who agrees, and what becomes of them."""

from __future__ import annotations

import html
import json
import re

import pytest

from promptbench.workflows.trust.reviews import read_marks
from tests.web.conftest import Viewer
from tests.web.test_pages import words

pytestmark = pytest.mark.xdist_group("web")


def mark(viewer: Viewer, page: str, label: str, **more: str) -> str:
    """Press a button of the form on a page, and return the page after it."""
    form = page.partition('<form method="post" action="/review"')[2].partition("</form>")[0]
    fields = {name: html.unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)">', form)}
    there = viewer.submit("/review", **{**fields, "label": label, **more})
    return viewer.text(there) if there.startswith("/review") else there


def test_answers_are_marked_one_by_one_and_a_mark_is_taken_back(judged_copy: Viewer) -> None:
    folder = judged_copy.root / "suites" / "triage"
    page = judged_copy.text("/review?reviewer=Ann")
    assert "1 of 5 answers, 5 without your mark" in words(page)
    page = mark(judged_copy, page, "fail", **{"should be": '{"team": "billing"}', "note": "no JSON"})
    assert "2 of 5 answers, 4 without your mark" in words(page)
    page = mark(judged_copy, page, "pass")
    assert "3 of 5 answers, 3 without" in words(page)
    first, second = read_marks(folder, "answer")
    assert (first.label, first.should_be, first.note, first.reviewer) == (
        "fail",
        '{"team": "billing"}',
        "no JSON",
        "Ann",
    )
    assert (second.label, second.should_be) == ("pass", "")
    page = judged_copy.text("/review?reviewer=Ann&n=1")
    assert "2 of 5 answers, 4 without" in words(mark(judged_copy, page, "withdrawn"))
    assert read_marks(folder, "answer") == [first]
    lines = [json.loads(line) for line in (folder / "reviews.jsonl").read_text().splitlines()]
    assert [line["label"] for line in lines] == ["fail", "pass", "withdrawn"]


def test_two_reviewers_are_compared(judged_copy: Viewer) -> None:
    for reviewer, labels in {"Ann": "pass fail pass pass", "Bob": "pass fail fail pass"}.items():
        page = judged_copy.text(f"/review?reviewer={reviewer}")
        for label in labels.split():
            page = mark(judged_copy, page, label)
    # By hand: 3 of 4 are the same; by chance (3/4 · 2/4 + 1/4 · 2/4) = 1/2; so kappa is (3/4 − 1/2) / (1 − 1/2).
    assert re.search(r"Ann and Bob 4 0\.50 \(", words(page))


def test_a_right_answer_becomes_the_expected_one(judged_copy: Viewer) -> None:
    suite = judged_copy.root / "suites" / "triage" / "suite.yaml"
    suite.write_text(suite.read_text().replace("{team: billing}", "{team: money}"))
    page = judged_copy.text("/review?reviewer=Ann")
    mark(judged_copy, page, "fail", **{"should be": '{"team": "billing"}'})
    page = judged_copy.text("/review?reviewer=Ann&n=0")
    fields = dict(re.findall(r'name="(suite|reviewer|n|base)" value="([^"]*)"', page))
    preview = judged_copy.submit("/review/expect", **fields)
    assert "+    expect: {team: billing}" in html.unescape(preview)
    hash_ = re.findall(r'name="hash" value="([^"]*)"', preview)[0]
    before = suite.read_text()
    suite.write_text(before + "# by hand\n")
    assert "has changed since" in judged_copy.submit("/review/expect", **fields, hash=hash_)
    assert suite.read_text() == before + "# by hand\n"
    suite.write_text(before)
    assert judged_copy.submit("/review/expect", **fields, hash=hash_).startswith("/cases?")
    assert "expect: {team: billing}" in suite.read_text()
    assert "was: It is for the billing team, I think." in suite.read_text()


def test_who_was_too_late_keeps_what_they_wrote(viewer: Viewer) -> None:
    late = words(viewer.submit("/review", label="fail", n="0", base="sha256:0", note="too short"))
    assert "nothing was saved; in its place is now 'charged twice': It is for the billing team, I think." in late
    assert "What you sent label fail note too short" in late


def test_generated_cases_are_reviewed_and_the_accepted_ones_are_added(judged_copy: Viewer) -> None:
    sheet = judged_copy.root / "review.csv"
    sheet.write_text("case,review,reviewer,vars.message,expect.team\nlate,,,It is late,delivery\nodd,,,What?,other\n")
    page = judged_copy.text("/review?reviewer=Ann&sheet=review.csv")
    assert "message It is late" in words(page)
    page = mark(judged_copy, page, "yes")
    page = mark(judged_copy, page, "no")
    assert "0 without your mark" in words(page)
    added = judged_copy.submit("/review/take", suite="suites/triage", sheet="review.csv", reviewer="Ann")
    assert "1 case added to suites/triage/suite.yaml" in words(added)
    assert "- case: late\n" in (judged_copy.root / "suites" / "triage" / "suite.yaml").read_text()
    again = judged_copy.submit("/review/take", suite="suites/triage", sheet="review.csv", reviewer="Ann")
    assert "0 cases added" in words(again)


@pytest.mark.parametrize(
    ("path", "fields", "message"),
    [
        ("/review", {"label": "pass", "n": "0", "base": "sha256:0"}, "not the newest run"),
        ("/review", {"label": "pass", "n": "x"}, "not the newest run"),
        ("/review", {"label": "pass", "n": "99999999"}, "not the newest run"),
        ("/review", {"sheet": "../secret.csv"}, "not found"),
        ("/review", {"sheet": "suites/triage/triage.plain.prompt"}, "not found"),
        ("/review", {"suite": "../.."}, "not found"),
        ("/review/take", {"suite": "suites/triage"}, "unknown spreadsheet format"),
        ("/review/expect", {"n": "0"}, "not the newest run"),
    ],
)
def test_nothing_else_can_be_marked(viewer: Viewer, path: str, fields: dict[str, str], message: str) -> None:
    assert message in words(viewer.submit(path, **fields))
    assert not list(viewer.root.glob("**/reviews.jsonl"))
