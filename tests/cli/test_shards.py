"""`run --shard` and `runs merge`: parts made apart come to what one run comes to."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from promptbench.gate.evidence import rejudge
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder

OF = 10
TOPICS = 24
SAME = ("suite", "result", "sentence", "exit", "cases", "judgements", "flips", "results", "log", "errors", "advisory")
"""What a report has that does not name the run or tell its times."""


def suite() -> str:
    cases = "".join(
        f"  - case: topic {n}\n    vars: {{message: topic {n}}}\n    expect: {{team: t{n}}}\n"
        + ("    tags: [critical]\n" if n % 9 == 4 else "")
        for n in range(TOPICS)
    )
    return (
        f"suite: triage\nprompt: triage.better.prompt\nmodels: [openai/fake]\nchecks: [json]\ncases:\n{cases}"
        "gate: {repeats: 3}\n"
    )


class Moody:
    """A model for which every fourth topic fails by the plain prompt, and some waver by either, now and then."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    def __call__(self, body: dict[str, Any]) -> str:
        message = body["messages"][-1]["content"]
        number = int(message.split("topic ")[1])
        better = body["messages"][0]["role"] == "system"
        self._asked[f"{better} {number}"] += 1
        wavers = number % 7 == 3 and self._asked[f"{better} {number}"] % 3 == 0
        if (number % 4 == 0 and not better) or wavers:
            return "no idea"
        return json.dumps({"team": f"t{number}"})


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> ProjectFolder:
    """A project whose model answers from recordings, the gate's further tries included."""
    monkeypatch.chdir(tmp_path)
    with FakeOpenAI(Moody()) as server:
        project = ProjectFolder(tmp_path, server.base_url, capsys)
        project.write("suites/triage/suite.yaml", suite())
        project.adopt()
        # A shard makes all tries that the whole may need, so its recordings are enough for both.
        assert project.run("run", "-q", "--shard", "1/1").code == 0
    project.edit("suites/triage/suite.yaml", "openai/fake", "recorded/openai/fake")
    return project


def told(ended: Any) -> dict[str, Any]:
    [run] = ended.data["runs"]
    for item in run["results"]:
        del item["provider_ms"]
    return {name: run[name] for name in SAME}


def elsewhere(project: ProjectFolder, shard: str) -> Path:
    """One shard, run on a machine of its own; its record."""
    here, state = project.root / ".promptbench", project.root / f"state-{shard.replace('/', '-')}"
    shutil.copytree(here, state)
    here.rename(project.root / "aside")
    state.rename(here)
    ended = project.run("run", "-q", "--shard", shard, "--json")
    assert ended.code == 0, ended.err
    assert ended.data["runs"][0]["result"] == "SHARD"
    here.rename(state)
    (project.root / "aside").rename(here)
    return state / "runs.sqlite"


@pytest.mark.slow
def test_ten_shards_merged_are_one_run(recorded: ProjectFolder) -> None:
    whole = recorded.run("run", "-q", "--json")
    files = [elsewhere(recorded, f"{number}/{OF}") for number in range(1, OF + 1)]
    merged = recorded.run("runs", "merge", *map(str, files), "--json", "--output", "evidence=merged.json")
    assert merged.code == whole.code
    assert (told(merged)["sentence"], outcomes(merged)) == (told(whole)["sentence"], outcomes(whole))
    assert any(flip["candidate"]["attempts"] > 3 for flip in told(merged)["flips"]), "further tries were made"
    assert rejudge(json.loads((recorded.root / "merged.json").read_text(encoding="utf-8"))) == []
    [run] = merged.data["runs"]
    assert run["reproduce"] == "promptbench run suites/triage"
    again = recorded.run("runs", "report", run["run"], "--json")
    assert json.dumps(told(again)) == json.dumps(told(merged))


def outcomes(ended: Any) -> list[tuple[str, str]]:
    return [(flip["case"], flip["flip"]) for flip in told(ended)["flips"]]


@pytest.fixture
def halves(project: ProjectFolder) -> ProjectFolder:
    """Two shards of the small suite in the project's own record."""
    project.adopt()
    for shard in ("1/2", "2/2"):
        assert project.run("run", "-q", "--shard", shard).code == 0
    return project


def test_a_merged_run_can_be_promoted_and_a_shard_cannot(halves: ProjectFolder) -> None:
    ended = halves.run("run", "-q", "--shard", "1/2", "--promote")
    assert ended.code == 2
    assert "a shard of the suite 'triage' proves nothing" in ended.err
    assert "no finished run of a whole suite tests 'triage'" in halves.run("promote", "triage").err
    shard = halves.run("runs", "list", "--json").data["runs"][0]
    assert shard["shard"] == "2/2"
    ended = halves.run("runs", "report", shard["run"])
    assert (ended.code, "is the shard 2/2" in ended.err) == (2, True)
    assert halves.run("runs", "merge").code == 0
    assert halves.run("runs", "gate").code == 0
    assert "triage@2 is now production" in halves.run("promote", "triage").out


def test_a_missing_shard_is_named(project: ProjectFolder) -> None:
    project.adopt()
    project.run("run", "-q", "--shard", "2/3")
    ended = project.run("runs", "merge")
    assert (ended.code, "missing shards: 1/3, 3/3" in ended.err) == (2, True)
    assert not [run for run in project.run("runs", "list", "--json").data["runs"] if not run["shard"]]


def test_a_shard_uses_its_part_of_the_calls(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    for option in ("--max-calls", "--concurrency"):
        ended = project.run("run", "--shard", "1/3", option, "2")
        assert ended.code == 2
        assert f"{option[-5:]} 2 is less than one call for each of 3 shards" in ended.err
    assert not server.received
    assert "1 of 1 calls are made" in project.run("run", "-q", "--shard", "1/3", "--max-calls", "3").out
    assert len(server.received) == 1


def test_shards_of_another_suite_or_prompt_are_refused(halves: ProjectFolder) -> None:
    halves.edit("suites/triage/suite.yaml", "I was charged twice", "I was charged thrice")
    ended = halves.run("runs", "merge")
    assert (ended.code, "suite.yaml as it is now do not belong together: its cases differ" in ended.err) == (5, True)
    halves.run("run", "-q", "--shard", "2/2")
    ended = halves.run("runs", "merge")
    assert (ended.code, "shard 1/2" in ended.err and "shard 2/2" in ended.err) == (5, True)


def test_shards_that_were_split_unlike_name_the_case(halves: ProjectFolder) -> None:
    takes = {"charged twice": 100, "late parcel": 1, "hello": 1}
    halves.write("suites/triage/durations.json", json.dumps({"schema_version": 1, "cases": takes}))
    halves.run("run", "-q", "--shard", "2/2")
    ended = halves.run("runs", "merge")
    assert (ended.code, "the case 'hello' is in shard 1/2" in ended.err) == (2, True)
    assert "durations.json" in ended.err


def test_durations_make_shards_even(project: ProjectFolder) -> None:
    project.adopt()
    assert "the suite 'triage' has no run" in project.run("runs", "durations", "suites/triage").err
    project.run("run", "-q")
    assert project.run("runs", "durations", "suites/triage").code == 0
    file = project.root / "suites/triage/durations.json"
    assert set(json.loads(file.read_text(encoding="utf-8"))["cases"]) == {"charged twice", "late parcel", "hello"}
    project.write("suites/triage/durations.json", "[1")
    ended = project.run("run", "--shard", "1/2")
    assert (ended.code, "does not hold the durations of cases" in ended.err) == (2, True)


def test_more_shards_than_cases_and_a_dead_provider(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    ended = project.run("run", "--shard", "9/9")
    assert (ended.code, ended.out.splitlines()[-1]) == (
        0,
        "SHARD 9/9: 0 cases run; `promptbench runs merge` judges all shards together",
    )
    for text in ("nonsense", "0/2"):
        assert "is not a valid shard" in project.run("run", "--shard", text).err


def test_what_is_no_record_of_this_version_is_refused(project: ProjectFolder) -> None:
    assert "run record nowhere.sqlite not found" in project.run("runs", "merge", "nowhere.sqlite").err
    file = project.write("text.sqlite", "not a database, but long enough to be looked at as one " * 20)
    ended = project.run("runs", "merge", str(file))
    assert (ended.code, "is not an SQLite database" in ended.err) == (4, True)
    assert "no run of a shard in " in project.run("runs", "merge").err
