"""Looks at fixes are counted, doubtful cases watched, and a candidate continued, over real calls."""

from __future__ import annotations

import itertools
import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from promptbench.gate.evidence import rejudge
from tests.helpers.fake_openai import Body, FakeOpenAI
from tests.helpers.project import ProjectFolder, right

MORE = "suites/triage/triage.more.prompt"


class Pattern:
    """A model that answers by patterns: `+` rightly, `-` wrongly, by side and by a word of the message, repeated."""

    def __init__(self, **patterns: str) -> None:
        self._next = {key: itertools.cycle(marks) for key, marks in patterns.items()}

    def __call__(self, body: Body) -> str:
        text = body["messages"][-1]["content"]
        side = "candidate" if body["messages"][0]["role"] == "system" else "production"
        word = next(word for word in ("charged", "parcel", "Hello") if word in text)
        marks = self._next.get(f"{side}_{word}", itertools.cycle("+"))
        return right(text) if next(marks) == "+" else '{"team": "nobody"}'


def answering(server: FakeOpenAI, **patterns: str) -> None:
    server.script = Pattern(**patterns)


def rows(project: ProjectFolder, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(project.root / ".promptbench/runs.sqlite")) as record:
        return record.execute(sql).fetchall()


@pytest.fixture
def adopted(project: ProjectFolder) -> ProjectFolder:
    project.adopt()
    return project


def test_a_look_is_counted_and_shown(adopted: ProjectFolder, server: FakeOpenAI) -> None:
    answering(server, production_charged="-")
    ended = adopted.run("run", "--output", "evidence=proof.json")
    assert ended.code == 0, ended.out
    assert "look 1 against triage@1 on this machine: a fix needs p ≤ 3 %" in ended.out + ended.err
    proof = json.loads((adopted.root / "proof.json").read_text(encoding="utf-8"))
    [suite] = proof["suites"]
    assert (suite["rule"], suite["models"][0]["looks"]) == (2, [1])
    assert rejudge(proof) == []
    suite["models"][0]["looks"] = [1, 1]
    with pytest.raises(ValueError, match="looks"):
        rejudge(proof)


def test_nothing_to_fix_is_no_look(adopted: ProjectFolder, server: FakeOpenAI) -> None:
    answering(server)
    assert adopted.run("run").code == 0
    assert rows(adopted, "SELECT * FROM look") == []


def test_another_candidate_is_the_next_look_even_if_runs_are_pruned(adopted: ProjectFolder, server: FakeOpenAI) -> None:
    answering(server, production_charged="-", candidate_charged="-")
    assert adopted.run("run").code == 6
    with closing(sqlite3.connect(adopted.root / ".promptbench/runs.sqlite")) as record:
        record.execute("UPDATE run SET started = '2020-01-01T00:00:00.000Z'")
        record.commit()
    text = (adopted.root / "suites/triage/triage.better.prompt").read_text(encoding="utf-8")
    adopted.write(MORE, text.replace("Answer", "Please answer"))
    ended = adopted.run("run", "--prompt", MORE)
    assert "look 2 against triage@1 on this machine: a fix needs p ≤ 0.76 %" in ended.out + ended.err
    adopted.run("runs", "prune", "--older-than", "1d", "--yes")
    ended = adopted.run("run", "--prompt", MORE)
    assert "look 3 against" in ended.out + ended.err


def test_the_same_candidate_is_continued_and_not_started_again(adopted: ProjectFolder, server: FakeOpenAI) -> None:
    # Nine of 12 answers against five are promising, and 21 of 36 against 17 not proven.
    half = "+-" * 12
    answering(
        server,
        production_charged="---" + "+" * 5 + "-" * 7 + half,
        candidate_charged="+++" + "+" * 9 + "---" + half,
    )
    ended = adopted.run("run")
    assert ended.code == 6, ended.out
    assert "no fix is proven: 'charged twice' passes" in ended.out
    assert "`promptbench run suites/triage` continues this candidate with 48 more calls" in ended.out + ended.err
    [(run,)] = rows(adopted, "SELECT id FROM run")
    before = len(server.received)
    answering(server, production_charged="-", candidate_charged="+")
    again = adopted.run("run")
    assert f"continues run {run}, which ended INCONCLUSIVE" in again.err
    assert len(server.received) - before == 48
    assert again.code == 0, again.out
    assert rows(adopted, "SELECT number FROM look ORDER BY 1") == [(1,), (2,)]
    [(kept, result)] = rows(adopted, "SELECT id, result FROM run")
    assert (kept, result) == (run, "PASS")
    assert adopted.run("gate").code == 0
    assert "triage@2 is now production" in adopted.run("promote", "triage").out
    assert "differ" not in adopted.run("prompts", "show", "triage@2", "--evidence").out


def test_a_passed_run_is_not_continued(adopted: ProjectFolder, server: FakeOpenAI) -> None:
    answering(server, production_charged="-")
    assert adopted.run("run").code == 0
    calls = len(server.received)
    assert adopted.run("run").code == 0
    assert len(server.received) == 2 * calls


def test_what_broke_once_is_watched(adopted: ProjectFolder, server: FakeOpenAI) -> None:
    answering(server, production_charged="-", candidate_parcel="-")
    assert adopted.run("run").code == 1
    assert rows(adopted, "SELECT case_name FROM watched_case") == [("late parcel",)]
    text = (adopted.root / "suites/triage/triage.better.prompt").read_text(encoding="utf-8")
    adopted.write(MORE, text.replace("Answer", "Please answer"))
    # A near-copy that shows nothing in the screen, and fails half of the time after it.
    answering(server, production_charged="-", candidate_parcel="+++" + "-+" * 24)
    ended = adopted.run("run", "--prompt", MORE, "--output", "evidence=proof.json")
    assert (ended.code, "1 case broken: 'late parcel'" in ended.out) == (1, True)
    proof = json.loads((adopted.root / "proof.json").read_text(encoding="utf-8"))
    assert proof["suites"][0]["models"][0]["watched"] == ["late parcel"]
    assert rejudge(proof) == []


def test_both_prompts_of_a_try_are_adjacent_in_random_order(adopted: ProjectFolder, server: FakeOpenAI) -> None:
    answering(server, production_charged="-", candidate_charged="++-")
    adopted.run("run")
    calls = [item.body["messages"][0]["role"] for item in server.received]
    first = [calls[index] for index in range(0, len(calls), 2)]
    assert set(first) == {"system", "user"}
    pairs = [set(calls[index : index + 2]) for index in range(0, len(calls), 2)]
    assert sum(len(pair) == 2 for pair in pairs) >= len(pairs) * 0.7, "up to what overtakes on the way"
