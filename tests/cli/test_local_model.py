"""The shipped suite on the real local model: killed, resumed, promoted."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.local_model import need_model
from tests.helpers.shipped import ROOT, copy_store

pytestmark = [pytest.mark.local_model, pytest.mark.xdist_group("local_model")]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    need_model()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "suites" / "entities", tmp_path / "suites" / "entities")
    copy_store(tmp_path)
    return tmp_path


def start(project: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "promptbench", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def attempts(project: Path) -> dict[tuple[str, ...], str]:
    """Every attempt on record, with the time it was started."""
    path = project / ".promptbench" / "runs.sqlite"
    if not path.exists():
        return {}
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        rows = database.execute("SELECT variant, model, case_name, repeat, started FROM attempt").fetchall()
    except sqlite3.OperationalError:
        return {}
    finally:
        database.close()
    return {tuple(map(str, row[:4])): row[4] for row in rows}


@pytest.mark.slow
def test_a_killed_run_is_finished_by_the_same_command(project: Path) -> None:
    command = ("run", "suites/entities", "--model", "gguf/smollm2-135m", "--case", "c*")
    process = start(project, *command)
    end = time.monotonic() + 60
    while len(attempts(project)) < 3 and time.monotonic() < end:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    kept = attempts(project)
    assert len(kept) >= 3
    process = start(project, *command)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert f"{len(kept)} of " in err
    after = attempts(project)
    assert kept.items() <= after.items(), "what was on record was neither lost nor asked again"
    assert len(after) > len(kept)
    assert out.rstrip().splitlines()[-1].startswith("PASS: ")
