"""Own pipelines are judged: real processes for functions, a real server for services, promoted and rolled back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from promptbench.client import PromptClient
from tests.helpers.fake_http import FakeHttp
from tests.helpers.project import ProjectFolder

CASES = """\
cases:
  - {case: bill, vars: {message: my bill is wrong}, expect: {team: billing}}
  - {case: parcel, vars: {message: where is my parcel}, expect: {team: delivery}}
"""
SUITE = """\
suite: answers
models: [{model: "python/app.py:answer", judged: true, files: teams.txt, deterministic: true}]
"""
APP = "from lookup import team_of\ndef answer(v):\n    return {'team': team_of(v['message'])}\n"
LOOKUP = """\
from pathlib import Path
TEAMS = dict(line.split() for line in Path(__file__).with_name("teams.txt").read_text().splitlines())
def team_of(message):
    return next((team for word, team in TEAMS.items() if word in message), "other")
"""


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def answers(project: ProjectFolder) -> ProjectFolder:
    """A pipeline that knows one team of two, in production."""
    project.write("promptbench.toml", 'python = ["suites/answers/*.py"]\n')
    for name, text in {
        "suite.yaml": SUITE + CASES,
        "app.py": APP,
        "lookup.py": LOOKUP,
        "teams.txt": "bill billing\n",
    }.items():
        project.write(f"suites/answers/{name}", text)
    assert project.run("adopt", "suites/answers", "--reason", "in use").code == 0
    return project


def test_the_code_in_production_is_asked_and_the_better_one_promoted(answers: ProjectFolder) -> None:
    ended = answers.run("run", "suites/answers")
    assert ended.code == 1
    assert "FAIL: the prompt in production: 50 % of answers are correct" in flat(ended.out)
    answers.write("suites/answers/teams.txt", "bill billing\nparcel delivery\n")
    # What is in production runs from its own files: that of today is gone.
    answers.write("suites/answers/app.py", APP.replace("lookup", "find"))
    (answers.root / "suites/answers/lookup.py").rename(answers.root / "suites/answers/find.py")
    ended = answers.run("run", "suites/answers", "--promote", "--output", "evidence=proof.json")
    assert ended.code == 0, ended.out + ended.err
    assert "PASS: fixed 1 of 1 failing case, broken 0 of 1 passing case" in flat(ended.out)
    assert "answers@2 is now production (was answers@1)" in ended.out
    assert answers.run("promote", "answers", "--evidence", "proof.json").out.startswith(
        "answers@2 is already production"
    )
    assert "nothing to promote" in answers.run("run", "suites/answers").out
    assert "parcel delivery" in answers.run("get", "answers").out
    assert "@1 → @2" in answers.run("prompts", "history", "answers").out
    diff = answers.run("prompts", "diff", "answers@1")
    assert (diff.code, "+      - file: find.py" in diff.out) == (1, True)
    assert answers.run("prompts", "show", "answers@2", "--evidence").code == 0
    ended = answers.run("rollback", "answers", "--reason", "slow")
    assert "answers@1 is now production (was answers@2)\n  fails again: parcel" in ended.out
    chain = PromptClient(answers.root / "prompt_store").get_chain("answers")
    assert (chain.number, chain["answer"].model) == (1, "python/app.py:answer")
    assert sorted(chain["answer"].files) == ["app.py", "lookup.py", "teams.txt"]
    (answers.root / "prompt_store" / "prompts.sqlite").unlink()
    assert answers.run("store", "verify").out.startswith("valid: 1 prompt")
    refused = answers.run("get", "answers", "--format", "openai")
    assert (refused.code, "answers is a chain: each step has messages of its own" in refused.err) == (2, True)


def test_a_changed_folder_of_production_ends_the_run(answers: ProjectFolder) -> None:
    answers.run("run", "suites/answers")
    [folder] = (answers.root / ".promptbench" / "pipelines").iterdir()
    (folder / "lookup.py").write_text("def team_of(message): return 'delivery'\n")
    answers.write("suites/answers/teams.txt", "bill billing\nparcel delivery\n")
    ended = answers.run("run", "suites/answers")
    assert ended.code == 4
    assert "lookup.py was changed; delete the folder" in flat(ended.out)


def test_code_that_is_not_listed_is_refused(answers: ProjectFolder) -> None:
    answers.write("promptbench.toml", 'python = ["suites/answers/app.py"]\n')
    ended = answers.run("run", "suites/answers")
    assert ended.code == 2
    assert "suites/answers/app.py:1: suites/answers/lookup.py may not run" in flat(ended.err)
    assert "answers@1: error[PB405] suites/answers/lookup.py may not run" in flat(ended.err)


def test_a_large_file_is_named_when_a_label_moves(answers: ProjectFolder) -> None:
    answers.write("suites/answers/teams.txt", "bill billing\nparcel delivery\n" + "# padding\n" * 30_000)
    ended = answers.run("promote", "answers", "--force", "suites/answers", "--reason", "why not")
    assert "note: keep teams.txt: the prompt store has only its hash" in flat(ended.out)
    answers.write("suites/answers/teams.txt", "bill billing\n")
    ended = answers.run("run", "suites/answers")
    assert ended.code == 4
    assert "teams.txt must be the file with the SHA-256" in flat(ended.out)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("judged: true, ", "", "only a judged model has 'files'"),
        ("deterministic: true}", "as: mine}", ""),
        ("models: [", "prompt: app.py\nmodels: [", "a suite with a judged model has one of them, and no 'prompt'"),
        ("models: [", 'models: ["openai/x", ', "openai/x gets a prompt, and a suite with a judged model has none"),
        ("files: teams.txt", "files: no.txt", "suite.yaml:2:63: error[PB208] file 'no.txt' not found"),
        ("python/app.py:answer", "gguf/smollm2-135m", "gguf/smollm2-135m must report its version"),
    ],
)
def test_what_is_wrong_with_a_judged_model_has_a_location(
    answers: ProjectFolder, old: str, new: str, said: str
) -> None:
    answers.edit("suites/answers/suite.yaml", old, new)
    ended = answers.run("validate", "suites/answers")
    assert ended.code == (2 if said else 0), ended.out
    assert said in flat(ended.out)
    assert "suites/answers/suite.yaml:" in ended.out or not said


def test_a_plan_with_a_judge_of_a_function(answers: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    rubric = "{rubric: {passes if: it is polite, judge: openai/gpt-5.5-2026-04-23}}"
    answers.edit("suites/answers/suite.yaml", "cases:", f"checks: [{rubric}]\ncases:")
    [planned] = answers.run("run", "suites/answers", "--dry-run", "--json").data["suites"]
    assert planned["judges"]["openai/gpt-5.5-2026-04-23"]["calls"] == 3


class Service:
    """Version 1 knows one team of two; `next` is what is at the address of the candidate."""

    def __init__(self) -> None:
        self.next, self.calls, self.changes_after = "2", 0, 10**6

    def __call__(self, body: dict[str, Any]) -> str:
        self.calls += body["next"]
        version = ("3" if self.calls > self.changes_after else self.next) if body["next"] else "1"
        teams = {"bill": "billing"} if version == "1" else {"bill": "billing", "parcel": "delivery"}
        team = next((team for word, team in teams.items() if word in body["text"]), "other")
        return json.dumps({"team": team, "meta": {"version": version}})


ENDPOINT = """\
[providers.http.endpoints.{name}]
url = "{url}"
body = {{ text = "{{{{vars.message}}}}", next = {next} }}
version = "meta.version"
"""


@pytest.fixture
def service() -> Iterator[tuple[Service, str]]:
    script = Service()
    with FakeHttp(script) as running:
        yield script, running.base_url


def test_versions_of_a_service(project: ProjectFolder, service: tuple[Service, str]) -> None:
    script, url = service
    settings = [ENDPOINT.format(name=name, url=url, next=next) for name, next in (("new", "true"), ("live", "false"))]
    project.write("promptbench.toml", "".join(settings))
    model = "models: [{model: http/new, judged: true, version: '1', deterministic: true}]\n"
    project.write("suites/answers/suite.yaml", "suite: answers\n" + model + CASES)
    assert project.run("adopt", "suites/answers", "--reason", "deployed").code == 0
    project.edit("suites/answers/suite.yaml", "version: '1'", "version: '2'")
    assert "answers@1 (1, unverified) is in production, and no service answers" in flat(
        project.run("validate", "suites/answers").out
    )
    project.edit("suites/answers/suite.yaml", "judged:", "production: http/live, judged:")
    # A service that is deployed again during the run is not one version, even at its last call.
    script.changes_after = 1
    ended = project.run("run", "suites/answers")
    assert ended.code == 4, ended.out
    assert "http/new reports version 3, and 2 is judged" in flat(ended.out)
    script.changes_after = 10**6
    ended = project.run("run", "suites/answers", "--promote", "--output", "evidence=proof.json")
    assert ended.code == 0, ended.out + ended.err
    assert "answers (2, unverified) against answers@1 (1, unverified)" in flat(ended.out)
    assert set(json.loads((project.root / "proof.json").read_text())["unverified"].values()) == {
        "1, unverified",
        "2, unverified",
    }
    assert "@1 (1, unverified) → @2 (2, unverified)" in project.run("prompts", "history", "answers").out
    script.next = "1"
    assert project.run("run", "suites/answers").code == 4
