"""Several real processes at once, and processes that are killed."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from promptbench.core.errors import ConflictError
from promptbench.store.chain import Ledger
from promptbench.store.mirror import Mirror
from promptbench.store.prompts import Store
from tests.bench.store_soak import soak
from tests.store.kit import adopt, child, evidence, open_store, version_of


def _assert_whole(store: Store, folder: Path) -> None:
    for prompt in store.prompts():
        events = store.history(prompt)
        Ledger(prompt, events)
        assert Mirror(folder / "text").event_names(prompt) == [event.file_name for event in events]
    assert store.verify() == []


def test_of_two_promotions_one_is_stale(triage: Store, folder: Path) -> None:
    champion = version_of("one\n")
    with open_store(folder) as other:
        first = evidence("triage", "first\n", champion)
        second = evidence("triage", "second\n", champion)
        other.promote("triage", "first\n", evidence=first, actor="a")
        with pytest.raises(ConflictError, match="stale evidence"):
            triage.promote("triage", "second\n", evidence=second, actor="b")
    assert triage.get("triage").source == "first\n"


@pytest.mark.slow
def test_many_processes_promote_and_read(folder: Path) -> None:
    """The short form of `python -m tests.bench.store_soak`."""
    done = soak(folder, processes=4, seconds=2)
    assert done.broken == []
    assert done.won == done.events >= 4
    assert done.read >= done.won + done.stale


def test_several_processes_build_a_missing_database(triage: Store, folder: Path) -> None:
    for number in range(20):
        adopt(triage, f"p{number}", f"{number}\n")
    triage.close()
    (folder / "prompts.sqlite").unlink()
    processes = [child("open", str(folder)) for _ in range(4)]
    results = [process.communicate(timeout=60) for process in processes]
    assert {err for _, err in results} == {""}
    assert len({out for out, _ in results}) == 1
    with open_store(folder) as store:
        _assert_whole(store, folder)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
@pytest.mark.parametrize(
    ("point", "happened"),
    [
        ("begin", False),
        ("commit", False),
        ("committed", True),
        ("torn file", True),
        ("0", True),
        ("1", True),
        ("2", True),
    ],
)
def test_killed_inside_a_promotion(triage: Store, folder: Path, point: str, happened: bool) -> None:
    process = child("die", str(folder), point)
    _, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL, err
    names = Mirror(folder / "text").event_names("triage")
    assert len(names) == 3, "the event's file comes last"
    with open_store(folder) as store:
        assert store.get("triage").source == ("next\n" if happened else "one\n")
        assert len(Mirror(folder / "text").event_names("triage")) == (4 if happened else 3)
        _assert_whole(store, folder)
        if not happened:
            store.promote("triage", "next\n", evidence=evidence("triage", "next\n", version_of("one\n")), actor="ci")


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_killed_at_any_moment(store: Store, folder: Path) -> None:
    adopt(store, "triage", "start\n")
    adopt(store, "entities", "start\n")
    mirror = Mirror(folder / "text")
    for turn in range(3):
        process = child("promote", str(folder), "30", f"turn{turn}")
        known = len(mirror.event_names("triage"))
        while len(mirror.event_names("triage")) < known + 2 + turn:
            assert process.poll() is None, process.communicate()
            time.sleep(0.003)
        process.kill()
        process.communicate(timeout=30)
        with open_store(folder) as opened:
            _assert_whole(opened, folder)
