"""What the shell is offered, as it calls the command line, and what a mistyped command gets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from promptbench.cli.app import run
from tests.helpers.project import ProjectFolder


def completed(monkeypatch: pytest.MonkeyPatch, project: ProjectFolder, *words: str) -> list[str]:
    """Return what bash is offered for the last of the words."""
    monkeypatch.setenv("_PROMPTBENCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(["promptbench", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    return project.run().out.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["com"], ["compare"]),
        (["runs", "re"], ["report", "rescore"]),
        (["run", "sui"], ["suites/triage"]),
        (["run", "--model", "op"], ["openai/fake"]),
        (["run", "--format", "ju"], ["junit"]),
        (["run", "--format", "=", "ju"], ["junit"]),
        (["get", "tri"], ["triage@production"]),
        (["get", "triage", "@", "prod"], ["@production"]),
        (["prompts", "diff", "triage@production", "triage", "@"], ["@production"]),
        (["rollback", ""], ["triage"]),
        (["runs", "show", "la"], ["latest"]),
        (["explain", "json-"], ["json-schema"]),
        (["explain", "red"], ["red-first"]),
        (["docs", "verd"], ["verdict"]),
        (["run", "--prompt", "suites/"], []),
    ],
    ids=" ".join,
)
def test_bash(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch, words: list[str], offered: list[str]) -> None:
    project.adopt()
    assert completed(monkeypatch, project, *words) == offered


def test_a_broken_project_completes_nothing(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("promptbench.toml", "[")
    assert completed(monkeypatch, project, "run", "") == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_that_bash_reads(project: ProjectFolder) -> None:
    """The function that the script defines, called as bash calls it."""
    project.adopt()
    words = "COMP_WORDS=(promptbench get triage @ pro); COMP_CWORD=4"
    command = f"{sys.executable} -m promptbench"
    script = f'promptbench() {{ {command} "$@"; }}; eval "$(_PROMPTBENCH_COMPLETE=source_bash promptbench)"\n'
    own = project.write("bin/promptbench", f'#!/bin/sh\nexec {command} "$@"\n')
    own.chmod(0o755)
    done = subprocess.run(
        ["bash", "--norc", "-c", f'{script}{words}; _promptbench_completion {own}; echo "${{COMPREPLY[@]}}"'],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "@production\n", done.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["rum"], "did you mean `promptbench run`?"),
        (["runs", "lst"], "did you mean `promptbench runs list`?"),
        (["history"], "did you mean `promptbench prompts history` or `promptbench runs history`?"),
        (["xyz"], "`promptbench --help` lists the commands"),
        (["runs", "xyz"], "`promptbench runs --help` lists the commands"),
    ],
    ids=" ".join,
)
def test_a_mistyped_command(capsys: pytest.CaptureFixture[str], words: list[str], hint: str) -> None:
    assert run(words) == 2
    assert capsys.readouterr().err == f"error: unknown command '{words[-1]}'\nhint: {hint}\n"
