"""Any sequence of changes, reopenings, lost files and crashes against a simple model of what should be."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from promptbench.core.errors import ConflictError, InputError
from promptbench.store.chain import Ledger
from promptbench.store.mirror import Mirror
from promptbench.store.proof import AlreadyDone
from tests.store.kit import adopt, evidence, open_store, promote, tree, version_of

PROMPTS = st.sampled_from(["triage", "entities"])
LABELS = st.sampled_from(["production", "staging"])
SOURCES = st.sampled_from([f"text {n}\n" for n in range(5)])
Name = tuple[str, str]


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        # The promises under test are not about power cuts: memory is as good as a disk, and faster.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.top = Path(tempfile.mkdtemp(dir=memory))
        self.folder = self.top / "prompt_store"
        self.store = open_store(self.folder)
        self.holders: dict[Name, str] = {}
        self.trails: dict[Name, list[str]] = {}
        """What a rollback walks back along."""
        self.held: dict[Name, set[str]] = {}
        self.numbers: dict[str, list[str]] = {}
        self.events: dict[str, int] = {}

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.top)

    def _moved(self, name: Name, source: str) -> None:
        self.holders[name] = source
        self.held.setdefault(name, set()).add(source)
        self.events[name[0]] = self.events.get(name[0], 0) + 1
        known = self.numbers.setdefault(name[0], [])
        if source not in known:
            known.append(source)

    def _went_on(self, name: Name, source: str) -> None:
        trail = self.trails.setdefault(name, [])
        if trail[-1:] != [source]:
            trail.append(source)
        self._moved(name, source)

    def _text(self) -> dict[str, bytes]:
        return {name: data.replace(b"\r\n", b"\n") for name, data in tree(self.folder / "text").items()}

    @rule(prompt=PROMPTS, label=LABELS, source=SOURCES)
    def adopt(self, prompt: str, label: str, source: str) -> None:
        if (prompt, label) in self.holders:
            with pytest.raises((InputError, AlreadyDone)):
                adopt(self.store, prompt, source, label=label)
        else:
            assert adopt(self.store, prompt, source, label=label).kind == "adopted"
            self._went_on((prompt, label), source)

    @rule(prompt=PROMPTS, label=LABELS, source=SOURCES)
    def promote(self, prompt: str, label: str, source: str) -> None:
        if self.holders.get((prompt, label)) == source:
            with pytest.raises(AlreadyDone):
                promote(self.store, prompt, source, label=label)
        else:
            promote(self.store, prompt, source, label=label)
            self._went_on((prompt, label), source)

    @rule(prompt=PROMPTS, label=LABELS, source=SOURCES, champion=SOURCES)
    def promote_on_old_evidence(self, prompt: str, label: str, source: str, champion: str) -> None:
        if self.holders.get((prompt, label)) == source or self.holders.get((prompt, "production")) == champion:
            return
        proof = evidence(prompt, source, version_of(champion))
        with pytest.raises(ConflictError, match="stale evidence"):
            self.store.promote(prompt, source, label=label, evidence=proof, actor="ci")

    @rule(prompt=PROMPTS, label=LABELS, source=SOURCES)
    def force(self, prompt: str, label: str, source: str) -> None:
        if self.holders.get((prompt, label)) == source:
            return
        event = self.store.promote(prompt, source, label=label, evidence=None, actor="ci", reason="now", force=True)
        assert event.kind == "forced"
        self._went_on((prompt, label), source)

    @rule(prompt=PROMPTS, label=LABELS, source=SOURCES)
    def point_a_label(self, prompt: str, label: str, source: str) -> None:
        known = source in self.numbers.get(prompt, [])
        if label == "production" or not known or self.holders.get((prompt, label)) == source:
            with pytest.raises((InputError, AlreadyDone)):
                self.store.label(f"{prompt}@{version_of(source)}", label, actor="ci", reason="mine")
            return
        self.store.label(f"{prompt}@{version_of(source)}", label, actor="ci", reason="mine")
        self._went_on((prompt, label), source)

    @rule(prompt=PROMPTS, label=LABELS)
    def roll_back(self, prompt: str, label: str) -> None:
        name = (prompt, label)
        trail = self.trails.get(name, [])
        below = trail[:-1] if name in self.holders else trail
        if not below:
            with pytest.raises(InputError):
                self.store.rollback(prompt, label=label, actor="ci", reason="worse")
            return
        event = self.store.rollback(prompt, label=label, actor="ci", reason=f"worse than {self.events[prompt]}")
        assert event.to_hash == version_of(below[-1])
        self.trails[name] = below
        self._moved(name, below[-1])

    @rule(prompt=PROMPTS, label=LABELS, source=SOURCES)
    def roll_back_to(self, prompt: str, label: str, source: str) -> None:
        name = (prompt, label)
        if source not in self.held.get(name, set()) or self.holders.get(name) == source:
            with pytest.raises((InputError, AlreadyDone)):
                self.store.rollback(prompt, to=version_of(source), label=label, actor="ci", reason="worse")
            return
        self.store.rollback(prompt, to=version_of(source), label=label, actor="ci", reason="worse")
        trail = self.trails[name]
        below = trail[:-1] if name in self.holders else trail
        if source in below:
            self.trails[name] = below[: len(below) - below[::-1].index(source)]
        else:
            trail.append(source)
        self._moved(name, source)

    @rule(prompt=PROMPTS, label=LABELS)
    def retire(self, prompt: str, label: str) -> None:
        if (prompt, label) not in self.holders:
            with pytest.raises((InputError, AlreadyDone)):
                self.store.retire(prompt, label=label, actor="ci", reason="over")
            return
        self.store.retire(prompt, label=label, actor="ci", reason="over")
        del self.holders[prompt, label]
        self.events[prompt] += 1

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = open_store(self.folder)

    @precondition(lambda self: self.events)
    @rule()
    def lose_the_database(self) -> None:
        self.store.close()
        (self.folder / "prompts.sqlite").unlink()
        self.store = open_store(self.folder)

    @precondition(lambda self: self.events)
    @rule(data=st.data(), whole=st.booleans())
    def crash_before_the_mirror_was_written(self, data: Any, whole: bool) -> None:
        """Takes the last files of a prompt away, in the order opposite to writing."""
        prompt = data.draw(st.sampled_from(sorted(self.events)))
        before = self._text()
        events = self.store.history(prompt)
        lost = data.draw(st.integers(1, len(events)))
        for event in events[-lost:]:
            mirror = Mirror(self.folder / "text")
            mirror.event_path(prompt, event.file_name).unlink()
            if whole and event.kind == "promoted":
                mirror.evidence_path(prompt, str(event.evidence)).unlink(missing_ok=True)
        self.store.history(prompt)
        after = self._text()
        assert {name for name in before if "/evidence/" not in name} <= set(after)
        assert all(before[name] == text for name, text in after.items())

    @precondition(lambda self: self.events)
    @rule(data=st.data(), labels=st.tuples(LABELS, LABELS), sources=st.tuples(SOURCES, SOURCES), lost=st.booleans())
    def merge_with_a_colleague(self, data: Any, labels: Any, sources: Any, lost: bool) -> None:
        """Both move a label, git brings the files together, and ours keeps the label where they moved the same."""
        prompt = data.draw(st.sampled_from(sorted(self.events)))
        (mine, hers), (ours, theirs) = labels, sources
        same = (mine, ours) == (hers, theirs)
        if same or self.holders.get((prompt, mine)) == ours or self.holders.get((prompt, hers)) == theirs:
            return
        other = self.top / "colleague"
        shutil.copytree(self.folder / "text", other / "text")
        with open_store(other) as colleague:
            promote(colleague, prompt, theirs, label=hers)
        promote(self.store, prompt, ours, label=mine)
        held = [version.source for version in self.store.versions(prompt)]
        shutil.copytree(other / "text", self.folder / "text", dirs_exist_ok=True)
        shutil.rmtree(other)
        if lost:
            self.lose_the_database()
        fork = self.store.fork(prompt)
        assert fork is not None
        keep = {label: version_of(ours) for label, several in fork.holders().items() if len(several) > 1}
        assert set(keep) == ({mine} if mine == hers and ours != theirs else set())
        added = self.store.merge(prompt, keep)
        known = self.numbers[prompt]
        self.numbers[prompt] = [version.source for version in self.store.versions(prompt)]
        assert set(self.numbers[prompt]) == {*held, theirs}
        assert self.numbers[prompt][: len(known)] == known, "what both had keeps its number"
        self.events[prompt] += 1 + len(added)
        for label, source in ((hers, theirs), (mine, ours)):
            self.holders[prompt, label] = source
            self.held.setdefault((prompt, label), set()).add(source)
        for label in {mine, hers}:
            self.trails[prompt, label] = self._trail(prompt, label)

    def _trail(self, prompt: str, label: str) -> list[str]:
        """Where rollbacks of a merged label lead is the chain's own affair; the model goes on from there."""
        source = {version.hash: version.source for version in self.store.versions(prompt)}
        return [source[version] for version in Ledger(prompt, self.store.history(prompt))._stacks.get(label, [])]

    @rule()
    def rewrite_line_ends(self) -> None:
        for path in (self.folder / "text").rglob("*.*"):
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        assert self.store.prompts() == sorted(self.events)
        for prompt, count in self.events.items():
            events = self.store.history(prompt)
            assert len(events) == count
            ledger = Ledger(prompt, events)
            holders = {label: text for (name, label), text in self.holders.items() if name == prompt}
            labels = self.store.labels(prompt)
            assert {label: version.source for label, version in labels.items()} == holders
            assert ledger.labels == {label: version_of(text) for label, text in holders.items()}
            assert [version.source for version in self.store.versions(prompt)] == self.numbers[prompt]
            assert Mirror(self.folder / "text").event_names(prompt) == [event.file_name for event in events]

    @rule()
    def verify(self) -> None:
        assert self.store.verify() == []


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
