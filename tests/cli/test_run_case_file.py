"""A suite whose cases are lines of a file beside it."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_run import last_line
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder, better

CASES = [
    {"case": f"{word} {n}", "vars": {"message": f"{word} {n}"}, "expect": {"team": team}, "tags": [word.lower()]}
    for n in range(4)
    for word, team in (("charged", "billing"), ("parcel", "delivery"), ("Hello", "other"))
]


@pytest.fixture
def filed(project: ProjectFolder) -> ProjectFolder:
    project.write("suites/triage/many.jsonl", "".join(json.dumps(case) + "\n" for case in CASES))
    suite = (project.root / "suites/triage/suite.yaml").read_text(encoding="utf-8")
    head, _, rest = suite.partition("cases:\n")
    project.write("suites/triage/suite.yaml", f"{head}cases: many.jsonl\n{rest[rest.index('gate:') :]}")
    project.adopt()
    return project


def test_the_whole_loop(filed: ProjectFolder) -> None:
    ended = filed.run("run", "suites/triage", "--promote")
    assert ended.code == 0, ended.out + ended.err
    assert last_line(ended.out).startswith("PASS: fixed 8 of 8 failing cases, broken 0 of 4 passing cases")
    assert filed.run("prompts", "show", "triage@production", "--evidence").code == 0
    assert filed.run("runs", "gate").code == 0
    assert filed.run("runs", "rescore").code == 0


def test_some_of_the_cases(filed: ProjectFolder, server: FakeOpenAI) -> None:
    ended = filed.run("run", "--tag", "hello", "--json")
    assert ended.data["runs"][0]["cases"] == 4
    assert {body["messages"][-1]["content"][-7:] for body in (item.body for item in server.received)} == {
        f"Hello {n}" for n in range(4)
    }


def test_a_sample_is_judged_again_and_promotes_nothing(filed: ProjectFolder) -> None:
    ended = filed.run("run", "--sample", "5", "--seed", "3", "--json", "--output", "evidence=proof.json")
    [report] = ended.data["runs"]
    assert (report["cases"], report["result"], report["promote"]) == (5, "PASS", "")
    assert report["reproduce"] == "promptbench run suites/triage --sample 5 --seed 3"
    assert "only a sample of 5, seed 3 of the cases: a part of a suite promotes nothing" in report["notes"]
    assert filed.run("runs", "gate", "--json").data["runs"][0]["cases"] == 5
    refused = filed.run("promote", "triage", "--evidence", "proof.json")
    assert refused.code == 5, refused.err
    refused = filed.run("run", "--first", "11", "--promote")
    assert (refused.code, "a part of the suite 'triage' proves nothing" in refused.err) == (2, True)
    # The cases that are left out are still checked.
    with (filed.root / "suites/triage/many.jsonl").open("a") as file:
        file.write('{"case": "wrong"}\n')
    assert "many.jsonl:13" in filed.run("run", "--first", "1").err


@pytest.mark.slow
def test_what_is_answered_is_not_asked_again(filed: ProjectFolder, server: FakeOpenAI) -> None:
    assert filed.run("run", "--max-calls", "30").code == 4
    asked = len(server.received)
    assert asked == 30
    ended = filed.run("run")
    assert ended.code == 0
    whole = len(server.received)
    server.received.clear()
    filed.run("run")
    assert whole == len(server.received)


def test_a_failing_case_is_told_with_its_answer_and_logged(filed: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: '{"team": "x"}' if "parcel 2" in str(body) else better(body)
    ended = filed.run("run", "--output", "log=failures.jsonl")
    assert "parcel 2" in ended.out
    lines = (filed.root / "failures.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["vars"]["message"] for line in lines} == {"parcel 2"}
    assert json.loads(lines[0])["tags"] == ["parcel"]


def test_a_file_that_changes_while_it_is_asked_stops_the_run(filed: ProjectFolder, server: FakeOpenAI) -> None:
    file = filed.root / "suites/triage/many.jsonl"

    def script(body: object) -> str:
        file.write_text("{}\n", encoding="utf-8")
        return better(body)  # type: ignore[arg-type]

    server.script = script
    ended = filed.run("run")
    assert ended.code == 2
    assert "many.jsonl has changed since this command started" in ended.err


def test_a_mistake_is_told_with_its_line_before_any_call(filed: ProjectFolder, server: FakeOpenAI) -> None:
    filed.edit("suites/triage/many.jsonl", '"case": "charged 1"', '"cse": "charged 1"')
    ended = filed.run("run")
    assert ended.code == 2
    assert "suites/triage/many.jsonl:4:2: error[PB201] unknown key 'cse'" in ended.err
    assert not server.received
