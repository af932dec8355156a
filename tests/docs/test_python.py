"""The guide on Python: its blocks are run one after the other in a project with a model behind HTTP."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import project, server
from tests.docs.test_console import DOCS, blocks
from tests.helpers.project import ProjectFolder

__all__ = ["project", "server"]


def test_the_examples_run(project: ProjectFolder, capsys: pytest.CaptureFixture[str]) -> None:
    project.adopt()
    names: dict[str, object] = {}
    printed = []
    for block in blocks(DOCS / "guides" / "python.md", "python"):
        exec(block, names)
        printed.append(capsys.readouterr().out.splitlines())
    ran, verdict, moved, client, answer, error = printed
    assert ran[0] == "triage ['openai/fake']"
    assert ran[1].startswith("PASS: fixed 2 of 2 failing cases")
    assert verdict[0] == "PASS 0"
    assert "openai/fake candidate 9/9" in verdict
    assert {"charged twice fixed", "late parcel fixed"} <= set(verdict)
    assert moved == ["triage@2 is now production", "triage@1 is now production"]
    assert client == []
    assert names["messages"] == [{"role": "user", "content": "Which team is this for? I was charged twice"}]
    assert answer == ["repaired_safe {'team': 'billing'}"]
    [line] = (project.root / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["prompt_version"] == names["prompt"].hash  # type: ignore[attr-defined]
    assert len(error) == 1
