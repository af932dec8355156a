"""A run is started and its candidate promoted in a real browser, with the mouse only."""

from __future__ import annotations

import shutil
from pathlib import Path
from threading import Thread

import pytest

from promptbench.cli.app import run
from promptbench.project import Project
from promptbench.web.app import create_app
from promptbench.web.security import Access
from promptbench.web.serve import _listen
from tests.helpers import browser
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import better

pytest.importorskip("playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.executable() is None, reason="there is no Chromium on this machine"),
    pytest.mark.xdist_group("browser"),
]


def test_a_run_is_started_and_promoted_with_the_mouse(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import uvicorn

    root = Path(shutil.copytree(judged, tmp_path / "project"))
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.chdir(root)
    suite = root / "suites" / "triage" / "suite.yaml"
    suite.write_text(suite.read_text().replace("I was charged twice", "I was charged three times"))
    listening = _listen(0)
    access = Access(listening.getsockname()[1], print)
    app = create_app(lambda: Project.open(root), access)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="critical"))
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with FakeOpenAI(better) as model, browser.launched() as chromium:
            (root / "promptbench.toml").write_text(f'[providers.openai]\nbase_url = "{model.base_url}"\n')
            page = chromium.new_page()
            page.goto(access.new_address())
            page.click("nav >> text=Runs")
            page.click("text=Start a run")
            page.click("#forecast button")
            page.click("text=PASS: the run", timeout=60_000)
            page.click("text=Promote")
            page.click("button:has-text('Promote')")
            page.wait_for_selector("text=promoted production: @1 → @2")
    finally:
        server.should_exit = True
        thread.join(10)
    assert run(["store", "verify"]) == 0
