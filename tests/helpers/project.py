"""A small project on disk, and the command line run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from promptbench.cli.app import run

V1 = "Which team is this for? {{message}}\n"
V2 = """\
---
config: {temperature: 0}
output: {schema: {team: string}}
---
{{role "system"}}
Answer with JSON.
{{role "user"}}
{{message}}
"""
SUITE = """\
suite: triage
prompt: triage.better.prompt
models: [openai/fake]
checks: [json]
cases:
  - case: charged twice
    vars: {message: I was charged twice}
    expect: {team: billing}
  - case: late parcel
    vars: {message: My parcel is late}
    expect: {team: delivery}
  - case: hello
    vars: {message: Hello}
    expect: {team: other}
gate: {repeats: 3}
"""
TEAMS = {"charged": "billing", "parcel": "delivery", "Hello": "other"}


def right(message: str) -> str:
    """The answer that the suite wants."""
    return json.dumps({"team": next(team for word, team in TEAMS.items() if word in message)})


def better(body: dict[str, Any]) -> str:
    """A model that answers the better prompt rightly, and the plain one rightly for `Hello` only."""
    text = body["messages"][-1]["content"]
    if body["messages"][0]["role"] == "system" or "Hello" in text:
        return right(text)
    return "It is for the billing team, I think."


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


class ProjectFolder:
    """A project's folder, and the command line in this process or in one of its own."""

    def __init__(self, root: Path, base_url: str, capture: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capture = capture
        self.write("promptbench.toml", f'[providers.openai]\nbase_url = "{base_url}"\n')
        self.write("suites/triage/suite.yaml", SUITE)
        self.write("suites/triage/triage.plain.prompt", V1)
        self.write("suites/triage/triage.better.prompt", V2)

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text
        self.write(path, text.replace(old, new))

    def run(self, *arguments: str) -> Ended:
        """The command in this process."""
        self._capture.readouterr()
        code = run(list(arguments))
        text = self._capture.readouterr()
        assert "Traceback" not in text.err, text.err
        return Ended(code, text.out, text.err)

    def adopt(self) -> None:
        ended = self.run("adopt", "suites/triage/triage.plain.prompt", "--reason", "in use")
        assert ended.code == 0, ended.err

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """The command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "promptbench", *arguments],
            cwd=self.root,
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
