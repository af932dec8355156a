from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.errors import ConflictError, Exit, InputError
from promptbench.store.prompts import NotProven, Store
from promptbench.store.proof import AlreadyDone
from tests.store.kit import ROOT, adopt, evidence, open_store, promote, tree, version_of


def test_opening_and_looking_where_nothing_is_creates_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path / "prompt_store") as store:
        assert store.prompts() == []
        with pytest.raises(InputError, match="prompt 'triage' not found") as raised:
            store.get("triage")
    assert "adopt" in str(raised.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_adopt_is_the_first_entry(store: Store) -> None:
    event = store.adopt("triage", "one\r\n", actor="Kim <kim@example.com>", reason=" in use ")
    assert (event.kind, event.sequence, event.label, event.from_hash, event.to_number) == (
        "adopted",
        1,
        "production",
        None,
        1,
    )
    assert (event.actor, event.reason, event.evidence) == ("Kim <kim@example.com>", "in use", None)
    version = store.get("triage")
    assert (version.source, version.hash, version.content) == ("one\n", version_of("one\n"), {"text": "one\n"})
    assert version.created == event.at
    assert store.history("triage") == [event]


def test_adopt_only_while_the_label_is_unset(triage: Store) -> None:
    with pytest.raises(InputError, match=r"production of triage is already set, to triage@1 \(sha256:") as raised:
        adopt(triage, "triage", "other\n")
    assert "promote" in str(raised.value.hint)
    assert adopt(triage, "triage", "other\n", label="staging").label == "staging"


@pytest.mark.parametrize("reason", ["", "  \n "])
def test_what_rests_on_a_word_needs_a_reason(triage: Store, reason: str) -> None:
    actions: list[Any] = [
        lambda: triage.adopt("new", "one\n", actor="ci", reason=reason),
        lambda: triage.promote("triage", "x\n", evidence=None, actor="ci", force=True, reason=reason),
        lambda: triage.rollback("triage", to="2", actor="ci", reason=reason),
        lambda: triage.label("triage@2", "staging", actor="ci", reason=reason),
        lambda: triage.retire("triage", actor="ci", reason=reason),
    ]
    for action in actions:
        with pytest.raises(InputError, match="needs a reason"):
            action()
    assert len(triage.history("triage")) == 3


def test_promote_moves_the_label_and_keeps_the_evidence(store: Store) -> None:
    adopt(store, "triage", "one\n")
    proof = evidence("triage", "two\n", version_of("one\n"), note="a\r\nb")
    event = store.promote("triage", "two\n", evidence=proof, actor="ci", reason="March invoices")
    assert (event.kind, event.to_number, event.reason) == ("promoted", 2, "March invoices")
    assert (event.from_hash, event.to_hash) == (version_of("one\n"), version_of("two\n"))
    assert store.get("triage@production").source == "two\n"
    kept = store.evidence(str(event.evidence))
    assert kept == {**proof, "note": "a\nb"}
    assert store.evidence(str(event.evidence).removeprefix("sha256:")) == kept


def test_a_first_version_may_be_proven_instead_of_adopted(store: Store) -> None:
    assert promote(store, "triage", "one\n").kind == "initial"
    with pytest.raises(ConflictError, match="stale evidence: it compared with no version, but production of triage"):
        store.promote("triage", "two\n", evidence=evidence("triage", "two\n", None), actor="ci")


@pytest.mark.parametrize("result", ["FAIL", "INCONCLUSIVE", "pass", ""])
def test_only_pass_promotes(triage: Store, result: str) -> None:
    proof = evidence("triage", "three\n", version_of("one\n"), result)
    with pytest.raises(NotProven, match="2 of 2 fixed") as raised:
        triage.promote("triage", "three\n", evidence=proof, actor="ci")
    assert raised.value.exit is Exit.NO
    assert triage.get("triage").number == 1


def test_evidence_about_an_older_champion_is_stale(triage: Store) -> None:
    proof = evidence("triage", "three\n", version_of("two\n"))
    with pytest.raises(ConflictError) as raised:
        triage.promote("triage", "three\n", evidence=proof, actor="ci")
    assert raised.value.message.startswith("stale evidence: it compared with triage@2 (sha256:")
    assert "is now triage@1 (sha256:" in raised.value.message
    assert "`promptbench run`" in str(raised.value.hint)


def test_evidence_about_another_candidate_is_stale(triage: Store) -> None:
    proof = evidence("triage", "three\n", version_of("one\n"))
    with pytest.raises(ConflictError, match="stale evidence: it judged a new version"):
        triage.promote("triage", "three, edited since\n", evidence=proof, actor="ci")


@pytest.mark.parametrize(
    ("proof", "message"),
    [
        (None, "not a JSON object"),
        ([], "not a JSON object"),
        ({"schema_version": 2}, "schema_version 2"),
        ({"schema_version": 1}, "verdict is missing"),
        ({**evidence("triage", "x\n", None), "champion": 1}, "champion"),
        ({**evidence("triage", "x\n", None), "candidate": None}, "candidate"),
        (evidence("entities", "x\n", None), "about entities"),
        (evidence("triage", "x\n", None, cost=float("nan")), "not JSON"),
        (evidence("triage", "x\n", None, odd={1, 2}), "not JSON"),
    ],
)
def test_what_is_no_evidence_is_the_users_mistake(triage: Store, proof: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        triage.promote("triage", "x\n", evidence=proof, actor="ci")


def test_promoting_the_champion_is_nothing_to_promote(triage: Store) -> None:
    for source in ("one\n", "# a comment is no change\none\n"):
        with pytest.raises(AlreadyDone, match="triage@1 is production already") as raised:
            promote(triage, "triage", source)
        assert raised.value.exit == 0


def test_equal_content_is_one_version(triage: Store) -> None:
    event = promote(triage, "triage", "# says the same\ntwo\n")
    assert event.to_number == 2
    assert triage.get("triage").source == "two\n"
    assert len(triage.versions("triage")) == 2


def test_force_needs_no_proof_and_stays_visible(triage: Store) -> None:
    proof = evidence("triage", "three\n", version_of("two\n"), "FAIL")
    event = triage.promote("triage", "three\n", evidence=proof, actor="ci", force=True, reason="outage")
    assert (event.kind, event.reason) == ("forced", "outage")
    assert triage.evidence(str(event.evidence)) == proof
    bare = triage.promote("triage", "four\n", evidence=None, actor="ci", force=True, reason="outage")
    assert (bare.kind, bare.evidence) == ("forced", None)
    assert [event.kind for event in triage.history("triage")][-2:] == ["forced", "forced"]


def test_rollback_goes_back_one_more_each_time(store: Store) -> None:
    adopt(store, "triage", "one\n")
    promote(store, "triage", "two\n")
    promote(store, "triage", "three\n")
    for number in (2, 1):
        event = store.rollback("triage", actor="ci", reason=f"{number} is better")
        assert (event.kind, event.to_number) == ("rolled_back", number)
    with pytest.raises(AlreadyDone):
        store.rollback("triage", actor="ci", reason="1 is better")
    with pytest.raises(InputError, match="no earlier version"):
        store.rollback("triage", actor="ci", reason="worse")
    assert store.rollback("triage", to="triage@3", actor="ci", reason="it was fine").to_number == 3
    assert store.rollback("triage", actor="ci", reason="no, worse").to_number == 1


def test_rollback_only_to_what_held_the_label(triage: Store) -> None:
    adopt(triage, "triage", "three\n", label="staging")
    with pytest.raises(InputError, match=r"triage@3 .* was never production") as raised:
        triage.rollback("triage", to="3", actor="ci", reason="try")
    assert "triage@1" in str(raised.value.hint)
    with pytest.raises(AlreadyDone):
        triage.rollback("triage", to="1", actor="ci", reason="try")
    with pytest.raises(InputError, match="another prompt"):
        triage.rollback("triage", to="entities@1", actor="ci", reason="try")


def test_references(triage: Store) -> None:
    adopt(triage, "triage", "three\n", label="staging")
    two = triage.get("triage@2")
    digits = two.hash.removeprefix("sha256:")
    assert two.source == "two\n"
    for selector in (two.hash, two.hash[:15], digits, digits[:6]):
        assert triage.get(f"triage@{selector}") == two
    assert triage.get("triage") == triage.get("triage@production") == triage.get("triage@1")
    assert triage.get("triage@staging").number == 3
    assert {label: version.number for label, version in triage.labels("triage").items()} == {
        "production": 1,
        "staging": 3,
    }


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ("triag", "prompt 'triag' not found", "did you mean 'triage'"),
        ("Triage", "prompt 'Triage' not found", "did you mean 'triage'"),
        ("../triage", "not found", "triage"),
        ("zzz@production", "prompt 'zzz' not found", "there is triage"),
        ("triage@prodution", "no label 'prodution'", "did you mean 'production'"),
        ("triage@", "no label ''", "there is production"),
        ("triage@9", "no version '9'", "1 to 2"),
        ("triage@99999999999999999999999", "no version", "1 to 2"),
        ("triage@sha256:0000000", "no version", "1 to 2"),
        ("triage@sha256:", "no version", "six digits"),
    ],
)
def test_unknown_references(triage: Store, reference: str, message: str, hint: str) -> None:
    with pytest.raises(InputError) as raised:
        triage.get(reference)
    assert message in raised.value.message
    assert hint in str(raised.value.hint)


def test_reading_an_unknown_prompt(triage: Store) -> None:
    for read in (triage.labels, triage.versions, triage.history):
        with pytest.raises(InputError, match="prompt 'triagge' not found"):
            read("triagge")
    for change in (triage.rollback, triage.retire):
        with pytest.raises(InputError, match="prompt 'triagge' not found"):
            change("triagge", actor="ci", reason="x")
    with pytest.raises(InputError, match="not found"):
        triage.evidence("0" * 64)
    with pytest.raises(InputError, match="not found"):
        triage.evidence("../../x")


@pytest.mark.parametrize("name", ["con", "lpt1", "Triage", "tri/age", "..", "", "-a", "a.b", "a" * 81, "tr\n", "ä"])
def test_names_that_no_folder_may_have(store: Store, name: str) -> None:
    with pytest.raises(InputError, match="invalid prompt name"):
        adopt(store, name, "one\n")
    with pytest.raises(InputError, match="invalid label"):
        adopt(store, "triage", "one\n", label=f"9{name}.")
    assert store.prompts() == []


def test_text_that_is_no_prompt(store: Store, folder: Path) -> None:
    with pytest.raises(InputError, match="the text of triage is not a prompt: it starts with BAD"):
        adopt(store, "triage", "BAD")
    with pytest.raises(InputError, match="is not a prompt"):
        adopt(store, "triage", "\ud800")
    assert not folder.exists()


def test_a_wrong_hash_function_is_a_bug(folder: Path) -> None:
    with (
        Store.open(
            folder, hash_of=lambda text: ("sha256:" + "0" * 64, {"text": text}), rejudge=lambda evidence: []
        ) as store,
        pytest.raises(ValueError, match="hash_of gave"),
    ):
        adopt(store, "triage", "one\n")


def test_odd_characters_survive(store: Store) -> None:
    event = adopt(store, "triage", "\ufeffä\u2028\x00😀")
    proof = evidence("triage", "b", event.to_hash, text="\ud83d\ude00 \ud800", deep={"ä": [1.5, None, 1e300]})
    event = store.promote("triage", "b", evidence=proof, actor="\udce4 ci\r\nx", reason="\ud800")
    assert event.actor == "? ci\nx"
    assert store.get("triage@1").source == "\ufeffä\u2028\x00😀"
    assert store.evidence(str(event.evidence))["text"] == "😀 \ud800"
    assert store.verify() == []


def test_labels_for_people(triage: Store) -> None:
    event = triage.label("triage@2", "july", actor="ci", reason="the newsletter used it")
    assert (event.kind, event.label, event.to_number) == ("labelled", "july", 2)
    assert triage.get("triage@july").number == 2
    with pytest.raises(AlreadyDone, match="july already"):
        triage.label("triage@2", "july", actor="ci", reason="again")
    with pytest.raises(InputError, match="by evidence only"):
        triage.label("triage@2", "production", actor="ci", reason="quickly")


def test_retired_labels_can_come_back(triage: Store) -> None:
    triage.label("triage@2", "july", actor="ci", reason="x")
    assert triage.retire("triage", label="july", actor="ci", reason="over").kind == "retired"
    assert list(triage.labels("triage")) == ["production"]
    triage.label("triage@2", "july", actor="ci", reason="x")
    triage.retire("triage", actor="ci", reason="the product is gone")
    assert triage.labels("triage") == {}
    with pytest.raises(InputError, match="no label 'production'") as raised:
        triage.get("triage")
    assert raised.value.hint == "it has no label at all"
    with pytest.raises(InputError, match="no label"):
        triage.retire("triage", label="july", actor="ci", reason="over")
    assert triage.get("triage@2").source == "two\n"
    assert triage.rollback("triage", actor="ci", reason="it is back").to_number == 1
    assert triage.verify() == []


def test_events_are_in_utc(folder: Path) -> None:
    now = datetime(2026, 11, 24, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    with open_store(folder, clock=lambda: now) as store:
        assert adopt(store, "triage", "one\n").at == "2026-11-23T23:30:00.000Z"


def test_a_refused_change_leaves_no_trace(triage: Store, folder: Path) -> None:
    before = tree(folder)
    with pytest.raises(ConflictError):
        triage.promote("triage", "new\n", evidence=evidence("triage", "new\n", version_of("zero\n")), actor="ci")
    with pytest.raises(InputError):
        triage.rollback("triage", to="9", actor="ci", reason="x")
    assert tree(folder) == before


def test_reading_imports_nothing_heavy(triage: Store, folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.store.kit import open_store\n"
        f"print(open_store(Path({str(folder)!r})).get('triage').source, end='')\n"
        "print([name for name in ('sqlite_utils', 'jsonschema', 'pydantic', 'openai') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "one\n[]\n"
