"""Backups, and histories that go out to a folder and come in from one."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.store.prompts import Store
from tests.bench.soak import small_disk
from tests.store.kit import adopt, open_store, promote, tree
from tests.store.test_small_disk import fill


def _facts(store: Store) -> list[Any]:
    return [(store.history(p), store.versions(p), store.labels(p)) for p in store.prompts()]


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """An empty store elsewhere."""
    with open_store(tmp_path / "other" / "prompt_store") as opened:
        yield opened


def test_a_backup_is_a_whole_store(triage: Store, folder: Path, tmp_path: Path) -> None:
    adopt(triage, "entities", "one\n")
    made = triage.backup(tmp_path / "monday.sqlite")
    assert (made.prompts, made.events, made.left_out) == (2, 4, {})
    before = _facts(triage)
    place = tmp_path / "elsewhere" / "prompt_store"
    place.mkdir(parents=True)
    shutil.copy(made.path, place / "prompts.sqlite")
    with open_store(place) as restored:
        assert restored.verify() == []
        assert _facts(restored) == before
        assert tree(place / "text") == tree(folder / "text")


def test_an_older_backup_catches_up_with_the_mirror(triage: Store, folder: Path, tmp_path: Path) -> None:
    made = triage.backup(tmp_path / "monday.sqlite")
    promote(triage, "triage", "three\n")
    triage.close()
    shutil.copy(made.path, folder / "prompts.sqlite")
    with open_store(folder) as store:
        assert store.notes() == [
            f"triage: imported from the text mirror, as after a `git pull`: {_last_event(folder)}",
        ]
        assert store.get("triage").source == "three\n"
        assert store.notes() == []
        assert store.verify() == []


def _last_event(folder: Path) -> str:
    """The name of its file, with the first digits of the hash."""
    last = max(path.name for path in (folder / "text" / "triage" / "events").iterdir())
    return last[: len("0004-promoted-") + 8]


def test_a_backup_replaces_nothing_and_leaves_nothing_half_made(triage: Store, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    with pytest.raises(InputError, match="there already"):
        triage.backup(there)
    with pytest.raises(EnvironmentFailure, match="cannot be opened"):
        triage.backup(tmp_path / "no" / "folder")
    assert there.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prompt_store", "there"]


def test_there_is_nothing_to_back_up_in_an_empty_store(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the store is empty"):
        store.backup(tmp_path / "b")


def test_a_backup_holds_what_the_mirror_has_new(triage: Store, folder: Path, tmp_path: Path, other: Store) -> None:
    promote(triage, "triage", "three\n")
    shutil.copytree(folder / "text", tmp_path / "other" / "prompt_store" / "text")
    made = other.backup(tmp_path / "b")
    assert made.events == 4


def test_a_backup_while_somebody_writes(triage: Store, folder: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(folder / "prompts.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO blob VALUES ('sha256:x', 'not committed')")
        triage.backup(tmp_path / "b")
        writer.execute("ROLLBACK")
    with closing(sqlite3.connect(tmp_path / "b")) as copy:
        assert copy.execute("SELECT count(*) FROM blob WHERE hash = 'sha256:x'").fetchone() == (0,)


@pytest.mark.skipif(sys.platform == "win32", reason="mounts are POSIX")
def test_a_promotion_on_a_full_disk(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    try:
        with small_disk(place, "1m"), open_store(place / "prompt_store") as store:
            adopt(store, "triage", "one\n")
            filler = fill(place)
            before = store.history("triage")
            with pytest.raises(EnvironmentFailure, match="the disk is full"):
                promote(store, "triage", "two\n" * 5000)
            assert store.history("triage") == before
            assert store.verify() == []
            filler.unlink()
            promote(store, "triage", "two\n" * 5000)
            assert store.verify() == []
    except PermissionError:
        pytest.skip("only root may mount a disk")


@pytest.mark.skipif(sys.platform == "win32", reason="mounts are POSIX")
def test_a_backup_on_a_full_disk(triage: Store, tmp_path: Path) -> None:
    place = tmp_path / "disk"
    try:
        with small_disk(place, "1m"):
            fill(place)
            with pytest.raises(EnvironmentFailure, match=r"backup .*: the disk is full"):
                triage.backup(place / "b")
            assert [path.name for path in place.iterdir()] == ["filler"]
    except PermissionError:
        pytest.skip("only root may mount a disk")
