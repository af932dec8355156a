"""Tampering with the file by plain sqlite3, as anybody can."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.errors import ConflictError, EnvironmentFailure
from promptbench.store import prompts_schema
from promptbench.store.prompts import LabelEvent, Store, StoreFinding
from tests.store.kit import adopt, open_store, promote, tree, version_of

TRIGGERS = [f"{table}_no_{what}" for table in ("blob", "version", "evidence", "event") for what in ("update", "delete")]


def _unguarded(folder: Path, *statements: str) -> None:
    """Runs statements with the triggers taken away before and put back after."""
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection, connection:
        for name in TRIGGERS:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement
        for statement in prompts_schema.MIGRATIONS["0001_tables"]:
            if statement.startswith("CREATE TRIGGER") and statement.split()[2] in TRIGGERS:
                connection.execute(statement)


def _facts(store: Store) -> list[Any]:
    return [(store.history(p), store.versions(p), store.labels(p)) for p in store.prompts()]


def _follow(found: list[StoreFinding], folder: Path, git: Path | None = None) -> None:
    """Does what the hints say, in their order; `git` is where the mirror is whole."""
    mirror_first = sorted(found, key=lambda finding: finding.kind not in ("mirror", "conflict"))
    assert all(finding.hint for finding in found)
    for hint in dict.fromkeys(finding.hint for finding in mirror_first):
        if "restore it with git" in hint and git is not None:
            shutil.rmtree(folder / "text")
            shutil.copytree(git / "text", folder / "text")
        elif "delete the prompt's folder" in hint:
            for finding in found:
                shutil.rmtree(folder / "text" / finding.prompt, ignore_errors=True)
        if "move prompts.sqlite away" in hint:
            (folder / "prompts.sqlite").rename(folder / "prompts.away")


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
        ("UPDATE event SET reason = 'it was fine' WHERE sequence = 3", ("triage", "chain")),
        ("UPDATE event SET label = 'staging' WHERE sequence = 2", ("triage", "chain")),
        ("UPDATE event SET evidence = NULL WHERE sequence = 2", ("triage", "chain")),
        ("UPDATE event SET sequence = 12 - sequence", ("triage", "chain")),
        ("UPDATE event SET prompt = 'other'", ("other", "chain")),
        ("DELETE FROM event WHERE sequence = 3", ("", "chain")),
        ("DELETE FROM event", ("", "chain")),
        ("DELETE FROM version WHERE number = 2", ("triage", "version")),
        (
            "INSERT INTO version SELECT prompt, 3, source_hash, source_hash, created FROM version WHERE number = 1",
            ("triage", "version"),
        ),
        (
            "UPDATE blob SET text = (SELECT max(text) FROM blob AS other WHERE other.hash <> blob.hash)",
            ("", "version"),
        ),
        ("PRAGMA user_version = 7", ("", "chain")),
    ],
)
def test_edited_rows(triage: Store, folder: Path, statement: str, expected: tuple[str, str]) -> None:
    before = _facts(triage)
    _unguarded(folder, statement)
    found = triage.verify()
    assert expected in {(finding.prompt, finding.kind) for finding in found}
    _follow(found, folder)
    with open_store(folder) as repaired:
        assert repaired.verify() == []
        assert _facts(repaired) == before


def test_a_deleted_last_event_is_known_from_a_pull(triage: Store, folder: Path) -> None:
    """The mirror has one event more in both cases, and gives it back in both."""
    _unguarded(folder, "DELETE FROM event WHERE sequence = 3")
    [found] = triage.verify()
    assert found.message == "3 events were written and 2 are there: another program removed some"
    assert triage.get("triage").source == "one\n", "the mirror gives it back"
    assert [finding.kind for finding in triage.verify()] == ["chain"], "that it was gone stays on record"


def test_an_event_that_another_program_added_does_not_spread(triage: Store, folder: Path) -> None:
    """Well sealed and in order, it lacks nothing but that promptbench wrote it."""
    last = triage.history("triage")[-1]
    forged = replace(last, kind="forced", from_hash=last.to_hash, to_hash=last.from_hash, to_number=2, sequence=4)
    sealed = replace(forged, prev=last.hash, reason="trust me", summary=None).sealed()
    before = tree(folder / "text")
    _unguarded(folder, _insert(sealed))
    with pytest.raises(ConflictError, match="holds 4 events, 3 of them written by promptbench") as raised:
        triage.get("triage")
    assert "store verify" in str(raised.value.hint)
    found = triage.verify()
    assert [(finding.prompt, finding.kind) for finding in found] == [("", "chain")]
    assert tree(folder / "text") == before
    _follow(found, folder)
    with open_store(folder) as repaired:
        assert repaired.verify() == []
        assert repaired.get("triage").number == 1


def _insert(event: LabelEvent) -> str:
    columns = ("prompt", "sequence", "kind", "label", "from_hash", "to_hash", "to_number", "actor", "reason", "at")
    values = [getattr(event, name) for name in (*columns, "prev", "hash")]
    shown = ", ".join(str(value) if isinstance(value, int) else f"'{value}'" for value in values)
    return f"INSERT INTO event ({', '.join(columns)}, prev, hash) VALUES ({shown})"


def test_a_file_from_before_the_count_is_sound(triage: Store, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 0")
    assert triage.verify() == []
    promote(triage, "triage", "three\n")
    assert triage.verify() == []
    _unguarded(folder, "DELETE FROM event WHERE sequence = 4")
    assert ("", "chain") in _kinds(triage)


def test_a_rewritten_chain_differs_from_the_mirror(triage: Store, folder: Path) -> None:
    """Somebody who seals anew what was edited is still found, because the mirror has the old names."""
    first = triage.history("triage")[0]
    events = triage.history("triage")
    prev, statements = None, []
    for event in [replace(first, reason="it is best"), *events[1:]]:
        sealed = replace(event, prev=prev).sealed()
        at = f"sequence = {event.sequence}"
        statements.append(
            f"UPDATE event SET hash = '{sealed.hash}', prev = "
            + ("NULL" if prev is None else f"'{prev}'")
            + (f", reason = '{sealed.reason}'" if prev is None else "")
            + f" WHERE {at}"
        )
        prev = sealed.hash
    _unguarded(folder, *statements)
    found = triage.verify()
    assert [(finding.prompt, finding.kind) for finding in found] == [("triage", "conflict")]
    assert "if nobody worked on another branch" in found[0].hint
    _follow(found, folder)
    with open_store(folder) as repaired:
        assert repaired.verify() == []
        assert repaired.history("triage") == events


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER event_no_update",
        "DROP TRIGGER blob_no_replace",
        "DROP VIEW history",
        "DROP VIEW label",
        "DROP INDEX event_label",
        "CREATE TRIGGER sly BEFORE INSERT ON version BEGIN SELECT RAISE(IGNORE); END",
        "ALTER TABLE event ADD COLUMN note TEXT",
        "CREATE TRIGGER sly AFTER INSERT ON event BEGIN UPDATE blob SET text = 'evil'; END",
    ],
)
def test_a_changed_schema(triage: Store, folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        connection.execute(statement)
    found = triage.verify()
    assert [(finding.prompt, finding.kind) for finding in found] == [("", "schema")]
    assert statement.split()[2] in found[0].message
    _follow(found, folder)
    with open_store(folder) as repaired:
        assert repaired.verify() == []


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


def test_a_unique_index_that_would_refuse_the_next_promotion(triage: Store, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        connection.execute("CREATE INDEX by_actor ON event (actor)")
        assert triage.verify() == []
        connection.execute("CREATE UNIQUE INDEX sly ON event (prompt, to_number, kind)")
    [found] = triage.verify()
    assert (found.kind, found.message) == ("schema", "index sly on event is not promptbench's")


def _edit_text(folder: Path) -> None:
    next((folder / "text" / "triage" / "versions").glob("2-*")).write_text("two, and more\n")


def _delete_event(folder: Path) -> None:
    next((folder / "text" / "triage" / "events").glob("0003-*")).unlink()


def _delete_evidence(folder: Path) -> None:
    shutil.rmtree(folder / "text" / "triage" / "evidence")


@pytest.mark.parametrize("harm", [_edit_text, _delete_evidence])
@pytest.mark.parametrize("with_git", [True, False])
def test_a_mirror_is_repaired_with_git_and_without(
    triage: Store, folder: Path, template: Path, harm: Callable[[Path], None], with_git: bool
) -> None:
    harm(folder)
    found = triage.verify()
    assert {finding.kind for finding in found} == {"mirror"}
    _follow(found, folder, template if with_git else None)
    assert triage.verify() == []
    assert tree(folder / "text") == tree(template / "text")


@pytest.mark.parametrize("harm", [_edit_text, _delete_evidence])
@pytest.mark.parametrize(
    "statement", ["UPDATE event SET actor = 'me' WHERE sequence = 1", "UPDATE blob SET text = 'evil'"]
)
def test_where_both_are_edited_the_mirror_comes_first(
    triage: Store, folder: Path, template: Path, harm: Callable[[Path], None], statement: str
) -> None:
    """Rebuilding from an edited mirror, or writing an edited database into the mirror, would lose the good half."""
    before = _facts(triage)
    harm(folder)
    _unguarded(folder, statement)
    found = triage.verify()
    inside = [finding for finding in found if finding.kind != "mirror"]
    files = [finding for finding in found if finding.kind == "mirror"]
    assert inside
    assert files
    assert all(finding.hint.startswith("fix the text mirror first") for finding in inside)
    assert all("the database is invalid too" in finding.hint for finding in files)
    _follow(found, folder, template)
    with open_store(folder) as repaired:
        assert repaired.verify() == []
        assert _facts(repaired) == before


def test_a_dropped_trigger_and_a_mirror_that_is_behind(triage: Store, folder: Path, template: Path) -> None:
    """The rows are in order, so the mirror is completed from them before the file is made anew."""
    _delete_event(folder)
    with closing(sqlite3.connect(folder / "prompts.sqlite")) as connection:
        connection.execute("DROP TRIGGER event_no_update")
    found = triage.verify()
    assert [(finding.prompt, finding.kind) for finding in found] == [("", "schema")]
    assert tree(folder / "text") == tree(template / "text")
    _follow(found, folder)
    with open_store(folder) as repaired:
        assert repaired.verify() == []
        assert len(repaired.history("triage")) == 3
