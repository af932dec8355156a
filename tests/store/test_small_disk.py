"""The run record on a disk that is full, and on one that not writable: real ones, in memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptbench.core.errors import EnvironmentFailure
from promptbench.store.runs import RunStore
from tests.bench.soak import small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    try:
        with small_disk(place, "2m"):
            yield place
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a disk")


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def a_run(runs: RunStore, name: str) -> str:
    return runs.start("plan", name, "triage", {"text": "x" * 50_000}, [], "1")[0].id


def test_a_disk_that_fills_up(disk: Path) -> None:
    with RunStore(disk / "state") as runs:
        kept = a_run(runs, "first")
        runs.finish(kept, "PASS", "fine")
        filler = fill(disk)
        with pytest.raises(EnvironmentFailure, match="the disk is full") as caught:
            a_run(runs, "second")
        assert caught.value.hint == "free some space and run the command again; nothing was lost"
        filler.unlink()
        a_run(runs, "third")
        assert runs.run(kept).sentence == "fine"


def test_a_disk_that_is_full_at_the_start(disk: Path) -> None:
    with RunStore(disk / "state"):
        pass
    fill(disk)
    with pytest.raises(EnvironmentFailure, match="the disk is full"):
        RunStore(disk / "state")


def test_a_disk_that_cannot_be_written(disk: Path) -> None:
    with RunStore(disk / "state"):
        pass
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(EnvironmentFailure, match="not writable") as caught:
        RunStore(disk / "state")
    assert caught.value.hint == "make the file, its folder and the disk writable, and run the command again"
