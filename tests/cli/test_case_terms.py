"""`repeats`, `only models` and `skip` of single cases."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from promptbench.gate.evidence import rejudge
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import SUITE, ProjectFolder

TERMS = (
    SUITE.replace("models: [openai/fake]", "models: [openai/fake, openai/other]")
    .replace("expect: {team: delivery}", "expect: {team: delivery}\n    only models: openai/other")
    .replace("expect: {team: other}", "expect: {team: other}\n    repeats: 5")
    .replace(
        "gate:", "  - case: bye\n    vars: {message: Bye}\n    expect: {team: other}\n    skip: <moved> in March\ngate:"
    )
)


@pytest.fixture
def terms(project: ProjectFolder) -> ProjectFolder:
    project.write("suites/triage/suite.yaml", TERMS)
    project.adopt()
    return project


def test_a_run_keeps_to_them_and_its_evidence_says_so(terms: ProjectFolder, server: FakeOpenAI) -> None:
    planned = terms.run("run", "--dry-run", "--json").data["suites"][0]
    ended = terms.run("run", "--promote", "--output", "junit=junit.xml", "--output", "evidence=proof.json")
    assert ended.code == 0, ended.out + ended.err
    asked = [(item.body["model"], item.body["messages"][-1]["content"].split()[-1]) for item in server.received]
    made = Counter(asked)
    # The case that passes before is not tried again; the others are.
    assert (made["fake", "late"], made["fake", "Hello"], made["other", "Hello"]) == (0, 10, 10)
    assert made["other", "late"] == made["fake", "twice"] > 6
    assert not any(word == "Bye" for _, word in asked)
    assert planned["questions"] == {"openai/fake": 2 * (3 + 5), "openai/other": 2 * (3 + 3 + 5)}
    assert "3 cases, 1 skipped" in ended.out
    assert "'bye': <moved> in March" in ended.out
    assert 'message="&lt;moved&gt; in March"' in (terms.root / "junit.xml").read_text(encoding="utf-8")
    proof = json.loads((terms.root / "proof.json").read_text(encoding="utf-8"))
    [suite] = proof["suites"]
    assert suite["cases"] == ["charged twice", "late parcel", "hello"]
    assert suite["repeats"] == {"hello": 5}
    assert suite["only_models"] == {"late parcel": ["openai/other"]}
    assert suite["skipped"] == {"bye": "<moved> in March"}
    assert [model["flips"] for model in suite["models"]] == [
        {"fixed": 1, "still passing": 1},
        {"fixed": 2, "still passing": 1},
    ]
    assert terms.run("store", "verify").code == 0
    assert rejudge(proof) == []
    del suite["only_models"]
    assert rejudge(proof)
    again = terms.run("runs", "gate", "--json").data["runs"][0]
    assert [item["case"] for item in again["skipped"]] == ["bye"]


def test_a_model_without_a_case(terms: ProjectFolder) -> None:
    terms.write(
        "suites/triage/suite.yaml",
        TERMS.replace("- case: late", "- case: l").replace(
            "{team: other}\n    rep", "{team: other}\n    only models: openai/other\n    rep"
        ),
    )
    # A selection leaves the model out, and so do a model that is named and cases that are not for it.
    assert terms.run("run", "--case", "hello", "--dry-run", "--json").data["suites"][0]["questions"] == {
        "openai/other": 10
    }
    assert terms.run("run", "--model", "openai/fake", "--dry-run", "--json").data["suites"][0]["cases"] == 1
    refused = terms.run("run", "--model", "openai/fake", "--promote")
    assert "a part of the suite 'triage' proves nothing" in refused.err
    terms.write(
        "suites/triage/suite.yaml",
        TERMS.replace("openai/other]", "openai/other, openai/third]")
        .replace("{team: billing}\n", "{team: billing}\n    only models: [openai/fake, openai/other]\n")
        .replace("repeats: 5", "only models: openai/fake"),
    )
    assert "no case runs on openai/third" in terms.run("validate").err + terms.run("validate").out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("only models: openai/fak", "'openai/fak' is not one of the suite's models"),
        ("repeats: 2", "'repeats: 2' changes nothing: the gate calls every case 3 times"),
        ("repeats: 101", "'repeats': this must be at most 100"),
        ("skip: x\n    tags: critical", "'hello' is critical, so it cannot be skipped: x"),
    ],
)
def test_what_is_wrong_with_them(more: str, message: str, project: ProjectFolder) -> None:
    project.write(
        "suites/triage/suite.yaml", SUITE.replace("expect: {team: other}", f"expect: {{team: other}}\n    {more}")
    )
    [item] = project.run("validate", "--json").data["diagnostics"]
    assert item["message"] == message
    assert item["line"] == 15


def test_all_are_skipped(project: ProjectFolder) -> None:
    project.write("suites/triage/suite.yaml", SUITE.replace("    expect:", "    skip: later\n    expect:"))
    ended = project.run("run")
    assert (ended.code, "`skip:` of the cases" in ended.err, "'hello' is skipped: later" in ended.err) == (
        7,
        True,
        True,
    )
    assert project.run("validate").code == 0
