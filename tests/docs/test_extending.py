"""The guide on plug-ins: its code blocks become a distribution, whose five plug-ins take part in a run."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.docs.test_console import DOCS, ROOT, blocks

GUIDE = DOCS / "guides" / "extending.md"

PROMPT = '{{role "system"}}\nAnswer with JSON.\n{{role "user"}}\n{{message}}\n'
# Answers the prompt above with French quotation marks, and any other with a sentence.
MODEL = """\
import re, sys
text = sys.stdin.read()
[number] = re.findall(r"[A-Z]-\\d{4}", text)
print(f"{{«order»: «{number}»}}" if "JSON" in text else f"It is order {number}.")
"""
TICKETS = [
    {"ticket": 1, "question": "Where is S-2291?", "reply": "{«order»: «S-2291»}", "accepted": False},
    {"ticket": 2, "question": "A-7711 is broken", "reply": '{"order": "A-7711"}', "accepted": True},
    {"ticket": 3, "question": "Hello"},
]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_blocks(kind: str, folder: Path) -> None:
    """Write each block that begins with the name of its file."""
    for block in blocks(GUIDE, kind):
        write(folder / block.partition("\n")[0].removeprefix("# "), block)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The distribution of the guide, as an installer leaves it."""
    site = tmp_path / "site"
    write_blocks("python", site)
    write_blocks("toml", tmp_path / "sources")
    project = tomllib.loads((tmp_path / "sources" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = site / "promptbench_shop-1.0.dist-info"
    write(about / "METADATA", f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    write(about / "entry_points.txt", "\n".join(groups))
    return site


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose model is a program, with a prompt in use that fails, and a log."""
    root = tmp_path / "project"
    settings = (block for block in blocks(GUIDE, "toml") if block.startswith("# promptbench.toml"))
    write(root / "promptbench.toml", next(settings).replace("python3", Path(sys.executable).as_posix()))
    write_blocks("yaml", root)
    write(root / "model.py", MODEL)
    write(root / "suites/orders/orders.prompt", PROMPT)
    write(root / "orders.old.prompt", "{{message}}\n")
    write(root / "tickets.jsonl", "".join(json.dumps(ticket) + "\n" for ticket in TICKETS))
    return root


@pytest.mark.slow
def test_an_outside_distribution_brings_a_plug_in_of_each_kind(site: Path, project: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{site}", "PYTHONUTF8": "1"}

    def promptbench(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "promptbench", *words],
            cwd=project, env=environ, capture_output=True, encoding="utf-8", timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    promptbench("adopt", "orders.old.prompt", "--reason", "in use")
    [commands] = blocks(GUIDE, "sh")
    imported, tested, run = (promptbench(*shlex.split(line)[1:]) for line in commands.splitlines())
    assert "tickets.jsonl: helpdesk" in imported
    assert "line 3" in imported
    assert "guillemets counts (safe)" in tested
    assert "fixed 2 of 2 failing cases" in run
    verdict = (project / "verdict.txt").read_text(encoding="utf-8")
    assert verdict.startswith("✅ orders: PASS: fixed 2 of 2 failing cases")
    assert "The answer has the customer's order number" in promptbench("explain", "order number")
    assert "guillemets" in promptbench("repairs", "list")
