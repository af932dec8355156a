"""Tampering with the file by plain sqlite3, as anybody can."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from promptbench.core.errors import EnvironmentFailure
from promptbench.store import prompts_schema
from promptbench.store.prompts import Store
from tests.store.kit import adopt, open_store, promote, version_of

TRIGGERS = [f"{table}_no_{what}" for table in ("blob", "version", "evidence", "event") for what in ("update", "delete")]


def _unguarded(folder: Path, *statements: str) -> None:
    """Runs statements with the triggers taken away before and put back after."""
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection, connection:
        for name in TRIGGERS:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement
        for statement in prompts_schema.STEPS["0001_tables"]:
            if statement.startswith("CREATE TRIGGER") and statement.split()[2] in TRIGGERS:
                connection.execute(statement)


def _kinds(store: Store) -> set[tuple[str, str]]:
    return {(finding.prompt, finding.kind) for finding in store.verify()}


def test_nothing_is_found_in_an_untouched_store(triage: Store, folder: Path) -> None:
    adopt(triage, "entities", "one\n")
    promote(triage, "entities", "shared text\n")
    promote(triage, "triage", "shared text\n")
    assert triage.verify() == []
    _unguarded(folder)
    assert triage.verify() == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE event SET actor = 'somebody else' WHERE sequence = 1", ("triage", "chain")),
        ("UPDATE event SET at = '2020-01-01T00:00:00Z' WHERE sequence = 3", ("triage", "chain")),
        ("DELETE FROM event WHERE sequence = 2", ("triage", "chain")),
        ("DELETE FROM event WHERE sequence = 1", ("triage", "chain")),
        (f"UPDATE blob SET text = 'evil' WHERE hash = '{version_of('one' + chr(10))}'", ("", "version")),
        ("UPDATE blob SET text = 'evil' WHERE text = 'two' || char(10)", ("", "version")),
        ("DELETE FROM blob WHERE text = 'two' || char(10)", ("triage", "version")),
        ("UPDATE version SET created = '2020-01-01T00:00:00Z' WHERE number = 1", ("triage", "version")),
        ("UPDATE version SET number = 7 WHERE number = 2", ("triage", "version")),
        ("UPDATE version SET source_hash = hash WHERE number = 2", ("triage", "version")),
        ("UPDATE evidence SET body = replace(body, 'passed', 'failed')", ("triage", "evidence")),
        ("UPDATE evidence SET body = '{'", ("", "evidence")),
        ("DELETE FROM evidence", ("triage", "evidence")),
    ],
)
def test_edited_rows(triage: Store, folder: Path, statement: str, expected: tuple[str, str]) -> None:
    _unguarded(folder, statement)
    found = triage.verify()
    assert expected in {(finding.prompt, finding.kind) for finding in found}
    assert all(finding.hint for finding in found)


def test_a_deleted_last_event_leaves_its_version_behind(store: Store, folder: Path) -> None:
    adopt(store, "triage", "one\n")
    promote(store, "triage", "two\n")
    _unguarded(folder, "DELETE FROM event WHERE sequence = 2")
    assert ("triage", "version") in _kinds(store)
    assert store.get("triage").source == "two\n", "the mirror brings it back"
    assert store.verify() == []


def test_a_rewritten_chain_differs_from_the_mirror(triage: Store, folder: Path) -> None:
    """Somebody who seals anew what was edited is still found, because the mirror has the old names."""
    first = triage.history("triage")[0]
    events = triage.history("triage")
    prev, statements = None, []
    for event in [replace(first, actor="somebody else"), *events[1:]]:
        sealed = replace(event, prev=prev).sealed()
        at = f"sequence = {event.sequence}"
        statements.append(
            f"UPDATE event SET actor = '{sealed.actor}', hash = '{sealed.hash}', prev = "
            + ("NULL" if prev is None else f"'{prev}'")
            + f" WHERE {at}"
        )
        prev = sealed.hash
    _unguarded(folder, *statements)
    assert _kinds(triage) == {("triage", "conflict")}


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER event_no_update",
        "DROP TRIGGER blob_no_replace",
        "DROP VIEW history",
        "DROP VIEW label",
        "DROP INDEX event_label",
        "CREATE TRIGGER sly AFTER INSERT ON event BEGIN UPDATE blob SET text = 'evil'; END",
    ],
)
def test_a_changed_schema(triage: Store, folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        connection.execute(statement)
    found = triage.verify()
    assert [(finding.prompt, finding.kind) for finding in found] == [("", "schema")]
    assert statement.split()[2] in found[0].message


def test_a_dropped_table(triage: Store, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DROP TABLE evidence")
    assert ("", "schema") in _kinds(triage)


def test_a_view_that_lies(triage: Store, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        connection.execute("DROP VIEW label")
        connection.execute(
            "CREATE VIEW label AS SELECT prompt, 'production' AS label, number AS version, hash FROM version "
            "WHERE number = 2"
        )
    assert _kinds(triage) == {("", "schema"), ("triage", "label")}


def test_own_tables_and_views_beside_ours_are_nobodys_business(triage: Store, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        connection.execute("CREATE TABLE note (text TEXT)")
        connection.execute("CREATE VIEW mine AS SELECT * FROM event")
    assert triage.verify() == []


def _complaint(folder: Path) -> str:
    try:
        with open_store(folder) as store:
            return " ".join(finding.message for finding in store.verify())
    except EnvironmentFailure as error:
        return error.message


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_a_truncated_file(triage: Store, folder: Path, keep: float) -> None:
    for number in range(10):
        promote(triage, "triage", f"{number} " + "long " * 2000)
    triage.close()
    path = folder / "prompts.sqlite"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    assert "damaged" in _complaint(folder)
    path.unlink()
    with open_store(folder) as store:
        assert store.verify() == []


def _mess(folder: Path, name: str) -> Path:
    path = folder / "text" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("?")
    return path


@pytest.mark.parametrize(
    "name",
    [
        "triage/versions/3-00000000.prompt",
        "triage/events/0004-promoted-x.json",
        "triage/notes.txt",
        "triage/evidence/" + "0" * 64 + ".json",
        "Triage/notes.txt",
        "entities/notes.txt",
    ],
)
def test_extra_files(triage: Store, folder: Path, name: str) -> None:
    _mess(folder, name)
    found = triage.verify()
    assert [finding.kind for finding in found] == ["mirror"]
    assert "not part of" in found[0].message


def test_files_of_the_system_are_no_finding(triage: Store, folder: Path) -> None:
    for name in (".DS_Store", "triage/.DS_Store", "triage/versions/.1-abc.prompt.tmp", "README.md"):
        _mess(folder, name)
    assert triage.verify() == []


@pytest.mark.parametrize("remove", [lambda path: path.unlink(), lambda path: path.write_text("BAD")])
def test_a_version_that_is_missing_or_no_prompt(triage: Store, folder: Path, remove: Callable[[Path], None]) -> None:
    remove(next((folder / "text" / "triage" / "versions").glob("2-*")))
    assert _kinds(triage) == {("triage", "mirror")}
