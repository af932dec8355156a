"""What `run` prints, at 80 and 200 columns and in a pipe: golden files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import SUITE, V2, ProjectFolder, better
from tests.helpers.terminal import Terminal
from tests.report.golden import check

NAME = "triage.with-two-examples-and-a-system-message"
LONG = "I was charged twice, and the second time in another currency than the first"


def mixed(body: dict[str, Any]) -> str:
    """Fixes one of the cases that production fails, and breaks the one that it passes."""
    text = body["messages"][-1]["content"]
    if body["messages"][0]["role"] == "system" and "Hello" in text:
        return json.dumps({"team": "somebody", "reason": "a greeting without a question in it " * 20})
    return better(body) if "parcel" not in text else "It is late."


@pytest.mark.parametrize(
    "width", [pytest.param(80, marks=pytest.mark.slow), pytest.param(200, marks=pytest.mark.slow), 0]
)
def test_golden(project: ProjectFolder, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    project.adopt()
    project.write(
        "suites/triage/suite.yaml",
        SUITE.replace("triage.better", NAME).replace("case: charged twice", f"case: '{LONG}'"),
    )
    project.write(f"suites/triage/{NAME}.prompt", V2)
    server.script = mixed
    if not width:
        ended = project.run("run", "--promote")
        assert ended.code == 1
        check("run-pipe.txt", ended.out)
        assert project.run("prompts", "list").out == "triage: 1 version; production @1\n"
        return
    # No bar, so that the terminal shows the result only.
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", str(width))
    with Terminal(["run"], project.root) as terminal:
        assert terminal.end() == 1
    check(f"run-{width}.txt", terminal.shown)
