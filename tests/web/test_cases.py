"""The cases of a suite on the page: the list, and the form, which writes what `promptbench new case` writes."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape

import pytest

from promptbench.cli.app import run
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import SUITE, better
from tests.web.conftest import Viewer
from tests.web.test_pages import words

pytestmark = pytest.mark.xdist_group("web")
HERE = {"suite": "suites/triage"}
NEW = {
    "=case": "parcel is wet",
    "=vars.message": "My parcel is wet: who pays?\r\n12",
    "=expect.team": "delivery",
    "=check": "not contains",
    "value": "sorry",
    "=check 2": "contains",
    "value 2": "{any of: [wet, 'parcel'], whole words: yes}",
    "=was": '{"team": "billing",}',
    "tags": "wet, critical",
}


def suite(viewer: Viewer) -> str:
    return (viewer.root / "suites/triage/suite.yaml").read_text(encoding="utf-8")


def form(viewer: Viewer, name: str = "") -> dict[str, str]:
    """What a browser would send of the form of a case."""
    page = viewer.get("/cases/edit", params={"suite": "suites/triage", "name": name}).text
    inside = page[page.index('id="case"') : page.index("</form>", page.index('id="case"'))]
    found = dict(re.findall(r'<input (?:type="hidden" )?name="([^"]*)" value="([^"]*)"', inside))
    found |= dict(re.findall(r'<textarea name="([^"]*)"[^>]*>\n(.*?)</textarea>', inside, re.DOTALL))
    for select, options in re.findall(r'<select name="([^"]*)"[^>]*>(.*?)</select>', inside, re.DOTALL):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', options)
        found[select] = (chosen[1] or chosen[2]) if chosen else ""
    return {unescape(key): unescape(value) for key, value in found.items()}


def check(viewer: Viewer, **fields: str) -> str:
    headers = {"sec-fetch-site": "same-origin", "x-token": viewer.access.token, "hx-request": "true"}
    return viewer.post("/cases/check", data={**HERE, **fields}, headers=headers).text


def test_the_list_is_searched_filtered_and_paged(judged_copy: Viewer) -> None:
    folder = judged_copy.root / "suites" / "triage"
    assert "3 cases" in words(judged_copy.text("/cases"))
    shown = words(judged_copy.text("/cases?suite=suites/triage&q=PARCEL"))
    assert "1 case of 3" in shown
    assert "late parcel My parcel is late team: delivery" in shown
    assert "No case is like that" in judged_copy.text("/cases?q=nothing&skip=700")
    listed = {
        sort: re.findall('<a href="/cases/edit[^>]*>([a-z ]+)</a>', judged_copy.text(f"/cases?sort={sort}"))
        for sort in ("name", "-expected", "x")
    }
    assert listed["name"] == ["charged twice", "hello", "late parcel"]
    assert listed["-expected"] == ["hello", "late parcel", "charged twice"]
    assert listed["x"] == ["charged twice", "late parcel", "hello"]
    assert judged_copy.text("/cases?sort=-tags").count('aria-sort="descending"') == 1
    assert judged_copy.get("/cases?suite=../triage").status_code == 404
    lines = [json.dumps({"case": f"no {n}", "vars": {"message": f"parcel {n}"}, "tags": ["bulk"]}) for n in range(150)]
    (folder / "more.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "suite.yaml").write_text(SUITE[: SUITE.index("cases:")] + "cases: more.jsonl\n")
    shown = words(judged_copy.text("/cases?tag=bulk&skip=100"))
    assert "bulk 150" in shown
    assert "101 to 150" in shown
    judged_copy.submit("/cases/edit", **form(judged_copy, "no 7") | {"=vars.message": "letter"})
    assert (folder / "more.jsonl").read_text() == "\n".join(lines).replace('parcel 7"', 'letter"') + "\n"
    (folder / "suite.yaml").write_text("suite: [")
    assert "close what is open above" in judged_copy.text("/cases")


def test_a_case_written_here_equals_that_of_new_case(judged_copy: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(judged_copy.root)
    written = form(judged_copy) | NEW
    command = re.search(r'<pre class="command"[^>]*>(.*?)</pre>', check(judged_copy, **written), re.DOTALL)
    assert command
    assert run(shlex.split(unescape(command[1]))[1:]) == 0
    by_command = suite(judged_copy)
    (judged_copy.root / "suites/triage/suite.yaml").write_text(SUITE, encoding="utf-8")
    assert judged_copy.submit("/cases/edit", **written).startswith("/cases?suite=suites%2Ftriage&saved=parcel")
    assert suite(judged_copy) == by_command
    assert "whole words: 'yes'" in by_command or "whole words: yes" in by_command


def test_a_form_that_is_not_touched_changes_nothing_and_an_edit_only_its_lines(judged_copy: Viewer) -> None:
    path = judged_copy.root / "suites/triage/suite.yaml"
    by_hand = SUITE.replace(
        "    vars: {message: Hello}\n    expect: {team: other}\n",
        "    vars: { message: 'Hello' }   # a greeting\n    expect: {team:   other}\n"
        "    checks: [{contains: {any of: [team, 1.10]}}, {regex: '^[{]', weight: 2}, json]\n"
        "    threshold: 0.50\n    tags: [easy]\n",
    )
    path.write_text(by_hand, encoding="utf-8")
    assert "nothing changes" in check(judged_copy, **form(judged_copy, "hello"))
    judged_copy.submit("/cases/edit", **form(judged_copy, "hello") | {"=expect.team": "billing"})
    assert suite(judged_copy) == by_hand.replace("{team:   other}", "{team: billing}")
    judged_copy.submit("/cases/edit", **form(judged_copy, "hello") | {"=case": "good day", "tags": ""})
    assert suite(judged_copy) == (
        by_hand.replace("{team:   other}", "{team: billing}")
        .replace("case: hello", "case: good day")
        .replace("    tags: [easy]\n", "")
    )


@pytest.mark.parametrize(
    ("changes", "at", "said"),
    [
        ({"=vars.message": ""}, "vars.message", "has no value for {{message}}"),
        ({"=case": "hello"}, "case", "'hello (2)' is free"),
        ({"=check": "containz"}, "check", "did you mean 'contains'?"),
        ({"=check": "contains", "value": "[a, b"}, "value", "is not closed"),
        ({"=check": "count", "value": "{of: words}"}, "value", "count"),
        ({"=was": '{"team": "delivery"}', "=check": "", "value": "", "=check 2": "", "value 2": ""}, "was", "passes"),
        ({"=check": "", "value": "lost"}, "value", "this value has no check"),
    ],
)
def test_problems_are_at_their_fields(viewer: Viewer, changes: dict[str, str], at: str, said: str) -> None:
    part = check(viewer, **form(viewer) | NEW | changes)
    [found] = re.findall(rf'<p class="problem" id="at-{at}" hx-swap-oob="true">(.*?)</p>', part, re.DOTALL)
    assert said in unescape(found)
    before = suite(viewer)
    assert said in unescape(viewer.submit("/cases/edit", **HERE, **NEW | changes))
    assert suite(viewer) == before


def test_a_file_that_changed_meanwhile_is_shown_and_not_overwritten(judged_copy: Viewer) -> None:
    path = judged_copy.root / "suites/triage/suite.yaml"
    first = form(judged_copy, "hello") | {"=expect.team": "mine"}
    path.write_text(SUITE.replace("{team: other}", "{team: theirs}"), encoding="utf-8")
    headers = {"sec-fetch-site": "same-origin", "x-token": judged_copy.access.token}
    answer = judged_copy.post("/cases/edit", data=first, headers=headers)
    assert answer.status_code == 409
    assert "theirs" in words(answer.text).partition("What you wrote")[0]
    assert "mine" in words(answer.text).partition("What you wrote")[2]
    assert suite(judged_copy) == SUITE.replace("{team: other}", "{team: theirs}")
    path.write_text(SUITE.replace("  - case: hello\n    vars: {message: Hello}\n    expect: {team: other}\n", ""))
    assert "No case has the name hello any more" in judged_copy.submit("/cases/edit", **first)


def test_a_case_is_deleted_after_its_lines_were_shown(judged_copy: Viewer) -> None:
    path = judged_copy.root / "suites/triage/suite.yaml"
    asked = {**HERE, "name": "late parcel"}
    page = judged_copy.submit("/cases/remove", **asked)
    assert "<del>-  - case: late parcel</del>" in page
    assert suite(judged_copy) == SUITE
    [base] = re.findall(r'name="base" value="([^"]*)"', page)
    path.write_text(f"# new\n{SUITE}", encoding="utf-8")
    late = judged_copy.submit("/cases/remove", **asked, base=base, go="1")
    assert "has changed since this form was opened" in late
    assert "What you sent suite suites/triage name late parcel" in words(late)
    path.write_text(SUITE, encoding="utf-8")
    assert judged_copy.submit("/cases/remove", **asked, base=base, go="1").startswith("/cases?suite=suites%2Ftriage")
    assert suite(judged_copy) == SUITE.replace(
        "  - case: late parcel\n    vars: {message: My parcel is late}\n    expect: {team: delivery}\n", ""
    )
    assert "case 'late parcel' not found" in unescape(judged_copy.submit("/cases/remove", **asked))


def test_a_case_is_tried_on_one_model_after_its_cost_was_shown(judged_copy: Viewer) -> None:
    settings = judged_copy.root / "promptbench.toml"
    with FakeOpenAI(better) as server:
        settings.write_text(f'[providers.openai]\nbase_url = "{server.base_url}"\n')
        written = form(judged_copy) | NEW | {"=vars.message": "parcel", "=was": "", "model": "openai/fake"}
        cost = words(judged_copy.submit("/cases/try", **written))
        assert "1 call to openai/fake" in cost
        assert "a price is unknown, so no cost limit can be kept" in cost
        assert not server.received
        result = words(judged_copy.submit("/cases/try", **written, go="1"))
    assert len(server.received) == 1
    assert "failed" in result
    assert '{"team": "delivery"}' in result
    assert "contains" in result
    assert suite(judged_copy) == SUITE


def test_read_only_shows_cases_and_has_no_form_to_send(judged_copy: Viewer) -> None:
    with Viewer(judged_copy.root, read_only=True) as page:
        assert "New case" not in page.text("/cases")
        shown = page.text("/cases/edit?suite=suites/triage&name=hello").partition("<main")[2].partition("</main>")[0]
        assert "<form" not in shown
        assert 'message": "Hello' in words(shown)
