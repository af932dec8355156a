"""Cases with turns: the real SDK over loopback, real SQLite, and a run that is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_rubric import record
from tests.helpers.fake_openai import FakeOpenAI, Step, answer, error
from tests.helpers.project import ProjectFolder

PROMPT = """\
{{role "system"}}
Answer as {{name}}.
{{history}}
"""
SUITE = """\
suite: chat
prompt: chat.prompt
models: [openai/fake]
checks: [not contains: lawyer]
gate: {repeats: 1}
cases:
  - case: late parcel
    vars: {name: Ada}
    messages: [{role: user, content: Hello}, {role: assistant, content: Hello!}]
    checks: [{latency: 60 s}]
    turns:
      - user: My parcel is late.
        checks: [contains: sorry]
      - user: When does it come?
        expect: On Monday.
      - user: Thanks.
"""
SAID = {"My parcel is late.": "I am sorry.", "When does it come?": "On Monday.", "Thanks.": "Goodbye."}
USERS = list(SAID)


def polite(body: dict[str, Any]) -> str:
    return SAID[body["messages"][-1]["content"]]


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(polite) as running:
        yield running


@pytest.fixture
def project(
    tmp_path: Path, server: FakeOpenAI, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> ProjectFolder:
    monkeypatch.chdir(tmp_path)
    folder = ProjectFolder(tmp_path, server.base_url, capsys)
    folder.write("suites/chat/chat.prompt", PROMPT)
    folder.write("suites/chat/suite.yaml", SUITE)
    return folder


def asked(server: FakeOpenAI) -> list[str]:
    return [item.body["messages"][-1]["content"] for item in server.received]


def test_answers_are_part_of_the_next_request(project: ProjectFolder, server: FakeOpenAI) -> None:
    [plan] = project.run("run", "suites/chat", "--dry-run", "--json").data["suites"]
    assert plan["expected"]["openai/fake"]["calls"] == 3
    assert project.run("run", "suites/chat").code == 0
    assert asked(server) == USERS
    contents = ["Answer as Ada.", "Hello", "Hello!", USERS[0], "I am sorry.", USERS[1], "On Monday.", USERS[2]]
    last = server.received[-1].body["messages"]
    assert [message["content"] for message in last] == contents
    assert [message["role"] for message in last] == ["system", *("user", "assistant") * 3, "user"]
    # The attempt is the sum of its turns, and passes because all of them do.
    assert record(project, "SELECT outcome, steps, tries, input_tokens, output_tokens FROM attempt") == [
        ("passed", 3, 3, 33, 21)
    ]
    assert record(project, "SELECT count(DISTINCT request_hash), sum(tries) FROM step") == [(3, 3)]


def test_the_first_turn_that_fails_is_named(project: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: polite(body).replace("sorry", "a lawyer").replace("Monday", "Friday")
    ended = project.run("run", "suites/chat", "--json")
    assert ended.code == 1
    [run] = ended.data["runs"]
    reasons = run["results"][0]["reasons"]
    assert [reason[: reason.index(":", reason.index("turn"))] for reason in reasons] == [
        "not contains: turn 1",
        "contains: turn 1",
        "expect: turn 2",
    ]
    assert asked(server) == USERS, "the rest is asked all the same, for other checks to look at"
    assert [str(item["answer"]) for item in run["results"][0]["called"]] == ["I am a lawyer.", "On Friday.", "Goodbye."]
    assert "turn 1: I am a lawyer." in " ".join(project.run("runs", "report").out.split())


def test_scoring_again_sees_the_answer_of_each_turn(project: ProjectFolder, server: FakeOpenAI) -> None:
    assert project.run("run", "suites/chat").code == 0
    server.received.clear()
    project.edit("suites/chat/suite.yaml", "contains: sorry", "contains: Monday")
    ended = project.run("runs", "rescore")
    assert ended.code == 1
    assert "contains: turn 1: 'Monday' is not in the answer" in " ".join(ended.out.split())
    project.edit("suites/chat/suite.yaml", "contains: Monday", "starts with: I am")
    assert project.run("runs", "rescore").code == 0
    project.edit("suites/chat/suite.yaml", "Thanks.", "Thank you.")
    assert "needs answers that this run does not have" in project.run("runs", "rescore").out
    assert not server.received


def test_finished_turns_are_not_repeated(project: ProjectFolder, server: FakeOpenAI) -> None:
    assert project.run("run", "suites/chat", "--max-calls", "2").code == 4
    server.script = [error(400, "too long")]
    assert project.run("run", "suites/chat").code == 4
    server.script = polite
    assert project.run("run", "suites/chat").code == 0
    assert asked(server) == [*USERS, USERS[2]]


@pytest.mark.slow
def test_a_killed_run_resumes_in_its_turn(project: ProjectFolder, server: FakeOpenAI) -> None:
    process = project.start("run", "suites/chat")

    def kill(body: dict[str, Any]) -> str | Step:
        if body["messages"][-1]["content"] == USERS[1]:
            os.kill(process.pid, signal.SIGKILL)
        return polite(body)

    server.script = kill
    process.communicate(timeout=60)
    server.script = polite
    assert asked(server) == USERS[:2]
    assert project.run("run", "suites/chat").code == 0
    assert asked(server) == [*USERS[:2], *USERS[1:]]


def test_an_empty_answer_ends_the_conversation(project: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = [answer("")]
    ended = project.run("run", "suites/chat")
    assert ended.code == 1
    assert "answer: turn 1: the answer is empty, so the conversation ended" in " ".join(ended.out.split())
    assert project.run("runs", "rescore").code == 1
    assert asked(server) == USERS[:1]


def test_a_judge_sees_each_turn(project: ProjectFolder, server: FakeOpenAI) -> None:
    rubric = "checks: [{rubric: {judge: openai/judge-1, passes if: polite, sees: user}}]"
    project.edit("suites/chat/suite.yaml", "checks: [not contains: lawyer]", rubric)

    def script(body: dict[str, Any]) -> str:
        if body["model"] == "fake":
            return polite(body)
        return '{"reason": "it is", "verdict": "pass"}'

    server.script = script
    assert project.run("run", "suites/chat").code == 0
    seen = [
        body["messages"][1]["content"] for body in (item.body for item in server.received) if body["model"] != "fake"
    ]
    assert sorted(user for text in seen for user in USERS if user in text) == sorted(USERS)
    assert all(SAID[user] in text for text in seen for user in USERS if user in text)
    assert record(project, "SELECT count(*), count(verdict) FROM judging") == [(3, 3)]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("{{history}}", "", 9, "chat.prompt has no {{history}} for the messages of 'late parcel'"),
        ("    turns:", "    expect: x\n    turns:", 11, "a case with 'turns' has several answers"),
        ("    turns:", "    was: x\n    turns:", 11, "'was' is about one"),
        ("expect: On", "expct: On", 15, "unknown key 'expct'"),
        ("- user: Thanks.", "- Thanks.", 16, "a turn"),
        ("contains: sorry", "contians: sorry", 13, "unknown check 'contians'"),
        (
            "[openai/fake]",
            "[openai/fake, 'python/bot.py:answer']",
            12,
            "gets no messages, so it cannot answer in turns",
        ),
    ],
)
def test_bad_input_has_its_line(project: ProjectFolder, old: str, new: str, line: int, message: str) -> None:
    project.edit("suites/chat/suite.yaml" if old in SUITE else "suites/chat/chat.prompt", old, new)
    project.write("suites/chat/bot.py", "def answer(vars): return ''\n")
    project.edit("promptbench.toml", "[providers", 'python = ["suites/*/*.py"]\n[providers')
    ended = project.run("validate")
    assert ended.code == 2
    found = [text for text in ended.out.splitlines() if text.startswith(f"suites/chat/suite.yaml:{line}:")]
    assert any(message in text for text in found), ended.out
