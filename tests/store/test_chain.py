from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptbench.store.chain import LabelEvent, Ledger
from promptbench.store.prompts import Store
from tests.store.kit import version_of

ONE, TWO, THREE = (version_of(text) for text in ("one\n", "two\n", "three\n"))


def test_anyone_can_check_the_chain_from_the_files(triage: Store, folder: Path) -> None:
    prev = None
    for path in sorted((folder / "text" / "triage" / "events").iterdir()):
        event = json.loads(path.read_text(encoding="utf-8"))
        tagged = event.pop("hash")
        body = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert tagged == "sha256:" + hashlib.sha256(body).hexdigest()
        assert event["prev"] == prev
        prev = tagged
    assert prev == triage.history("triage")[-1].hash


def test_an_event_reads_back_from_its_file_form(triage: Store) -> None:
    for event in triage.history("triage"):
        assert LabelEvent.from_dict(json.loads(json.dumps(event.as_dict()))) == event


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sequence": "1"}, "'sequence' has the wrong type"),
        ({"sequence": True}, "'sequence' has the wrong type"),
        ({"actor": None}, "'actor' has the wrong type"),
        ({"approved": "yes"}, "unknown field 'approved'"),
    ],
)
def test_what_has_not_the_shape_of_an_event(triage: Store, change: dict[str, Any], message: str) -> None:
    data = triage.history("triage")[0].as_dict() | change
    with pytest.raises(ValueError, match=message):
        LabelEvent.from_dict(data)
    with pytest.raises(ValueError, match="missing field 'prev'"):
        LabelEvent.from_dict({name: value for name, value in data.items() if name not in ("prev", "approved")})
    with pytest.raises(ValueError, match="expected an object"):
        LabelEvent.from_dict([])


def _next(events: list[LabelEvent], **change: Any) -> LabelEvent:
    event = LabelEvent(
        prompt="triage",
        sequence=len(events) + 1,
        kind="promoted",
        label="production",
        from_hash=ONE,
        to_hash=THREE,
        to_number=3,
        evidence="sha256:e",
        actor="ci",
        reason=None,
        at="2026-11-24T00:00:00Z",
        prev=events[-1].hash,
    )
    return replace(event, **change).sealed()


def test_a_fitting_event_fits(triage: Store) -> None:
    events = triage.history("triage")
    ledger = Ledger("triage", [*events, _next(events)])
    assert ledger.labels == {"production": THREE}
    assert ledger.previous("production") == ONE
    assert ledger.numbers == {ONE: 1, TWO: 2, THREE: 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": "entities"}, "belongs to prompt"),
        ({"sequence": 9}, "event 4 is missing"),
        ({"prev": None}, "does not continue"),
        ({"kind": "blessed"}, "unknown"),
        ({"to_hash": None}, "names no version"),
        ({"to_number": 4}, "number 4 is not free"),
        ({"to_hash": TWO}, "number 3 is not free"),
        ({"label": None}, "names no label"),
        ({"label": "staging\x1b[2J", "from_hash": None}, "invalid label"),
        ({"from_hash": TWO}, "production was at"),
        ({"to_hash": ONE, "to_number": 1}, "already there"),
        ({"evidence": None}, "no evidence"),
        ({"kind": "adopted", "reason": "x", "evidence": None}, "already set"),
        ({"kind": "initial"}, "already set"),
        (
            {"kind": "retired", "reason": "x", "evidence": None, "to_hash": None, "to_number": None}
            | {"label": "staging", "from_hash": None},
            "was not set",
        ),
        ({"kind": "forced"}, "no reason"),
        ({"kind": "rolled_back", "reason": "x", "evidence": None}, "unknown version"),
        ({"kind": "labelled", "reason": "x", "evidence": None, "to_hash": TWO, "to_number": 2}, "needs evidence"),
        (
            {"kind": "rolled_back", "reason": "x", "evidence": None, "to_hash": TWO, "to_number": 2}
            | {"label": "staging", "from_hash": None},
            "was never staging",
        ),
        (
            {"kind": "rolled_back", "reason": "x", "to_hash": TWO, "to_number": 2},
            "evidence is not allowed",
        ),
        ({"kind": "retired", "reason": "x", "evidence": None}, "names no version"),
    ],
)
def test_what_cannot_come_next(triage: Store, change: dict[str, Any], message: str) -> None:
    events = triage.history("triage")
    with pytest.raises(ValueError, match=message):
        Ledger("triage", events).add(_next(events, **change))


def test_an_edited_event_does_not_match_its_hash(triage: Store) -> None:
    events = triage.history("triage")
    with pytest.raises(ValueError, match="does not match its hash"):
        Ledger("triage", [replace(events[0], actor="somebody else"), *events[1:]])
