"""`suggest` against a server on loopback that is the suite's model and the model that proposes."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from tests.helpers.fake_openai import Body, FakeOpenAI, Step
from tests.helpers.project import ProjectFolder

SUGGEST = ("suggest", "suites/triage", "--by", "openai/writer")
PROMPT = """\
---
config: {temperature: 0}
---
{{role "system"}}
Which team is this message for?
{{role "user"}}
{{message}}
"""
WORDS = {"charged": "billing", "invoice": "billing", "parcel": "delivery", "courier": "delivery", "hello": "other"}
ONE_WORD = "Which team is this message for? Answer with one word, in small letters."
# The clerk chats about three of four messages unless it is told not to.
CASES = [(f"case {n}", f"{word} again, for the {n} time", team) for n in range(8) for word, team in WORDS.items()]


def clerk(body: Body) -> str:
    system, message = (item["content"] for item in body["messages"])
    team = next(team for word, team in WORDS.items() if word in message)
    number = int(message.split()[-2])
    told = "one word" in system or f"message {number}:" in system
    return team if told or number % 4 == 3 else f"It is for {team}, I think."


class Writer:
    """A model that proposes these texts, one after the other, and then the last one."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.asked: list[str] = []

    def __call__(self, body: Body) -> str | Step:
        if body["model"] == "task":
            return clerk(body)
        self.asked.append(body["messages"][0]["content"])
        return f"Better:\n```\n{self.texts[min(len(self.asked), len(self.texts)) - 1]}\n```"

    @property
    def proposals(self) -> int:
        return len(self.asked)


def cases(number: int = 40, more: str = "") -> str:
    lines = [
        f"  - case: {name}, {message.split()[0]}\n    vars: {{message: '{message}'}}\n    expect: {team}\n{more}"
        for name, message, team in CASES[:number]
    ]
    head = "suite: triage\nprompt: triage.prompt\nmodels: [{model: openai/task, deterministic: true}]\ncases:\n"
    return head + "".join(lines)


@pytest.fixture
def triage(project: ProjectFolder) -> ProjectFolder:
    for path in (project.root / "suites" / "triage").iterdir():
        path.unlink()
    project.write("suites/triage/suite.yaml", cases())
    project.write("suites/triage/triage.prompt", PROMPT)
    ended = project.run("adopt", "suites/triage/triage.prompt", "--reason", "in use")
    assert ended.code == 0, ended.err
    return project


def files(project: ProjectFolder) -> list[str]:
    return sorted(path.name for path in (project.root / "suites" / "triage").glob("*.suggested-*"))


def test_a_rule_is_found_and_judged_on_cases_that_it_was_not_made_from(
    triage: ProjectFolder, server: FakeOpenAI
) -> None:
    server.script = writer = Writer("Think.", ONE_WORD)
    triage.write("suites/triage/triage.suggested-1.prompt", "mine\n")
    first = triage.run(*SUGGEST)
    assert first.code == 0, first.out + first.err
    assert files(triage) == ["triage.suggested-1.prompt", "triage.suggested-2.prompt"]
    text = (triage.root / "suites/triage/triage.suggested-2.prompt").read_text()
    assert text == PROMPT.replace("Which team is this message for?", ONE_WORD)
    assert f"-Which team is this message for?\n+{ONE_WORD}" in first.out
    assert "(use 1 of these cases: at most 0.03): PASS" in first.out.splitlines()[-1]
    # The checks' own sentences are what it was made from, and no held-out case is among them.
    assert "expected 'billing', got 'It is for billing, I think.'" in "".join(writer.asked)
    label = triage.run("prompts", "history", "triage").out
    assert "promoted" not in label

    again = triage.run(*SUGGEST, "--json").data
    assert again["use"] == 2
    [row] = again["suggestions"]
    assert row["level"] == pytest.approx(0.3 / (3.141592653589793 * 2) ** 2)
    assert row["file"] == "triage.suggested-2.prompt"
    assert row["broken"] == 0 < row["fixed"]
    assert row["gap"] == pytest.approx(row["gain"] / again["made_from"] - row["fixed"] / again["held_out"])
    assert "use 3 of the held-out cases: new ones from the log prove more" in triage.run(*SUGGEST, "--dry-run").out
    assert triage.run("runs", "report", "latest").code == 2
    assert triage.run("runs", "show", "latest").code == 0


def test_versions_that_are_not_worth_a_call(triage: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = writer = Writer(
        "Which {{kind}} of team?",
        '{{role "user"}} Which team?',
        "Which team? 'Parcel again: for the 2 time' is delivery",
        "Which team? " * 40,
        "{{#if message}}",
    )
    ended = triage.run(*SUGGEST, "--proposals", "5", "--json")
    assert ended.code == 1
    assert ended.data["discarded"] == {"with other roles or placeholders": 3, "with words of a case": 1, "too long": 1}
    assert ended.data["sentence"].startswith("FAIL: no proposal passes more than triage@1 of the ")
    assert writer.proposals == 5
    assert len(server.received) == 5 + ended.data["made_from"], "none of them is tried"
    assert not files(triage)


def test_a_budget_ends_it_and_the_same_command_resumes(triage: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = Writer("Which team?", "Think.", ONE_WORD)
    whole = triage.run(*SUGGEST)
    calls, sentence = len(server.received), whole.out.splitlines()[-1]
    (triage.root / ".promptbench" / "runs.sqlite").unlink()
    server.received.clear()
    server.script = Writer("Which team?", "Think.", ONE_WORD)
    codes = []
    while not codes or codes[-1] == 4:
        ended = triage.run(*SUGGEST, "--max-calls", "25", "--format", "plain")
        codes.append(ended.code)
        assert codes[-1] == 0 or "the budget" in ended.err
    assert codes == [4] * (len(codes) - 1) + [0]
    assert len(codes) > 3
    assert len(server.received) == calls, "no call is made twice"
    assert ended.out.splitlines()[-1] == sentence


def test_it_is_interrupted_and_the_same_command_resumes(triage: ProjectFolder, server: FakeOpenAI) -> None:
    writer = Writer(ONE_WORD)

    def press(body: Body) -> str | Step:
        if len(server.received) == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return writer(body)

    server.script = press
    ended = triage.run(*SUGGEST)
    assert ended.code == 130
    assert "resumes" in ended.err
    ended = triage.run(*SUGGEST, "--json")
    assert ended.code == 0
    sent = [str(item.body) for item in server.received]
    judged = ended.data["held_out"] * 2 + 1
    assert len(sent) == ended.data["made_from"] * 2 + 1 + judged, "no call is made twice"


@pytest.mark.slow
@pytest.mark.parametrize("calls", [5, 30, 60])
def test_it_is_killed_and_the_same_command_resumes(triage: ProjectFolder, server: FakeOpenAI, calls: int) -> None:
    server.script = Writer(ONE_WORD)
    process = triage.start(*SUGGEST, PYTHONPATH=os.pathsep.join(sys.path), OPENAI_API_KEY="k")
    while len(server.received) < calls and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    ended = triage.run(*SUGGEST, "--json")
    # Calls in flight, and those that were answered since the last commit.
    open_calls = 4 * server.most_at_once
    assert ended.code == 0, ended.err
    assert ended.data["use"] == 1
    whole = ended.data["made_from"] * 2 + 1 + ended.data["held_out"] * 2 + 1
    assert len(server.received) <= whole + open_calls


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        (cases(10), "held-out cases can be fixed, and use 1 of them needs 12"),
        (cases() + "gate: {margin: 2%}\n", "margin 2 % needs 149 stable passing cases"),
    ],
    ids=["targets", "power"],
)
def test_too_few_cases_to_prove_anything(triage: ProjectFolder, server: FakeOpenAI, suite: str, said: str) -> None:
    triage.write("suites/triage/suite.yaml", suite)
    ended = triage.run(*SUGGEST)
    assert ended.code == 6
    assert said in ended.out.splitlines()[-1]
    assert not server.received


def test_known_passes_count_before_any_call(triage: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: clerk({"messages": [{"content": "one word"}, body["messages"][1]]})
    assert triage.run("run", "suites/triage").code == 0
    server.received.clear()
    ended = triage.run(*SUGGEST)
    assert ended.code == 6
    assert "at most 0 of " in ended.out
    assert not server.received


def test_what_a_dry_run_and_a_wrong_model_say(triage: ProjectFolder, server: FakeOpenAI) -> None:
    ended = triage.run(*SUGGEST, "--dry-run")
    assert ended.code == 0
    assert "up to 10 calls to openai/writer" in ended.out
    for by, said in (("nobody", "'nobody' is not a model"), ("opnai/x", "did you mean 'openai/x'?")):
        ended = triage.run("suggest", "suites/triage", "--by", by)
        assert ended.code == 2
        assert said in ended.err
    assert not server.received
