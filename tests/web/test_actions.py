"""What is changed on the page is what the command changes, with the same refusals."""

from __future__ import annotations

import re
import time
from threading import Event

import pytest

from promptbench.cli.app import run
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import better
from tests.web.conftest import Viewer
from tests.web.test_pages import newest, words

pytestmark = pytest.mark.xdist_group("web")


def base(page: str) -> str:
    [found] = set(re.findall(r'name="base" value="([^"]*)"', page))
    return found


def test_a_promotion_on_the_page_verifies_and_is_rolled_back(
    judged_copy: Viewer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(judged_copy.root)
    name = newest(judged_copy)
    page = judged_copy.text("/prompts/triage/change")
    assert "@1 is in production" in page
    assert re.search(r'<ins class="good">[^<]*\{\{role &#34;system&#34;\}\}', page)
    assert f"promptbench promote triage --run {name}" in page
    first = base(page)
    there = judged_copy.submit("/prompts/triage/promote", run=name, base=first, reason="it fixes two cases")
    assert there == "/prompts/triage"
    assert "promoted production: @1 → @2" in words(judged_copy.text(there))
    assert run(["store", "verify"]) == 0
    # The same form again, of a tab that was open meanwhile.
    late = words(judged_copy.submit("/prompts/triage/promote", run=name, base=first, reason="my own"))
    assert "has moved since this page was made nothing was done; it is @2 now: --- config" in late
    assert "What you sent run" in late
    assert "reason my own" in late
    page = judged_copy.text("/prompts/triage/change")
    assert "needs a reason" in judged_copy.submit("/prompts/triage/rollback", to="1", base=base(page), reason=" ")
    assert judged_copy.submit("/prompts/triage/rollback", to="1", base=base(page), reason="slow") == "/prompts/triage"
    assert judged_copy.submit("/prompts/triage/retire", base=first, reason="not used any more") == "/prompts/triage"
    assert "nothing is in production" in judged_copy.text("/prompts/triage/change")
    assert run(["store", "verify"]) == 0


def test_a_promotion_is_refused_as_by_the_command(judged_copy: Viewer) -> None:
    suite = judged_copy.root / "suites" / "triage" / "suite.yaml"
    suite.write_text(suite.read_text().replace("I was charged twice", "I was charged three times"))
    page = judged_copy.text("/prompts/triage/change")
    refused = judged_copy.submit("/prompts/triage/promote", run=newest(judged_copy), base=base(page))
    assert "stale evidence" in refused
    assert "its cases" in refused
    for fields in ({"run": "../x"}, {"run": "suites/triage/triage.better.prompt"}, {}):
        assert "not found" in judged_copy.submit("/prompts/triage/promote", base=base(page), **fields)


def test_a_run_is_offered_with_its_cost_and_command(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    page = viewer.text("/start")
    assert 'value="suites/triage/triage.better.prompt"' in page
    query = "suite=suites/triage&prompt=suites/triage/triage.better.prompt&max-cost=&max-calls=30"
    shown = words(viewer.get(f"/start?{query}", headers={"hx-request": "true"}).text)
    assert "triage.better.prompt against triage@1, 3 cases: 18 calls to openai/fake" in shown
    assert "promptbench run suites/triage --prompt suites/triage/triage.better.prompt --max-calls 30" in shown


def test_an_address_fills_the_form_of_a_run(viewer: Viewer) -> None:
    page = viewer.text("/start?suite=suites/triage&prompt=suites/triage/triage.better.prompt&max-calls=30")
    assert re.findall(r'value="([^"]*)" checked', page) == ["suites/triage/triage.better.prompt"]
    assert 'name="max-calls" value="30"' in page


@pytest.mark.parametrize(
    "query",
    [
        "suite=../elsewhere",
        "suite=suites/triage&prompt=../../etc/passwd",
        "suite=suites/triage&model=python/x.py:f",
        "suite=suites/triage&tag=--promote",
        "suite=suites/triage&max-calls=--promote",
        "suite=suites/triage&max-cost=1e9",
    ],
)
def test_only_what_is_offered_can_be_started(viewer: Viewer, query: str) -> None:
    assert "not found" in viewer.submit(f"/start?{query}", x="")
    assert not list((viewer.root / ".promptbench").glob("started/*"))


def test_what_was_not_started_is_not_found(viewer: Viewer) -> None:
    assert viewer.get("/started/x").status_code == 404
    assert "no run was started as" in viewer.submit("/started/x/stop", x="")


def eventually(viewer: Viewer, path: str, pattern: str) -> str:
    """Load a page until it has what is looked for, for as long as the test may take."""
    while not (found := re.search(pattern, words(page := viewer.text(path)))):
        assert "Traceback" not in page
        time.sleep(0.1)
    return found[0]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_started_run_survives_the_server_and_is_stopped_and_resumed(
    judged_copy: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = Event()

    def slow(body: dict[str, object]) -> str:
        stopped.wait(0.4)
        return better(body)

    monkeypatch.setenv("OPENAI_API_KEY", "test")
    root = judged_copy.root
    with FakeOpenAI(slow) as server:
        (root / "promptbench.toml").write_text(f'[providers.openai]\nbase_url = "{server.base_url}"\n')
        suite = root / "suites" / "triage" / "suite.yaml"
        suite.write_text(suite.read_text().replace("{repeats: 3}", "{repeats: 20}"))
        there = judged_copy.submit("/start?suite=suites/triage&max-calls=500", x="")
        eventually(judged_copy, there, r"[1-9]\d* of at least 120 attempts made")
        with Viewer(root) as another:  # the server that started it may be gone
            assert "has not ended" in another.submit(f"{there}/resume", x="")
            assert another.submit(f"{there}/stop", x="") == there
            eventually(another, there, "Resume")
            assert another.get(there, headers={"hx-request": "true"}).headers["hx-refresh"] == "true"
            assert "this run has ended" in another.submit(f"{there}/stop", x="")
            name = newest(another)
            stopped.set()
            again = another.submit(f"{there}/resume", x="")
            eventually(another, again, "PASS: the run")
            assert newest(another) == name
            eventually(another, "/start", "ended .* ended")
