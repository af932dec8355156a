from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.canonical import digest
from promptbench.core.errors import ConflictError, Exit
from promptbench.store.mirror import Mirror, event_text, evidence_text
from promptbench.store.prompts import Store
from promptbench.store.sync import shown
from tests.store.kit import adopt, evidence, open_store, promote, tree, version_of


def _copy(folder: Path, name: str) -> Path:
    """A colleague's checkout: the text mirror alone."""
    other = folder.parent / name / "prompt_store"
    shutil.copytree(folder / "text", other / "text")
    return other


def _pull(theirs: Path, ours: Path) -> None:
    """What `git pull` does to text files that only one side added."""
    shutil.copytree(theirs / "text", ours / "text", dirs_exist_ok=True)


def _facts(store: Store) -> list[Any]:
    return [(store.history(p), store.versions(p), store.labels(p)) for p in store.prompts()]


def test_a_deleted_database_loses_nothing(triage: Store, folder: Path) -> None:
    adopt(triage, "entities", "one\n")
    facts, text = _facts(triage), tree(folder / "text")
    triage.close()
    (folder / "prompts.sqlite").unlink()
    with open_store(folder) as store:
        assert (folder / "prompts.sqlite").exists()
        rows = store._database.connection.execute("SELECT count(*) FROM event").fetchone()
        assert rows == (4,), "the file is filled at once, for those who open it with other tools"
        assert _facts(store) == facts
        assert store.verify() == []
    assert tree(folder / "text") == text


def test_a_deleted_mirror_is_written_again(triage: Store, folder: Path) -> None:
    before = tree(folder / "text")
    shutil.rmtree(folder / "text")
    assert triage.get("triage").number == 1
    assert tree(folder / "text") == before


def test_a_pull_is_imported_when_it_is_asked_for(triage: Store, folder: Path) -> None:
    other = _copy(folder, "colleague")
    with open_store(other) as theirs:
        promote(theirs, "triage", "three\n")
        adopt(theirs, "entities", "first\n")
        facts = _facts(theirs)
    _pull(other, folder)
    assert triage.prompts() == ["entities", "triage"]
    assert triage.get("triage").source == "three\n"
    assert _facts(triage) == facts
    assert triage.verify() == []


def test_evidence_of_a_pull_is_found_without_naming_the_prompt(triage: Store, folder: Path) -> None:
    other = _copy(folder, "colleague")
    with open_store(other) as theirs:
        sha = str(promote(theirs, "triage", "three\n").evidence)
    _pull(other, folder)
    assert triage.evidence(sha)["candidate"] == version_of("three\n")


def test_line_ends_in_the_mirror_do_not_count(triage: Store, folder: Path) -> None:
    facts = _facts(triage)
    for path in (folder / "text").rglob("*.*"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert triage.get("triage@2").source == "two\n"
    assert triage.verify() == []
    promote(triage, "triage", "three\n")
    triage.rollback("triage", actor="ci", reason="x")
    triage.close()
    (folder / "prompts.sqlite").unlink()
    with open_store(folder) as store:
        assert _facts(store)[0][0][:3] == facts[0][0]
        assert store.verify() == []


def test_a_crash_between_commit_and_mirror_is_healed(triage: Store, folder: Path) -> None:
    whole = tree(folder / "text")
    names = Mirror(folder / "text").event_names("triage")
    for name in names[1:]:
        (folder / "text" / "triage" / "events" / name).unlink()
    shutil.rmtree(folder / "text" / "triage" / "evidence")
    assert triage.history("triage")[-1].sequence == 3
    assert tree(folder / "text") == whole


def test_two_histories_are_a_conflict_that_names_both(triage: Store, folder: Path) -> None:
    other = _copy(folder, "colleague")
    with open_store(other) as theirs:
        promote(theirs, "triage", "theirs\n")
        their_head = theirs.history("triage")[-1].file_name
    ours = promote(triage, "triage", "ours\n").file_name
    shutil.rmtree(folder / "text")
    _pull(other, folder)
    for action in (
        lambda: triage.get("triage"),
        lambda: triage.history("triage"),
        lambda: triage.rollback("triage", actor="ci", reason="x"),
    ):
        with pytest.raises(ConflictError) as raised:
            action()
        assert raised.value.exit is Exit.CONFLICT
        assert "have diverged after event 3" in raised.value.message
        assert shown(ours) in raised.value.message
        assert shown(their_head) in raised.value.message
        assert "promptbench store merge triage" in str(raised.value.hint)
    assert [(finding.prompt, finding.kind) for finding in triage.verify()] == [("triage", "conflict")]


def test_a_fork_of_one_prompt_leaves_the_others_alone(triage: Store, folder: Path) -> None:
    other = _copy(folder, "colleague")
    with open_store(other) as theirs:
        promote(theirs, "triage", "theirs\n")
    promote(triage, "triage", "ours\n")
    adopt(triage, "entities", "fine\n")
    _pull(other, folder)
    with pytest.raises(ConflictError, match=r"at the same time: 0004-\w+-\w{8} by ci and 0004-\w+-\w{8} by ci$"):
        triage.get("triage")
    assert triage.get("entities").source == "fine\n"
    triage.close()
    (folder / "prompts.sqlite").unlink()
    with open_store(folder) as store:
        assert store.get("entities").source == "fine\n"
        with pytest.raises(ConflictError, match="two branches"):
            store.get("triage")


def test_a_gap_in_the_mirror(triage: Store, folder: Path) -> None:
    name = Mirror(folder / "text").event_names("triage")[1]
    (folder / "text" / "triage" / "events" / name).unlink()
    with pytest.raises(ConflictError, match="event 2 is missing") as raised:
        triage.get("triage")
    shutil.rmtree(folder / "text" / "triage" / "events")
    assert "the database rewrites all of it" in str(raised.value.hint)
    assert triage.get("triage").number == 1
    assert triage.verify() == []


def test_what_was_added_to_the_database_by_hand_does_not_spread(triage: Store, folder: Path) -> None:
    text = tree(folder / "text")
    forged = replace(triage.history("triage")[1], sequence=4, hash="sha256:" + "0" * 64)
    triage._database.add_event(forged)
    with pytest.raises(ConflictError, match="is invalid"):
        triage.get("triage")
    assert tree(folder / "text") == text


def _edit_version(folder: Path) -> Path:
    path = next((folder / "text" / "triage" / "versions").glob("1-*"))
    path.write_text("one, better\n")
    return path


def _edit_event(folder: Path) -> Path:
    path = next((folder / "text" / "triage" / "events").glob("0001-*"))
    path.write_text(path.read_text().replace('"ci"', '"somebody else"'))
    return path


def _edit_evidence(folder: Path) -> Path:
    path = next((folder / "text" / "triage" / "evidence").iterdir())
    path.write_text(path.read_text().replace('"passed"', '"failed"'))
    return path


def _spoil_version(folder: Path) -> Path:
    path = next((folder / "text" / "triage" / "versions").glob("2-*"))
    path.write_text("BAD")
    return path


def _delete_version(folder: Path) -> Path:
    path = next((folder / "text" / "triage" / "versions").glob("2-*"))
    path.unlink()
    return path


def _delete_evidence(folder: Path) -> Path:
    path = next((folder / "text" / "triage" / "evidence").iterdir())
    path.unlink()
    return path


EDITS = [_edit_version, _edit_event, _edit_evidence, _spoil_version, _delete_version, _delete_evidence]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_mirror_is_not_imported(triage: Store, folder: Path, edit: Callable[[Path], Path]) -> None:
    adopt(triage, "entities", "fine\n")
    triage.close()
    (folder / "prompts.sqlite").unlink()
    path = edit(folder)
    with open_store(folder) as store:
        assert store.get("entities").source == "fine\n"
        with pytest.raises(ConflictError) as raised:
            store.get("triage")
        assert str(path) in raised.value.message
        assert [(finding.prompt, finding.kind) for finding in store.verify()] == [("triage", "conflict")]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_mirror_is_found_beside_a_database(triage: Store, folder: Path, edit: Callable[[Path], Path]) -> None:
    path = edit(folder)
    found = triage.verify()
    assert [(finding.prompt, finding.kind) for finding in found] == [("triage", "mirror")]
    assert str(path) in found[0].message


def test_a_version_that_was_edited_in_the_mirror_is_not_served(triage: Store, folder: Path) -> None:
    path = _edit_version(folder)
    with pytest.raises(ConflictError) as raised:
        triage.get("triage")
    assert str(path) in raised.value.message


@pytest.mark.parametrize("edit", [_edit_version, _edit_event, _spoil_version])
def test_nothing_is_written_on_top_of_an_edited_mirror(
    triage: Store, folder: Path, edit: Callable[[Path], Path]
) -> None:
    path = edit(folder)
    with pytest.raises(ConflictError) as raised:
        triage.rollback("triage", to="2", actor="ci", reason="x")
    assert str(path) in raised.value.message


def test_a_forged_promotion_is_not_imported(triage: Store, folder: Path) -> None:
    """A well-sealed event whose evidence is a FAIL."""
    proof = evidence("triage", "two\n", version_of("one\n"), "FAIL")
    last = triage.history("triage")[-1]
    event = replace(
        triage.history("triage")[1], sequence=4, prev=last.hash, evidence=digest(proof), summary=None
    ).sealed()
    mirror = Mirror(folder / "text")
    mirror.evidence_path("triage", digest(proof)).write_text(evidence_text(proof))
    mirror.event_path("triage", event.file_name).write_text(event_text(event))
    with pytest.raises(ConflictError, match="verdict is FAIL"):
        triage.get("triage")


def test_a_renamed_event_is_not_imported(triage: Store, folder: Path) -> None:
    events = folder / "text" / "triage" / "events"
    name = Mirror(folder / "text").event_names("triage")[1]
    (events / name.replace("0002", "0004")).write_text((events / name).read_text())
    with pytest.raises(ConflictError, match="does not match its name"):
        triage.get("triage")
    assert json.loads((events / name).read_text())["sequence"] == 2
