"""The cases of a run as a page holds them: an index that is read at once, and packs of cases that are read on demand.

Both are JSON, compressed by gzip and written as base64. A pack has the HTML of its cases.
"""

from __future__ import annotations

import base64
import gzip
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from promptbench.core.canonical import escape_surrogates
from promptbench.core.types import Json, Rung
from promptbench.parsing.json_text import read
from promptbench.report.document import Matrix
from promptbench.report.model import CaseAttempts, Explored

_MOST_LABELS = 40
_LONGEST_LABEL = 60
_CASES_PER_LABEL = 2
_MOST_MATRICES = 4
WHOLE = "the answer"
OTHER = "(another)"
UNREADABLE = "(not readable)"


@dataclass(slots=True)
class Confusions:
    """Collects from case to case. A location with too many labels is dropped, so that memory stays small.

    `prompts` are the labels of the prompts to look at, by hash: the judged one, and "" for models without a prompt. If
    a suite has `intents`, only locations that hold nothing else are used.
    """

    prompts: dict[str, str]
    intents: frozenset[str] = frozenset()
    _cases: Counter[str] = field(default_factory=Counter)
    _labels: dict[str, set[str]] = field(default_factory=dict)
    _pairs: dict[tuple[str, str, str], Counter[tuple[str, str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, attempts: Explored) -> Confusions:
        judged = {prompt.hash: prompt.label for prompt in attempts.prompts if prompt.hash == attempts.candidate}
        return cls({"": "", **judged}, attempts.intents)

    def add(self, case: CaseAttempts) -> None:
        wanted = {place: label for item in case.expected for place, label in _labels(item) if self._fits(place, label)}
        for place in wanted:
            self._cases[place] += 1
        if not wanted:
            return
        for attempt in case.attempts:
            if not attempt.counted or attempt.prompt not in self.prompts or attempt.answer is None or attempt.fallback:
                continue
            if list(wanted) == [WHOLE]:
                given = {WHOLE: attempt.answer[: _LONGEST_LABEL * 4].strip()}
            else:
                given = dict(_labels(read(attempt.answer).value))
            for place, label in wanted.items():
                key = (place, self.prompts[attempt.prompt], attempt.model)
                self._pairs.setdefault(key, Counter())[label, given.get(place, UNREADABLE)] += 1

    def _fits(self, place: str, label: str) -> bool:
        known = self._labels.setdefault(place, set())
        if len(known) <= _MOST_LABELS:
            known.add(label)
        return len(known) <= _MOST_LABELS

    def matrices(self) -> list[Matrix]:
        """Return a matrix for each location, prompt and model; the first few of them."""
        found = []
        for (place, prompt, model), pairs in self._pairs.items():
            expected = sorted(self._labels[place])
            if not 2 <= len(expected) <= _MOST_LABELS or self._cases[place] < _CASES_PER_LABEL * len(expected):
                continue
            if self.intents and not self.intents.issuperset(expected):
                continue
            seen: Counter[tuple[str, str]] = Counter()
            for (label, given), count in pairs.items():
                seen[label, given if given in (*expected, UNREADABLE) else OTHER] += count
            more = [name for name in (OTHER, UNREADABLE) if any(given == name for _, given in seen)]
            given_names = [*expected, *more]
            of = f"{prompt} on {model}" if prompt else model
            found.append(
                Matrix(
                    f"Confusion: {place}",
                    f"{of}. Each row is what was expected, each column what was given.",
                    expected,
                    given_names,
                    [[seen[label, given] for given in given_names] for label in expected],
                )
            )
        return found[:_MOST_MATRICES]


def _labels(value: Json, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _labels(item, f"{place}.{name}" if place else str(name))
    elif isinstance(value, str) and len(value) <= _LONGEST_LABEL:
        yield place or WHOLE, value.strip()


_CASES_IN_A_PACK = 200
_CHARACTERS_IN_A_PACK = 2_000_000
# Each state with the tone it is shown in, those that need attention first.
STATES = {
    "broken": "bad",
    "unstable": "warn",
    "failing": "bad",
    "still failing": "warn",
    "flaky": "none",
    "no answer": "none",
    "not reproduced": "none",
    "quarantined": "none",
    "fixed": "good",
    "still passing": "quiet",
    "passing": "quiet",
}
_RUNGS = [rung.value for rung in Rung]


@dataclass(slots=True)
class Explorer:
    """The result of one pass over the cases: times and matrices for the charts, and what the page unpacks.

    `packs` are an index and the cases, by name: `index`, `0`, `1` and so on.
    """

    packs: dict[str, str]
    times: dict[tuple[str, str], array[float]]
    matrices: list[Matrix]


def explore(attempts: Explored, show: Callable[[CaseAttempts], str]) -> Explorer:
    """Read every case once and return what a page needs of them. `show` returns a case as HTML."""
    labels = {prompt.hash: prompt.label for prompt in attempts.prompts}
    index = _Index(attempts)
    confusions = Confusions.of(attempts)
    times: dict[tuple[str, str], array[float]] = {}
    packs: list[str] = []
    shown: list[str] = []
    for case in attempts.cases:
        index.add(case)
        confusions.add(case)
        for item in case.attempts:
            if item.counted and item.provider_ms is not None:
                key = labels.get(item.prompt, ""), item.model
                times.setdefault(key, array("d")).append(item.provider_ms)
        shown.append(show(case))
        if len(shown) >= _CASES_IN_A_PACK or sum(map(len, shown)) >= _CHARACTERS_IN_A_PACK:
            packs.append(index.end_pack(shown))
    if shown:
        packs.append(index.end_pack(shown))
    numbered = {str(number): pack for number, pack in enumerate(packs)}
    return Explorer({"index": index.packed(), **numbered}, times, confusions.matrices())


class _Index:
    """A row for each case on each model, stored in columns: what the list shows and filters by."""

    def __init__(self, attempts: Explored) -> None:
        self.prompts = {prompt.hash: number for number, prompt in enumerate(attempts.prompts)}
        self.models = {name: number for number, name in enumerate(attempts.models)}
        self._judged = attempts.models
        self._tags: dict[str, int] = {}
        self._states: dict[str, int] = {}
        self._candidate = attempts.candidate
        self._known = [[prompt.label, prompt.side] for prompt in attempts.prompts]
        self._best = [number for hash, number in self.prompts.items() if hash == self._candidate]
        self._names: list[str] = []
        self._tagged: list[list[int]] = []
        self._critical: list[int] = []
        self._packs: list[int] = []
        self._columns: dict[str, list[int]] = {
            name: [] for name in ("case", "model", "state", "rung", "was", "wasOf", "now", "nowOf")
        }

    def add(self, case: CaseAttempts) -> None:
        number = len(self._names)
        self._names.append(case.case)
        self._tagged.append([self._tags.setdefault(tag, len(self._tags)) for tag in case.tags])
        self._critical.append(int(case.critical))
        for model, state in case.states.items():
            mine = [item for item in case.attempts if item.model == model and item.outcome in ("passed", "failed")]
            now = [item for item in mine if item.prompt in (self._candidate, "")]
            was = [item for item in mine if item.prompt not in (self._candidate, "")]
            was = [item for item in was if self._known[self.prompts[item.prompt]][1] == "champion"]
            worst = max((_RUNGS.index(item.rung) for item in now if item.rung), default=-1)
            values = {
                "case": number,
                "model": self.models.setdefault(model, len(self.models)),
                "state": self._states.setdefault(state, len(self._states)),
                "rung": worst,
                "was": sum(item.outcome == "passed" for item in was),
                "wasOf": len(was),
                "now": sum(item.outcome == "passed" for item in now),
                "nowOf": len(now),
            }
            for name, value in values.items():
                self._columns[name].append(value)

    def end_pack(self, shown: list[str]) -> str:
        """Return the cases as a pack, and begin the next one."""
        self._packs.append(len(shown))
        packed = _packed([*shown])
        shown.clear()
        return packed

    def packed(self) -> str:
        return _packed(
            {
                "prompts": self._known,
                "best": self._best,
                "models": list(self.models),
                "judged": [int(self._judged.get(model, False)) for model in self.models],
                "tags": list(self._tags),
                "states": list(self._states),
                "tones": STATES,
                "rungs": _RUNGS,
                "names": self._names,
                "tagged": self._tagged,
                "critical": self._critical,
                "packs": self._packs,
                **self._columns,
            }
        )


def _packed(data: Json) -> str:
    text = escape_surrogates(json.dumps(data, ensure_ascii=False, separators=(",", ":")))
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()
