"""Two people who change one prompt at the same time, with real git between them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from promptbench.core.canonical import digest
from promptbench.core.errors import ConflictError, EnvironmentFailure, InputError
from promptbench.store import mirror as mirror_module
from promptbench.store.chain import LabelEvent, Ledger
from promptbench.store.merge import Fork, answered, fork_of
from promptbench.store.mirror import Mirror, event_text
from promptbench.store.prompts import Store
from tests.store.kit import adopt, open_store, promote, tree, version_of

ONE, TWO, OURS, THEIRS, AGAIN = (version_of(f"{text}\n") for text in ("one", "two", "ours", "theirs", "again"))


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """No promise under test is about power cuts, and memory is faster than a disk that is waited for."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Clone:
    """A clone with its own store; the mirror is what git carries."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / "prompt_store"

    def git(self, *words: str, fails: bool = False) -> str:
        done = subprocess.run(["git", *words], cwd=self.root, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout

    def commit(self) -> None:
        self.git("add", "prompt_store/text")
        self.git("commit", "-qm", "store")

    def pull(self, other: Clone) -> None:
        self.git("pull", "-q", "--no-rebase", "--no-edit", str(other.root), "main")

    def change(self, *changes: Callable[[Store], object]) -> None:
        with open_store(self.folder) as store:
            for change in changes:
                change(store)
        self.commit()

    def merge(self, keep: dict[str, str | None] | None = None) -> list[LabelEvent]:
        with open_store(self.folder) as store:
            events = store.merge("triage", keep or {})
            assert store.verify() == []
        self.commit()
        return events

    def facts(self) -> tuple[dict[str, str], list[str], list[str]]:
        """Labels with their texts, the texts by number, the kinds of the events; all of it verified."""
        with open_store(self.folder) as store:
            assert store.verify() == []
            labels = {label: version.source for label, version in store.labels("triage").items()}
            texts = [version.source for version in store.versions("triage")]
            return labels, texts, [event.kind for event in store.history("triage")]


@pytest.fixture(scope="module")
def origin(memory: Path) -> Clone:
    clone = Clone(memory / "origin")
    clone.root.mkdir()
    clone.git("init", "-qb", "main")
    (clone.root / ".gitignore").write_text("prompt_store/*.sqlite*\n")
    clone.git("add", ".")
    clone.git("config", "user.name", "A")
    clone.git("config", "user.email", "a@example.com")
    clone.change(lambda store: adopt(store, "triage", "one\n"), lambda store: promote(store, "triage", "two\n"))
    return clone


@pytest.fixture
def tmp_path(memory: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=memory))


def clone_of(origin: Clone, path: Path) -> Clone:
    shutil.copytree(origin.root, path, ignore=shutil.ignore_patterns("*.sqlite"))
    return Clone(path)


@pytest.fixture
def ann(origin: Clone, tmp_path: Path) -> Clone:
    return clone_of(origin, tmp_path / "ann")


@pytest.fixture
def bob(origin: Clone, tmp_path: Path) -> Clone:
    return clone_of(origin, tmp_path / "bob")


def promoting(source: str, label: str = "production") -> Callable[[Store], object]:
    return lambda store: promote(store, "triage", source, label=label)


def forked(ann: Clone, bob: Clone) -> None:
    """Ann promotes `ours`; Bob promotes `theirs` and then `again`."""
    ann.change(promoting("ours\n"))
    bob.change(promoting("theirs\n"), promoting("again\n"))


def test_both_promote_and_one_of_them_merges(ann: Clone, bob: Clone) -> None:
    forked(ann, bob)
    evidence = {*tree(ann.folder / "text/triage/evidence"), *tree(bob.folder / "text/triage/evidence")}
    ann.pull(bob)
    with open_store(ann.folder) as store, pytest.raises(ConflictError, match="two branches") as raised:
        store.get("triage")
    assert "`promptbench store merge triage`" in str(raised.value.hint)
    assert [event.kind for event in ann.merge({"production": OURS})] == ["merged", "merged"]
    expected = (
        {"production": "ours\n"},
        ["one\n", "two\n", "ours\n", "theirs\n", "again\n"],
        ["adopted", "promoted", "promoted", "merged", "merged"],
    )
    assert ann.facts() == expected
    bob.pull(ann)
    assert bob.facts() == expected, "his database had the events in another order"
    assert tree(ann.folder / "text") == tree(bob.folder / "text")
    assert set(tree(bob.folder / "text/triage/evidence")) == evidence
    (bob.folder / "prompts.sqlite").unlink()
    assert bob.facts() == expected
    bob.change(promoting("next\n"))
    ann.pull(bob)
    assert ann.facts()[0] == {"production": "next\n"}


def test_the_other_version_can_be_chosen_then_and_later(ann: Clone, bob: Clone) -> None:
    forked(ann, bob)
    ann.pull(bob)
    assert [event.kind for event in ann.merge({"production": AGAIN})] == ["merged"]
    labels, texts, _ = ann.facts()
    assert labels == {"production": "again\n"}
    assert texts == ["one\n", "two\n", "theirs\n", "again\n", "ours\n"], "who keeps the label keeps the numbers"
    with open_store(ann.folder) as store:
        assert store.rollback("triage", to="5", actor="a", reason="it was better").to_hash == OURS
        with pytest.raises(InputError, match="was never staging"):
            store.rollback("triage", to="5", label="staging", actor="a", reason="x")


def test_the_merge_tells_who_did_what(ann: Clone, bob: Clone) -> None:
    forked(ann, bob)
    ann.pull(bob)
    with open_store(bob.folder) as store:
        before = store.history("triage")[-2:]
    first, second = ann.merge({"production": OURS})
    assert [first.merged, second.merged] == before, "the events of the branch, whole"
    assert first.summary == (
        "triage@4 comes from a merged branch, where it was production as @3: promoted by ci as event 3"
    )
    assert (first.evidence, first.actor, first.at) == (before[0].evidence, before[0].actor, before[0].at)


def test_two_who_answer_the_same_have_the_same(ann: Clone, bob: Clone) -> None:
    forked(ann, bob)
    ann.git("fetch", "-q", str(bob.root), "main")
    bob.pull(ann)
    ann.git("merge", "-q", "--no-edit", "FETCH_HEAD")
    for clone in (ann, bob):
        clone.merge({"production": AGAIN})
    assert tree(ann.folder / "text") == tree(bob.folder / "text")
    ann.pull(bob)
    assert ann.facts() == bob.facts()


def test_two_who_answer_differently_are_asked_again(ann: Clone, bob: Clone) -> None:
    forked(ann, bob)
    ann.git("fetch", "-q", str(bob.root), "main")
    bob.pull(ann)
    ann.git("merge", "-q", "--no-edit", "FETCH_HEAD")
    ann.merge({"production": OURS})
    bob.merge({"production": AGAIN})
    ann.pull(bob)
    with open_store(ann.folder) as store:
        with pytest.raises(ConflictError, match="two branches changed it at the same time") as raised:
            store.get("triage")
        assert "store merge" in str(raised.value.hint)
        fork = store.fork("triage")
        assert fork is not None
        assert set(fork.holders()["production"]) == {OURS, AGAIN}
        assert [branch.ledger.labels.get("production") for branch in fork.branches if branch.here] == [OURS]
    (ann.folder / "prompts.sqlite").unlink()
    ann.merge({"production": AGAIN})
    bob.pull(ann)
    assert ann.facts() == bob.facts()
    assert ann.facts()[0] == {"production": "again\n"}
    assert sorted(ann.facts()[1]) == sorted(["one\n", "two\n", "ours\n", "theirs\n", "again\n"])


def test_what_came_after_a_merge_elsewhere_is_all_that_is_left_to_merge(ann: Clone, bob: Clone) -> None:
    forked(ann, bob)
    ann.pull(bob)
    ann.merge({"production": OURS})
    bob.change(promoting("late\n"))
    bob.pull(ann)
    [event] = bob.merge({"production": OURS})
    assert event.merged is not None
    assert event.to_hash == version_of("late\n")
    ann.pull(bob)
    assert ann.facts() == bob.facts()
    assert ann.facts()[0] == {"production": "ours\n"}


def test_labels_that_one_branch_moved_ask_nobody(ann: Clone, bob: Clone) -> None:
    ann.change(promoting("ours\n"))
    bob.change(promoting("theirs\n", "staging"))
    ann.pull(bob)
    events = ann.merge()
    assert ann.facts()[0] == {"production": "ours\n", "staging": "theirs\n"}
    assert [event.kind for event in events][-1] in ("merged", "settled")
    bob.pull(ann)
    assert bob.facts() == ann.facts()


def test_a_label_taken_away_and_one_that_moved(ann: Clone, bob: Clone) -> None:
    ann.change(lambda store: store.retire("triage", actor="a", reason="not used"))
    bob.change(promoting("theirs\n"))
    ann.pull(bob)
    with open_store(ann.folder) as store:
        fork = store.fork("triage")
        assert fork is not None
        assert set(fork.holders()["production"]) == {None, THEIRS}
    ann.merge({"production": None})
    assert ann.facts()[0] == {}
    bob.pull(ann)
    assert bob.facts() == ann.facts()


def test_an_answer_is_asked_for_by_name(ann: Clone, bob: Clone) -> None:
    forked(ann, bob)
    ann.pull(bob)
    before = tree(ann.folder)
    with open_store(ann.folder) as store:
        for keep in ({}, {"production": TWO}, {"production": None}):
            with pytest.raises(InputError, match="production at different versions") as raised:
                store.merge("triage", keep)
            assert OURS in raised.value.message
    assert {k: v for k, v in tree(ann.folder).items() if "/" in k} == {k: v for k, v in before.items() if "/" in k}


def test_three_branches(origin: Clone, tmp_path: Path) -> None:
    clones = [clone_of(origin, tmp_path / name) for name in ("a", "b", "c")]
    for clone in clones:
        clone.change(promoting(f"{clone.root.name}\n"))
    first, *others = clones
    for other in others:
        first.pull(other)
    first.merge({"production": version_of("b\n")})
    assert first.facts()[0] == {"production": "b\n"}
    assert len(first.facts()[1]) == 5
    for other in others:
        other.pull(first)
        assert other.facts() == first.facts()


def test_database_and_mirror_went_separate_ways(ann: Clone, bob: Clone) -> None:
    forked(ann, bob)
    shutil.rmtree(ann.folder / "text")
    shutil.copytree(bob.folder / "text", ann.folder / "text")
    with open_store(ann.folder) as store, pytest.raises(ConflictError, match="have diverged") as raised:
        store.get("triage")
    assert "store merge triage" in str(raised.value.hint)
    ann.merge({"production": OURS})
    assert ann.facts()[1] == ["one\n", "two\n", "ours\n", "theirs\n", "again\n"]


def test_two_who_start_the_same_prompt(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with open_store(tmp_path / name) as store:
            adopt(store, "triage", f"{name}\n")
    shutil.copytree(tmp_path / "b" / "text", tmp_path / "a" / "text", dirs_exist_ok=True)
    with open_store(tmp_path / "a") as store:
        store.merge("triage", {"production": version_of("b\n")})
        assert store.get("triage").source == "b\n"
        assert store.verify() == []


@pytest.mark.parametrize("point", range(0, 6))
def test_a_merge_that_was_cut_short_is_completed(
    ann: Clone, bob: Clone, point: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails at each of the changes to the mirror in turn."""
    forked(ann, bob)
    ann.pull(bob)
    left = [point]

    def failing(real: Callable[..., None]) -> Callable[..., None]:
        def act(*words: object, **options: object) -> None:
            if not left[0]:
                raise OSError("no")
            left[0] -= 1
            real(*words, **options)

        return act

    with monkeypatch.context() as patched, open_store(ann.folder) as store:
        patched.setattr(mirror_module, "_write", failing(mirror_module._write))
        patched.setattr(Path, "unlink", failing(Path.unlink))
        with pytest.raises(EnvironmentFailure, match="text copy was not written"):
            store.merge("triage", {"production": OURS})
    assert ann.facts()[0] == {"production": "ours\n"}
    whole = ann.facts()
    (ann.folder / "prompts.sqlite").unlink()
    assert ann.facts() == whole


def _name(clone: Clone, pattern: str) -> Path:
    [path] = (clone.folder / "text" / "triage").glob(pattern)
    return path


@pytest.mark.parametrize("pattern", ["events/0003-*", "versions/4-*", "evidence/*"])
def test_a_branch_with_a_missing_file_is_not_merged(ann: Clone, bob: Clone, pattern: str) -> None:
    forked(ann, bob)
    mine = tree(ann.folder / "text" / "triage")
    ann.pull(bob)
    names = (ann.folder / "text" / "triage").glob(pattern)
    missing = next(path for path in names if path.relative_to(ann.folder / "text" / "triage").as_posix() not in mine)
    missing.unlink()
    before = tree(ann.folder / "text")
    with open_store(ann.folder) as store, pytest.raises(ConflictError) as raised:
        store.merge("triage", {"production": OURS})
    assert "git" in str(raised.value.hint)
    assert tree(ann.folder / "text") == before


def test_an_edited_merge_is_not_believed(ann: Clone, bob: Clone) -> None:
    """Somebody who seals anew what he made of the other branch."""
    forked(ann, bob)
    ann.pull(bob)
    event = ann.merge({"production": OURS})[-1]
    assert event.merged is not None
    with open_store(ann.folder) as store:
        events = store.history("triage")[:-1]
    forged = (
        replace(event, to_hash=TWO, to_number=2),
        replace(event, label="production", from_hash=OURS),
        replace(event, merged=replace(event.merged, actor="somebody else")),
        replace(event, merged=events[-1].merged),
        replace(event, merged=None),
        replace(event, kind="promoted"),
        replace(event, evidence=None),
        replace(event, merged=replace(event.merged, prompt="entities").sealed()),
    )
    for wrong in forged:
        with pytest.raises(ValueError, match=r"branch|label|record|version"):
            Ledger("triage", [*events, replace(wrong, summary=None).sealed()])
    with pytest.raises(ValueError, match="summary"):
        Ledger("triage", [*events, replace(event, summary="nothing happened").sealed()])
    path = _name(ann, "events/0005-*")
    path.write_text(path.read_text().replace("as event 4", "as event 9"))
    with open_store(ann.folder) as store:
        assert [finding.kind for finding in store.verify()] == ["mirror"]


def test_nothing_to_merge(triage: Store) -> None:
    assert triage.fork("triage") is None
    assert triage.merge("triage", {}) == []


@pytest.mark.parametrize("attributes", [True, False])
def test_a_checkout_with_other_line_ends(ann: Clone, tmp_path: Path, attributes: bool) -> None:
    if attributes:
        (ann.root / ".gitattributes").write_text("prompt_store/text/** text eol=lf\n")
        ann.git("add", ".gitattributes")
    ann.change(promoting("ours\nof two lines\n"))
    windows = Clone(tmp_path / "windows")
    ann.git("-c", "core.autocrlf=true", "clone", "-q", str(ann.root), str(windows.root))
    for key, value in {"core.autocrlf": "true", "user.name": "B", "user.email": "b@example.com"}.items():
        windows.git("config", key, value)
    assert any(b"\r\n" in text for text in tree(windows.folder / "text").values()) is not attributes
    assert windows.facts() == ann.facts()
    assert windows.git("status", "--porcelain") == ""
    windows.change(promoting("theirs\n"))
    ann.change(promoting("mine\n"))
    windows.pull(ann)
    windows.merge({"production": THEIRS})
    ann.pull(windows)
    assert ann.facts() == windows.facts()
    assert ann.git("status", "--porcelain") == ""


def test_a_promotion_in_git_diff(ann: Clone) -> None:
    ann.change(promoting("ours\n"))
    lines = ann.git("show", "--format=", "HEAD", "--", "prompt_store/text/triage/events").splitlines()
    said = [line for line in lines if line.startswith('+  "')]
    assert said[0].startswith('+  "summary": "triage@3 is now production (was triage@2): promoted on evidence sha256:')
    assert said[0].endswith(' by ci",')


# -- without a disk: any two branches

SOURCES = st.sampled_from([digest({"text": n}) for n in range(4)])
MOVES = st.lists(
    st.tuples(st.sampled_from(["forced", "retired"]), st.sampled_from(["production", "staging"]), SOURCES), max_size=5
)


def _grown(events: list[LabelEvent], moves: list[tuple[str, str, str]], actor: str) -> list[LabelEvent]:
    ledger, grown = Ledger("triage", events), list(events)
    for kind, label, version in moves:
        to = version if kind == "forced" else None
        if ledger.labels.get(label) == to:
            continue
        event = LabelEvent(
            prompt="triage",
            sequence=ledger.length + 1,
            kind=kind,
            label=label,
            from_hash=ledger.labels.get(label),
            to_hash=to,
            to_number=ledger.number_for(to) if to else None,
            evidence=None,
            actor=actor,
            reason="x",
            at=f"2026-01-01T00:00:{ledger.length:02d}Z",
            prev=ledger.head,
        ).sealed()
        ledger.add(event)
        grown.append(event)
    return grown


def _answers(fork: Fork, last: bool) -> dict[str, str | None]:
    return {label: holders[-1 if last else 0] for label, holders in fork.holders().items()}


@given(MOVES, MOVES, MOVES, st.booleans(), MOVES)
def test_any_two_branches(
    common: list[tuple[str, str, str]],
    mine: list[tuple[str, str, str]],
    theirs: list[tuple[str, str, str]],
    last: bool,
    later: list[tuple[str, str, str]],
) -> None:
    base = _grown([], common, "x")
    ours, others = _grown(base, mine, "a"), _grown(base, theirs, "b")
    fork = fork_of("triage", ours, others)
    same = fork_of("triage", others, ours)
    if fork is None or same is None:
        longer = max(ours, others, key=len)
        assert longer[: len(base)] == base
        assert base in (ours, others) or ours == others
        return
    keep = answered(fork, _answers(fork, last))
    joined = fork.join(keep)
    assert joined == same.join(keep), "from either side"
    ledger = Ledger("triage", joined)
    assert {label: version for label, version in keep.items() if version} == ledger.labels
    assert ledger.known >= {event.hash for event in (*ours, *others)}
    assert set(ledger.numbers) == {event.to_hash for event in (*ours, *others) if event.to_hash}
    base_labels = Ledger("triage", base).labels
    for label, version in keep.items():
        held = {Ledger("triage", events).labels.get(label) for events in (ours, others)}
        assert version in held
        if len(held) == 2 and base_labels.get(label) in held:
            assert version != base_labels.get(label), "a label that one branch moved has moved"
    assert [LabelEvent.from_dict(json.loads(event_text(event))) for event in joined] == joined
    # One goes on from the merge, the other from his branch: only what is new is merged, and the merge holds.
    on, off = _grown(joined, [], "a"), _grown(others, later, "b")
    again = fork_of("triage", on, off)
    if again is not None:
        more = again.join(answered(again, _answers(again, last)))
        assert Ledger("triage", more).known >= {event.hash for event in (*on, *off)}


def test_a_merge_is_found_by_the_names_of_its_files(ann: Clone, bob: Clone) -> None:
    forked(ann, bob)
    ann.pull(bob)
    ann.merge({"production": OURS})
    names = Mirror(ann.folder / "text").event_names("triage")
    assert [name.split("-")[1] for name in names] == ["adopted", "promoted", "promoted", "merged", "merged"]
