"""Every console block in README and the guides is run, and prints what the page shows.

A line `…` stands for any lines. Times, costs, ratios, names of runs and hashes differ from run to run; they are
compared as such.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import promptbench
from promptbench.cli.app import run
from promptbench.core.errors import Diagnostics
from promptbench.suite.loader import load
from tests.helpers.local_model import need_model
from tests.helpers.shipped import copy_store
from tests.helpers.suites import joined, messages

ROOT = Path(__file__).parents[2]
DOCS = Path(promptbench.__file__).parent / "docs"
PAGES = [ROOT / "README.md", *sorted((DOCS / "guides").glob("*.md")), *sorted((DOCS / "design").glob("*.md"))]

_VOLATILE = (
    (r"\$\d[\d.,]*", "<cost>"),
    (r"\d[\d.,]* (ms|s)\b", "<time>"),
    (r"\d[\d.,]* times (as fast|as slow|cheaper|dearer)", "<n> times"),
    (r"\d{8}-\d{6}-[0-9a-f]{4}", "<run>"),
    (r"sha256:[0-9a-f]{8,}", "<hash>"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<date>"),
    # Columns are as wide as their figures.
    (r"[ ─]+", " "),
)

BROKEN = """\
suite: triage
prompt: triage.prompt
models: [gguf/smollm2-135m]
checks: [json]
cases:
  - case: charged twice
    vars: {message: I was charged twice}
    expects: {team: billing}
"""


def blocks(page: Path, kind: str) -> list[str]:
    """The fenced blocks of one kind in a page."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[tuple[str, str]]:
    """The commands of a console block with what each prints."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def plain(text: str) -> list[str]:
    for pattern, name in _VOLATILE:
        text = re.sub(pattern, name, text)
    # Where a sentence is wrapped depends on how long the figures in it are.
    return [line.strip() for line in text.strip().splitlines()]


def fits(wanted: str, got: str) -> bool:
    """Return whether the lines are the same. `…` matches any lines, and white space any white space."""
    pattern = "".join(r"(?:.*\n)*?" if line == "…" else re.escape(line) + r"\n" for line in plain(wanted))
    return re.fullmatch(pattern, "\n".join(plain(got)) + "\n") is not None


# Pages whose examples call the local model for a whole suite, train one, or take 2 s and more.
LONG = (
    "ablate.md",
    "authoring.md",
    "batch.md",
    "bench.md",
    "capture.md",
    "cases.md",
    "chains.md",
    "compare.md",
    "conversations.md",
    "files.md",
    "fine-tuning.md",
    "generate.md",
    "models.md",
    "opentelemetry.md",
    "own-suites.md",
    "pipelines.md",
    "README.md",
    "reports.md",
    "sheets.md",
    "store.md",
    "suggest.md",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of this project, as a fresh clone has it."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "suites", tmp_path / "suites")
    copy_store(tmp_path)
    return tmp_path


@pytest.mark.local_model
@pytest.mark.xdist_group("local_model")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page.name, marks=pytest.mark.slow if page.name in LONG else ()) for page in PAGES],
)
def test_console_blocks(page: Path, project: Path) -> None:
    todo = [item for block in blocks(page, "console") for item in commands(block)]
    if todo:
        need_model()
    for command, wanted in todo:
        words = shlex.split(command)
        program = {"promptbench": ["-m", "promptbench"], "python": []}[words[0]]
        done = subprocess.run(
            [sys.executable, *program, *words[1:]],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        if not wanted:
            assert done.returncode == 0, done.stderr
            continue
        printed = done.stdout if done.stdout.strip() and "error[" not in done.stderr else done.stderr + done.stdout
        assert fits(wanted, printed), f"$ {command}\n{printed}\n--- expected:\n{wanted}"


def test_the_diagnostic_in_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "suites" / "triage"
    folder.mkdir(parents=True)
    (tmp_path / "promptbench.toml").touch()
    (folder / "suite.yaml").write_text(BROKEN, encoding="utf-8")
    (folder / "triage.prompt").write_text("{{message}}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["validate", "suites/triage"]) == 2
    [expected] = [block for block in blocks(ROOT / "README.md", "text") if "error[PB201]" in block]
    printed = capsys.readouterr()
    assert fits(expected, printed.err + printed.out)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_suites_in_the_text_are_valid(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "yaml"):
        if block.startswith("suite:"):
            found = Diagnostics()
            file = tmp_path / "suite.yaml"
            file.write_text(block, encoding="utf-8")
            suite = load(file, page.name, found)
            assert suite
            assert not list(found)


def test_the_cases_in_the_guide_about_them_are_valid(tmp_path: Path) -> None:
    page = DOCS / "guides" / "cases.md"
    [line] = re.findall(r"^    (\{.*\})$", page.read_text(encoding="utf-8"), re.MULTILINE)
    for block in blocks(page, "yaml"):
        bench, found = joined(
            tmp_path, block, {"more.jsonl": line + "\n", "by-team/a.yaml": f"- {line}\n".replace("late", "a")}
        )
        assert [text for text in messages(found) if " is skipped: " not in text] == []
        assert bench
