"""What happens to the file from outside: other tools, other processes, full and read-only disks, damage."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from promptbench.core.errors import EnvironmentFailure
from promptbench.store.prompts import Store
from tests.store.kit import adopt, child, evidence, open_store, promote, tree, version_of


@pytest.mark.parametrize("recursive", [0, 1])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET actor = 'me'",
        "DELETE FROM event",
        "INSERT OR REPLACE INTO event SELECT prompt, sequence, kind, label, from_hash, to_hash, to_number, evidence, "
        "'me', reason, at, prev, hash, summary, merged FROM event WHERE sequence = 1",
        "REPLACE INTO event SELECT prompt, 9, kind, label, from_hash, to_hash, to_number, evidence, 'me', reason, at, "
        "prev, hash, summary, merged FROM event WHERE sequence = 1",
        "INSERT INTO event SELECT * FROM event WHERE true ON CONFLICT (prompt, sequence) DO UPDATE SET actor = 'me'",
        "UPDATE OR REPLACE event SET sequence = 1",
        "UPDATE blob SET text = 'evil'",
        "DELETE FROM blob",
        "INSERT OR REPLACE INTO blob SELECT hash, 'evil' FROM blob",
        "UPDATE version SET number = 9",
        "DELETE FROM version",
        "INSERT OR REPLACE INTO version SELECT prompt, number, hash, source_hash, 'now' FROM version",
        "INSERT OR REPLACE INTO version SELECT prompt, 9, hash, source_hash, 'now' FROM version",
        "UPDATE evidence SET body = '{}'",
        "DELETE FROM evidence",
        "INSERT OR REPLACE INTO evidence SELECT hash, '{}' FROM evidence",
    ],
)
def test_rows_can_only_be_added(triage: Store, folder: Path, statement: str, recursive: int) -> None:
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        connection.execute(f"PRAGMA recursive_triggers = {recursive}")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    assert triage.verify() == []


def test_there_is_no_hidden_key(triage: Store, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        for table in ("blob", "version", "evidence", "event"):
            with pytest.raises(sqlite3.OperationalError, match="no such column"):
                connection.execute(f"SELECT rowid FROM {table}")


def _sqlite_utils(*words: str) -> str:
    tool = Path(sys.executable).with_name("sqlite-utils")
    return subprocess.run([tool, *words], capture_output=True, text=True, check=True).stdout


def test_the_sqlite_utils_command_reads_the_file_as_it_is(triage: Store, folder: Path) -> None:
    file = str(folder / "prompts.sqlite")
    assert json.loads(_sqlite_utils("rows", file, "label")) == [
        {
            "prompt": "triage",
            "label": "production",
            "version": 1,
            "hash": version_of("one\n"),
            "kind": "rolled_back",
            "actor": "ci",
            "reason": "two was worse",
            "since": triage.history("triage")[-1].at,
            "sequence": 3,
        }
    ]
    history = json.loads(_sqlite_utils("rows", file, "history"))
    assert [(row["kind"], row["from_version"], row["to_version"]) for row in history] == [
        ("adopted", None, 1),
        ("promoted", 1, 2),
        ("rolled_back", 2, 1),
    ]
    assert _sqlite_utils("query", file, "SELECT text FROM blob WHERE text LIKE 'one%'", "--raw") == "one\n"
    assert triage.verify() == []


def test_wal_is_switched_off_again(triage: Store, folder: Path) -> None:
    triage.close()
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with open_store(folder) as store:
        assert store._database.connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert store.get("triage").number == 1


def test_a_lock_that_is_held_too_long(triage: Store, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "prompts.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with open_store(folder, timeout=0.1) as store:
            assert store.get("triage").number == 1
            with pytest.raises(EnvironmentFailure, match="another process kept it locked") as raised:
                promote(store, "triage", "three\n")
            assert raised.value.hint
            other.execute("COMMIT")
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(EnvironmentFailure, match="another process kept it locked"):
                store.get("triage")
            with pytest.raises(EnvironmentFailure, match="another process kept it locked"):
                open_store(folder, timeout=0.1)
    assert "three\n" not in [version.source for version in triage.versions("triage")]
    promote(triage, "triage", "three\n")


@pytest.mark.parametrize(
    "data", [b"not a database, but long enough to have a header " * 50, b"SQLite format 3\0" + b"x"]
)
def test_a_file_that_is_no_database(triage: Store, folder: Path, data: bytes) -> None:
    triage.close()
    path = folder / "prompts.sqlite"
    path.write_bytes(data)
    with pytest.raises(
        EnvironmentFailure, match=r"prompts\.sqlite: the file is (not an SQLite database|damaged)"
    ) as raised:
        open_store(folder)
    assert "rebuilt from the text mirror" in str(raised.value.hint)
    assert path.read_bytes() == data
    path.unlink()
    with open_store(folder) as store:
        assert store.get("triage").source == "one\n"


def test_an_empty_file_is_filled(triage: Store, folder: Path) -> None:
    triage.close()
    (folder / "prompts.sqlite").write_bytes(b"")
    with open_store(folder) as store:
        assert store.get("triage").source == "one\n"
        assert store.verify() == []


def test_a_folder_in_place_of_the_file(folder: Path) -> None:
    (folder / "prompts.sqlite").mkdir(parents=True)
    with pytest.raises(EnvironmentFailure, match="cannot be opened"):
        open_store(folder)


def test_a_file_in_place_of_the_folder(folder: Path) -> None:
    folder.write_text("?")
    with pytest.raises(EnvironmentFailure, match="prompt store"), open_store(folder) as store:
        adopt(store, "triage", "one\n")
    assert folder.read_text() == "?"


def test_another_programs_database(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        connection.execute("CREATE TABLE event (name TEXT)")
    with pytest.raises(EnvironmentFailure, match="another program's database"):
        open_store(folder)


def test_a_newer_file(triage: Store, folder: Path) -> None:
    triage.close()
    before = (folder / "prompts.sqlite").read_bytes()
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection, connection:
        connection.execute("INSERT INTO _sqlite_migrations VALUES (99, 'prompt_store', '0099_wonders', '2030-01-01')")
    with pytest.raises(EnvironmentFailure, match=r"newer promptbench \(unknown migration '0099_wonders'\)"):
        open_store(folder)
    assert len((folder / "prompts.sqlite").read_bytes()) == len(before)


def test_a_full_database(triage: Store, folder: Path) -> None:
    pages = triage._database.connection.execute("PRAGMA page_count").fetchone()[0]
    triage._database.connection.execute(f"PRAGMA max_page_count = {pages}")
    before = tree(folder)
    with pytest.raises(EnvironmentFailure, match="the disk is full") as raised:
        promote(triage, "triage", "long " * 10_000)
    assert "nothing was lost" in str(raised.value.hint)
    assert tree(folder) == before
    triage._database.connection.execute("PRAGMA max_page_count = 100000")
    assert promote(triage, "triage", "long " * 10_000).to_number == 3


@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")
def test_a_disk_that_takes_no_more(triage: Store, folder: Path) -> None:
    """A real write error, by a limit on the size of files."""
    before = triage.history("triage")
    process = child("full", str(folder), "200000")
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "prompt store" in err) == (4, True), err
    assert triage.history("triage") == before
    assert triage.verify() == []


def test_a_mirror_that_cannot_be_written(triage: Store, folder: Path) -> None:
    """The change is recorded, the message says so, and the next command completes the text."""
    shutil.rmtree(folder / "text" / "triage" / "evidence")
    (folder / "text" / "triage" / "evidence").write_text("in the way")
    proof = evidence("triage", "three\n", version_of("one\n"))
    with pytest.raises(EnvironmentFailure, match="the change of triage is recorded") as raised:
        triage.promote("triage", "three\n", evidence=proof, actor="ci")
    assert "the next command completes it" in str(raised.value.hint)
    assert triage.get("triage").source == "three\n", "what is recorded can be read at once"
    (folder / "text" / "triage" / "evidence").unlink()
    assert triage.history("triage")[-1].kind == "promoted"
    assert [path.name for path in (folder / "text" / "triage" / "events").glob("0004*")]


@pytest.fixture
def read_only(triage: Store, folder: Path) -> Iterator[Path]:
    """A copy of the store that nobody may change, in a folder that everybody may enter."""
    if sys.platform == "win32":
        pytest.skip("permissions are POSIX")
    adopt(triage, "entities", "one\n")
    triage.close()
    with tempfile.TemporaryDirectory() as top:
        place = Path(top) / "prompt_store"
        shutil.copytree(folder, place)
        Path(top).chmod(0o755)
        _permit(place, write=False)
        yield place
        _permit(place, write=True)


def _permit(folder: Path, *, write: bool) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod((0o755 if path.is_dir() else 0o644) if write else (0o555 if path.is_dir() else 0o444))


def _as_reader(*words: str) -> tuple[int, str, str]:
    process = child("nobody", *words)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_reading_from_a_read_only_place(read_only: Path) -> None:
    before = tree(read_only)
    assert _as_reader("get", str(read_only), "triage@2") == (0, "two\n\n", "")
    code, _, err = _as_reader("promote", str(read_only), "0.1", "ci")
    assert code == 4
    assert "not writable" in err or "cannot be opened" in err
    assert tree(read_only) == before


def test_reading_a_lone_mirror_from_a_read_only_place(read_only: Path) -> None:
    _permit(read_only, write=True)
    (read_only / "prompts.sqlite").unlink()
    _permit(read_only, write=False)
    assert _as_reader("get", str(read_only), "triage@2") == (0, "two\n\n", "")
    assert not (read_only / "prompts.sqlite").exists()


def test_reading_where_the_database_is_ahead_of_a_read_only_mirror(read_only: Path) -> None:
    _permit(read_only, write=True)
    shutil.rmtree(read_only / "text")
    _permit(read_only, write=False)
    assert _as_reader("get", str(read_only), "triage") == (0, "one\n\n", "")


def test_a_pull_into_a_read_only_place_is_not_read_as_old_news(read_only: Path, folder: Path) -> None:
    with open_store(folder) as store:
        promote(store, "triage", "three\n")
    _permit(read_only, write=True)
    shutil.copytree(folder / "text", read_only / "text", dirs_exist_ok=True)
    _permit(read_only, write=False)
    code, _, err = _as_reader("get", str(read_only), "triage")
    assert (code, "not writable" in err or "cannot be opened" in err) == (4, True), err


def test_a_store_that_is_closed_is_closed(triage: Store) -> None:
    triage.close()
    with pytest.raises(sqlite3.ProgrammingError):
        triage.get("triage")
