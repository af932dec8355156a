"""A provider that goes away in the middle of a run, and what the same command does when it is back."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections import Counter
from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI, Step, error, hang_up
from tests.helpers.project import ProjectFolder, better


def last_line(text: str) -> str:
    return text.rstrip("\n").splitlines()[-1]


def dies_after(server: FakeOpenAI, count: int, answered: Counter[str]) -> None:
    """Lets the server answer so many requests, and closes it at the next one."""

    def script(body: dict[str, Any]) -> str | Step:
        if answered.total() == count:
            server.die()
            return hang_up()
        answered[str(body["messages"])] += 1
        return better(body)

    server.script = script


def answering(server: FakeOpenAI, answered: Counter[str]) -> FakeOpenAI:
    """Another server at the same place."""

    def script(body: dict[str, Any]) -> str:
        answered[str(body["messages"])] += 1
        return better(body)

    return FakeOpenAI(script, server.port)


def said_until(process: subprocess.Popen[str], words: str) -> str:
    """The first line on stderr with these words in it."""
    assert process.stderr is not None
    return next(line for line in process.stderr if words in line)


def failed_tries(project: ProjectFolder) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")
    try:
        return database.execute("SELECT model, try, kind, status, message FROM failed_try ORDER BY try").fetchall()
    finally:
        database.close()


@pytest.fixture
def hasty(project: ProjectFolder) -> ProjectFolder:
    """One call at once and a second of patience."""
    project.edit("promptbench.toml", "[providers", "outage-minutes = 0.02\nretries = 1\nconcurrency = 1\n[providers")
    project.adopt()
    return project


@pytest.mark.slow
def test_a_server_that_dies_ends_a_run_and_the_same_command_finishes_it(
    hasty: ProjectFolder, server: FakeOpenAI
) -> None:
    answered: Counter[str] = Counter()
    dies_after(server, 7, answered)
    ended = hasty.run("run", "--promote")
    assert ended.code == 4, ended.out + ended.err
    assert last_line(ended.out).startswith("NO VERDICT: ")
    assert "openai/fake does not answer: the connection to 127.0.0.1:" in ended.err
    assert "up to 0.02 min (outage-minutes)" in ended.err
    assert "openai/fake is disabled for this run: no answer for 0.02 min: the connection to 127.0.0.1:" in ended.err
    with answering(server, answered):
        ended = hasty.run("run", "--promote")
    assert ended.code == 0, ended.out + ended.err
    assert "resumes run" in ended.err
    assert "7 of 18 attempts are recorded" in ended.err
    # Two targets with 15 tries, one guard with 3, of both prompts; each of the six questions as often as it is wanted.
    assert sorted(answered.values()) == [3, 3, 15, 15, 15, 15], "nothing is asked twice"
    tries = failed_tries(hasty)
    assert {(model, kind, status) for model, _, kind, status, _ in tries} == {("openai/fake", "transient", None)}
    assert all("127.0.0.1" in message for *_, message in tries)


@pytest.mark.slow
def test_an_outage_that_ends_in_time_leaves_no_trace_in_the_verdict(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.edit("promptbench.toml", "[providers", "retries = 1\nconcurrency = 3\n[providers")
    project.adopt()
    answered: Counter[str] = Counter()
    dies_after(server, 7, answered)
    process = project.start("run", "--promote")
    try:
        said = said_until(process, "does not answer")
        with answering(server, answered):
            out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, out + err
    assert "up to 5 min (outage-minutes)" in said
    assert "openai/fake answers again" in err
    assert "no answer from the provider" not in out
    assert answered.total() == 2 * (15 + 15 + 3) + 1, "the probe is a question more"


@pytest.mark.slow
def test_an_interrupt_ends_the_wait_at_once(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.edit("promptbench.toml", "[providers", "retries = 1\n[providers")
    project.adopt()
    dies_after(server, 7, Counter())
    process = project.start("run", "suites/triage")
    try:
        said_until(process, "does not answer")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130, out + err
    assert "resumes the run" in err


def test_secrets_in_failed_tries_stay_out_of_the_record(
    project: ProjectFolder, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_TOKEN", "planted-0123456789")
    calls = Counter[str]()

    def script(body: dict[str, Any]) -> str | Step:
        calls["all"] += 1
        return error(503, "no planted-0123456789 \ud800") if calls["all"] == 2 else better(body)

    server.script = script
    assert project.run("run").code == 0
    ((model, number, kind, status, message),) = failed_tries(project)
    assert (model, number, kind, status) == ("openai/fake", 1, "transient", 503)
    assert "<TEAM_TOKEN>" in message


def test_doctor_shows_the_patience(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "outage-minutes: 5" in project.run("doctor").out
    monkeypatch.setenv("PROMPTBENCH_OUTAGE_MINUTES", "0.5")
    assert "0.5 (environment)" in project.run("doctor").out
