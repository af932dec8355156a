from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.canonical import digest
from promptbench.core.errors import ConflictError
from promptbench.store.mirror import Mirror, event_text, evidence_text
from promptbench.store.prompts import Store
from tests.store.kit import evidence, promote, tree, version_of


def test_the_layout(triage: Store, folder: Path) -> None:
    history = triage.history("triage")
    digits = [version_of(text).removeprefix("sha256:")[:8] for text in ("one\n", "two\n")]
    assert set(tree(folder / "text" / "triage")) == {
        f"versions/1-{digits[0]}.prompt",
        f"versions/2-{digits[1]}.prompt",
        *(f"events/{e.sequence:04d}-{e.kind}-{e.hash.removeprefix('sha256:')}.json" for e in history),
        f"evidence/{str(history[1].evidence).removeprefix('sha256:')}.json",
    }
    assert max(len(path.name) for path in folder.rglob("*")) < 100


def test_versions_are_kept_verbatim(triage: Store, folder: Path) -> None:
    promote(triage, "triage", "# note\r\n\r\n  ä  \r\nno end of line")
    files = tree(folder / "text" / "triage" / "versions")
    assert "# note\n\n  ä  \nno end of line".encode() in files.values()


def test_an_event_reads_well(triage: Store) -> None:
    lines = event_text(triage.history("triage")[1]).splitlines()
    evidence = str(triage.history("triage")[1].evidence)[:15]
    assert lines[1] == (
        f'  "summary": "triage@2 is now production (was triage@1): promoted on evidence {evidence} by ci",'
    )
    assert [line.split('"')[1] for line in lines[1:-1]] == [
        *("summary", "kind", "prompt", "sequence", "label", "from", "to", "version"),
        *("reason", "actor", "at", "evidence", "prev", "hash"),
    ]


def test_evidence_has_a_line_for_each_attempt() -> None:
    document = evidence("triage", "two\n", None, policy={"repeats": 3}, a_late="ä\ud800\n")
    text = evidence_text(document)
    assert json.loads(text) == document
    assert digest(json.loads(text)) == digest(document)
    lines = text.encode().decode().splitlines()
    assert [line for line in lines if line.startswith("    ")] == [
        f'    {{"case": "INC-1", "model": "fake/one", "k": {k}, "outcome": "passed"}}{"," if k < 2 else ""}'
        for k in range(3)
    ]
    assert [line.split('"')[1] for line in lines if line.startswith('  "')] == [
        *("schema_version", "prompt", "verdict", "candidate", "champion", "a_late", "policy", "attempts"),
    ]


@pytest.mark.parametrize("odd", [{"attempts": []}, {"suites": [3, {}]}, {"suites": {"a": 1}}, {"attempts": [{}, {}]}])
def test_any_evidence_is_written_as_it_is(odd: dict[str, Any]) -> None:
    assert json.loads(evidence_text(odd)) == odd


def test_evidence_has_a_line_for_each_key_of_a_suite() -> None:
    suites = [{"a": 1, "suite": "one", "result": "PASS"}, {"suite": "two"}]
    text = evidence_text({"tool": "x", "suites": suites, "attempts": [{"k": 0}]})
    assert json.loads(text)["suites"] == suites
    assert [line.strip(" ,") for line in text.splitlines()[2:10]] == [
        *('"suites": [', "{", '"suite": "one"', '"result": "PASS"', '"a": 1', "}", "{", '"suite": "two"'),
    ]


def test_what_is_not_named_like_an_event_is_left_out(triage: Store, folder: Path) -> None:
    events = folder / "text" / "triage" / "events"
    for name in (".0004-promoted-x.json.tmp", "0004-promoted-abc.json", "0004.json~", "Thumbs.db"):
        (events / name).write_text("?")
    assert len(Mirror(folder / "text").event_names("triage")) == 3


def test_events_sort_by_number(folder: Path) -> None:
    events = folder / "triage" / "events"
    events.mkdir(parents=True)
    names = [f"{n:04d}-forced-{'a' * 64}.json" for n in (9998, 9999, 10000, 10001)]
    for name in names:
        (events / name).touch()
    assert Mirror(folder).event_names("triage") == names


@pytest.mark.parametrize("text", ["", "{", "[]", "NaN", "[" * 100_000, '{"kind": "promoted"}', "\udcff"])
def test_a_broken_event_file_is_named(triage: Store, folder: Path, text: str) -> None:
    mirror = Mirror(folder / "text")
    name = mirror.event_names("triage")[1]
    mirror.event_path("triage", name).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConflictError) as raised:
        mirror.read_event("triage", name)
    assert name in raised.value.message
    assert "git" in str(raised.value.hint)


def test_an_edited_file_is_never_written_over(triage: Store, folder: Path) -> None:
    mirror = Mirror(folder / "text")
    version = triage.get("triage@1")
    path = mirror.version_path("triage", 1, version.hash)
    path.write_text("one, better\n")
    with pytest.raises(ConflictError, match="was edited"):
        mirror.write_version(version)
    assert path.read_text() == "one, better\n"


def test_a_killed_writers_file_is_written_over(triage: Store, folder: Path) -> None:
    mirror = Mirror(folder / "text")
    version = triage.get("triage@1")
    path = mirror.version_path("triage", 1, version.hash)
    path.unlink()
    path.with_name(f".{path.name}.tmp").write_text("hal")
    mirror.write_version(version)
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []
