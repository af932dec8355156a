"""From a log to a promoted prompt in a real browser, with the mouse only."""

from __future__ import annotations

import shutil
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from promptbench.cli.app import run
from tests.cli.test_capture import LOG
from tests.helpers import browser
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import SUITE, better

pytest.importorskip("playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.executable() is None, reason="there is no Chromium on this machine"),
    pytest.mark.xdist_group("browser"),
]


@pytest.mark.timeout(120)
def test_from_a_log_to_a_promoted_prompt_with_the_mouse(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(judged, tmp_path / "project"))
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.chdir(root)
    (root / "calls.jsonl").write_text(LOG, encoding="utf-8")
    assert run(["import", "calls.jsonl"]) == 0
    watched = Event()

    def answer(body: dict[str, Any]) -> str:
        assert watched.wait(60)
        return better(body)

    with FakeOpenAI(answer) as model, browser.serving(root) as access, browser.launched() as chromium:
        (root / "promptbench.toml").write_text(f'[providers.openai]\nbase_url = "{model.base_url}"\n')
        page = chromium.new_page()
        page.goto(access.new_address())
        page.click("nav >> text=Logs")
        page.locator("tr", has_text="Where is it?").locator("th a").first.click()
        page.wait_for_selector("text=INC-2031 fails on the logged answer")
        assert "json: only readable after repair" in page.locator("#proof li").first.inner_text()
        page.click("text=Add to suites/triage/suite.yaml")
        page.wait_for_selector("text=INC-2031 is in suites/triage")
        page.click("text=Start a run")
        page.click("label:has-text('triage.better.prompt')")
        page.wait_for_selector("#forecast >> text=triage.better.prompt against triage@1, 4 cases")
        page.click("#forecast button")
        page.click("text=Watch it", timeout=60_000)
        page.wait_for_selector("text=0 of at least")
        watched.set()
        page.wait_for_selector(".result:has-text('PASS')", timeout=60_000)
        page.click("text=Promote")
        page.click("button:has-text('Promote')")
        page.wait_for_selector("text=promoted production: @1 → @2")
    assert run(["store", "verify"]) == 0
    before, after = SUITE.split("gate:")
    added = (root / "suites/triage/suite.yaml").read_text(encoding="utf-8").removeprefix(before)
    assert added.startswith("  - case: INC-2031\n    vars:\n      message: |-\n        My parcel is late.\n")
    assert added.endswith(f"gate:{after}")
