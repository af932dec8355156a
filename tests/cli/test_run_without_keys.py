"""`run` where a key is missing, as on a fork's pull request: everything that needs no call, and no verdict."""

from __future__ import annotations

import json

import pytest
from junitparser import JUnitXml, Skipped

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import SUITE, V2, ProjectFolder


@pytest.fixture
def fork(project: ProjectFolder) -> ProjectFolder:
    """A suite whose key is missing, beside one that can be asked."""
    project.write(
        "suites/small/suite.yaml", SUITE.replace("suite: triage", "suite: small").replace("triage.", "small.")
    )
    project.write("suites/small/small.better.prompt", V2)
    project.edit("suites/triage/suite.yaml", "openai/fake", "anthropic/claude-haiku-4-5")
    was = "    was: 'For the billing team, I think.'\n"
    project.edit("suites/triage/suite.yaml", "expect: {team: billing}\n", "expect: {team: billing}\n" + was)
    project.edit("suites/triage/triage.better.prompt", "config: {temperature: 0}\n", "")
    return project


def test_a_missing_key_is_no_verdict_and_nothing_is_asked(fork: ProjectFolder, server: FakeOpenAI) -> None:
    ended = fork.run("run")
    assert ended.code == 4
    assert "suite.yaml:3:10: error[PB403] anthropic/claude-haiku-4-5 needs a key" in ended.err
    assert "NO VERDICT: ANTHROPIC_API_KEY is not set, so no call was made; the files are valid" in ended.err
    assert "--allow-no-keys" in ended.err
    assert server.connections == 0
    shown = fork.run("run", "--format", "github").out
    assert "::error file=suites/triage/suite.yaml,line=3,col=10,title=PB403::" in shown


def test_where_there_can_be_no_keys_what_can_be_asked_is_judged(fork: ProjectFolder) -> None:
    ended = fork.run(
        *("run", "-q", "--allow-no-keys", "--json", "--output", "junit=out/junit.xml", "--output", "html=out/a.html"),
        *("--output", "evidence=out/evidence/", "--output", "markdown=out/a.md", "--output", "csv=out/a.csv"),
    )
    assert ended.code == 0
    small, triage = ended.data["runs"]
    assert (small["result"], triage["result"], triage["exit"], triage["rows"]) == ("PASS", "NO VERDICT", 0, [])
    assert triage["sentence"] == (
        "NO VERDICT: not called, because ANTHROPIC_API_KEY is not set; "
        "the files are valid, and the logged answers of 1 case fail as they must"
    )
    assert [path.name for path in (fork.root / "out/evidence").iterdir()] == ["small.json"]
    suites = {suite.name: suite for suite in JUnitXml.fromfile(str(fork.root / "out/junit.xml"))}
    [[skipped]] = [case.result for case in suites["triage"]]
    assert isinstance(skipped, Skipped)
    assert "To run it: `promptbench run suites/triage`" in (fork.root / "out/a.md").read_text(encoding="utf-8")
    assert "NO VERDICT" in (fork.root / "out/a.html").read_text(encoding="utf-8")
    assert fork.run("run", "suites/triage", "--allow-no-keys", "--format", "github").out.startswith("::warning ")
    plain = fork.run("run", "suites/triage", "--allow-no-keys").out
    assert plain.splitlines()[-1] == triage["sentence"]


def test_a_mistake_is_a_mistake_without_keys_too(fork: ProjectFolder) -> None:
    fork.edit("suites/triage/suite.yaml", "For the billing team, I think.", '{"team": "billing"}')
    ended = fork.run("run", "--allow-no-keys")
    assert (ended.code, "error[PB504]" in ended.err) == (2, True)
    fork.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [jsn]")
    ended = fork.run("run", "--allow-no-keys")
    assert (ended.code, "error[PB501]" in ended.err, "warning[PB403]" in ended.err) == (2, True, True)


def test_a_key_that_can_be_none_is_no_missing_key(fork: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not a key")
    ended = fork.run("run", "--allow-no-keys")
    assert (ended.code, "contains characters that no key has" in ended.err) == (2, True)


def test_nothing_is_promoted_for_want_of_one_of_its_suites(fork: ProjectFolder) -> None:
    """Both suites test the same prompt."""
    fork.edit("suites/small/suite.yaml", "small.better", "triage.better")
    (fork.root / "suites/small/small.better.prompt").rename(fork.root / "suites/small/triage.better.prompt")
    ended = fork.run("run", "-q", "--allow-no-keys", "--promote", "--json", "--output", "evidence=proof.json")
    assert ended.code == 0
    assert [run["promotion"] for run in ended.data["runs"]] == [None, None]
    assert "no evidence is written" in ended.err
    assert not (fork.root / "proof.json").exists()


def test_evidence_of_several_prompts_goes_into_a_folder(project: ProjectFolder) -> None:
    project.write(
        "suites/small/suite.yaml", SUITE.replace("suite: triage", "suite: small").replace("triage.", "small.")
    )
    project.write("suites/small/small.better.prompt", V2)
    ended = project.run("run", "-q", "--output", "evidence=proof.json")
    assert (ended.code, "name a folder, evidence=FOLDER/" in ended.err) == (2, True)
    assert project.run("run", "-q", "--output", "evidence=proofs/").code == 0
    proofs = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (project.root / "proofs").iterdir()}
    assert {name: proof["prompt"] for name, proof in proofs.items()} == {"small.json": "small", "triage.json": "triage"}
    assert project.run("promote", "small", "--evidence", "proofs/small.json").code == 0
    ended = project.run("run", "-q", "--output", "evidence=again/")
    assert "no evidence of small is written: the candidate is in production already" in ended.err
    assert [path.name for path in (project.root / "again").iterdir()] == ["triage.json"]
    ended = project.run("run", "--output", "junit=proofs/")
    assert (ended.code, "proofs/ is a folder" in ended.err) == (2, True)


def test_where_nothing_is_asked_no_key_is_needed(project: ProjectFolder) -> None:
    """The job that judges again, merges shards or promotes has no keys."""
    project.adopt()
    for words in (("--shard", "1/2"), ("--shard", "2/2"), ("--output", "evidence=proof.json")):
        assert project.run("run", "-q", *words).code == 0
    project.write("promptbench.toml", '[providers.openai]\nbase_url = "https://llm.example.com/v1"\n')
    assert project.run("run").code == 4
    assert project.run("runs", "gate").code == 0
    assert project.run("runs", "merge").code == 0
    assert project.run("runs", "rescore").code == 0
    assert project.run("promote", "triage", "--evidence", "proof.json").code == 0
