"""Imported calls on the page: clusters, search, a case from a call with its proof, and what is fixed by now."""

from __future__ import annotations

import re
import shlex
from html import unescape
from pathlib import Path

import pytest

from promptbench.cli.app import run
from promptbench.project import Project
from tests.cli.test_capture import LOG
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import better
from tests.web.conftest import Viewer
from tests.web.test_pages import words

pytestmark = pytest.mark.xdist_group("web")
SUITE = {"suite": "suites/triage"}


@pytest.fixture
def logged(judged_copy: Viewer, monkeypatch: pytest.MonkeyPatch) -> Viewer:
    monkeypatch.chdir(judged_copy.root)
    (judged_copy.root / "calls.jsonl").write_text(LOG, encoding="utf-8")
    assert run(["import", "calls.jsonl"]) == 0
    return judged_copy


def call_id(viewer: Viewer, name: str) -> str:
    with Project.open(viewer.root, {}).runs() as runs:
        return runs.calls().get(name).id


def test_failures_by_cause_and_calls_are_searched(logged: Viewer) -> None:
    home = words(logged.text("/logs"))
    assert re.search(r"failing calls in \d clusters", home)
    assert "HTTP 503" in home
    assert home.count("Make a case") == 3
    assert "HTTP 503" not in words(logged.text("/logs?q=parcel"))
    assert "HTTP 503" not in words(logged.text("/logs?suite=suites/triage&model=old&q=expect"))
    assert "INC-2032" in words(logged.text("/logs?show=all&q=charged"))
    assert "INC-2031" not in words(logged.text("/logs?show=failed&q=charged&model=old"))
    assert "INC-2031" not in words(logged.text("/logs?show=all&since=2026-12-01"))
    assert "'since': Invalid isoformat string: 'soon'" in unescape(logged.get("/logs?since=soon").text)
    first, last = (logged.text(f"/logs?sort={sort}").find("HTTP 503") for sort in ("why", "-why"))
    assert 0 < first < last
    assert "Nothing is like that" in logged.text("/logs?show=all&skip=400")
    assert logged.get("/logs?suite=../x").status_code == 404
    assert logged.get("/logs/calls/nobody").status_code == 404


def test_a_call_becomes_a_case_after_its_proof_was_shown(logged: Viewer) -> None:
    path = f"/logs/calls/{call_id(logged, 'INC-2031')}"
    file = logged.root / "suites/triage/suite.yaml"
    before = file.read_text(encoding="utf-8")
    assert "Where is it?" in words(logged.text(path))
    shown = logged.text(f"{path}/case?suite=suites/triage&expect={{team: delivery}}&tag=eu, late")
    assert "INC-2031 fails on the logged answer" in words(shown)
    assert "json: only readable after repair" in words(shown)
    command = unescape(re.findall(r'<pre class="command"[^>]*>(.*?)</pre>', shown)[0])
    assert command.endswith("--expect '{team: delivery}' --tag eu --tag late")
    assert file.read_text(encoding="utf-8") == before
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', shown))
    fields = {name: unescape(value) for name, value in hidden.items() if name != "token"}
    file.write_text(f"# changed\n{before}", encoding="utf-8")
    assert "has changed since the preview" in logged.submit(f"{path}/case", **fields)
    file.write_text(before, encoding="utf-8")
    assert logged.submit(f"{path}/case", **fields) == "/cases?suite=suites%2Ftriage&saved=INC-2031"
    by_page = file.read_text(encoding="utf-8")
    file.write_text(before, encoding="utf-8")
    assert run(shlex.split(command)[1:]) == 0
    assert file.read_text(encoding="utf-8") == by_page
    assert "It is the case" in logged.text(f"{path}/case?suite=suites/triage")


@pytest.mark.parametrize(
    ("name", "query", "reason"),
    [
        ("INC-2032", "", "Its answer passes all its checks"),
        ("INC-2033", "", "the case &#39;hello&#39; already has the same input"),
        ("INC-2034", "", "It has no answer"),
        ("INC-2032", "&check=containz: x", "did you mean &#39;contains&#39;?"),
    ],
)
def test_what_is_refused_says_why(logged: Viewer, name: str, query: str, reason: str) -> None:
    path = f"/logs/calls/{call_id(logged, name)}/case"
    answer = logged.get(f"{path}?suite=suites/triage{query}", headers={"hx-request": "true"})
    assert reason.lower() in answer.text.lower()
    assert "Add to" not in answer.text
    if not query:
        assert reason.lower() in logged.submit(path, **SUITE).lower()


def test_what_is_fixed_by_now_without_a_call_and_with_calls_after_their_cost(logged: Viewer) -> None:
    assert "logged answers fail the checks of suites/triage/suite.yaml" in logged.text(
        "/logs/replay?suite=suites/triage"
    )
    with FakeOpenAI(better) as server:
        (logged.root / "promptbench.toml").write_text(f'[providers.openai]\nbase_url = "{server.base_url}"\n')
        cost = words(logged.submit("/logs/replay", **SUITE))
        assert "calls to openai/fake" in cost
        assert not server.received
        result = words(logged.submit("/logs/replay", **SUITE, go="1", calls="50"))
    assert server.received
    assert "fixed by triage.better" in result


def test_without_calls_or_suites_there_are_pages(tmp_path: Path) -> None:
    with Viewer(tmp_path) as page:
        assert "promptbench import FILE" in page.text("/logs")
        assert "promptbench init" in page.text("/cases")
