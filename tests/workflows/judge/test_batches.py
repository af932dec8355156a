"""Runs by batch, against a server with the batch APIs: what is sent, what comes back, and what it costs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import judging
from tests.helpers.fake_batches import FakeBatches
from tests.helpers.project import ProjectFolder, better

TRIES = 54  # of both prompts, two targets and one guard
Open = Callable[..., ProjectFolder]


def script(body: dict[str, Any]) -> str:
    messages = list(body["messages"])
    if body.get("system"):  # as Anthropic has it
        messages.insert(0, {"role": "system", "content": body["system"]})
    content = messages[-1]["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    return better({"messages": [*messages[:-1], {"role": "user", "content": text}]})


@pytest.fixture
def server() -> Iterator[FakeBatches]:
    with FakeBatches(script) as server:
        yield server


@pytest.fixture
def opened(
    server: FakeBatches, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Open:
    """A project with a version in production, whose model is at the server."""

    def opened(provider: str = "openai", settings: str = "") -> ProjectFolder:
        monkeypatch.chdir(tmp_path)
        project = ProjectFolder(tmp_path, "", capsys)
        prices = f'["{provider}/fake"]\ninput = 1000\noutput = 2000\n'
        project.write("prices.toml", prices)
        project.write("promptbench.toml", server.settings(provider, f'prices = "prices.toml"\n{settings}'))
        project.edit("suites/triage/suite.yaml", "openai/fake", f"{provider}/fake")
        project.edit("suites/triage/triage.better.prompt", "temperature: 0", "maxOutputTokens: 50")
        for name in ("OPENAI", "ANTHROPIC", "AZURE_OPENAI"):
            monkeypatch.setenv(f"{name}_API_KEY", "test-key")
        project.adopt()
        return project

    return opened


def rows(project: ProjectFolder, sql: str) -> list[Any]:
    database = sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


def last_line(text: str) -> str:
    return text.rstrip("\n").splitlines()[-1]


@pytest.mark.parametrize("provider", ["openai", "azure_openai", pytest.param("anthropic", marks=pytest.mark.slow)])
def test_a_run_by_batch_is_that_of_single_calls_at_half_price(opened: Open, server: FakeBatches, provider: str) -> None:
    project = opened(provider)
    project.edit("suites/triage/suite.yaml", "repeats: 3", "repeats: 1")
    live = project.run("run", "--json")
    assert server.live == TRIES, live.err
    batched = project.run("run", "--batch", "--json")
    assert (live.code, batched.code) == (0, 0), batched.err
    assert (server.live, server.accepted.total()) == (TRIES, len(server.accepted))
    [one], [other] = live.data["runs"], batched.data["runs"]
    assert one["sentence"] == other["sentence"]
    columns = "variant, case_name, repeat, outcome, answer_hash, scores, tries, input_tokens, cost, provider_ms"
    sql = "SELECT {} FROM attempt JOIN run ON run.id = run ORDER BY run.started, variant, case_name, repeat"
    found = rows(project, sql.format(columns))
    for single, by_batch in zip(found[:TRIES], found[TRIES:], strict=True):
        assert single[:-2] == by_batch[:-2]
        assert by_batch[-2:] == (single[-2] / 2, None)
    assert rows(project, "SELECT count(*) FROM batch_line") == [(0,)]
    assert not list((project.root / ".promptbench/batches").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    ["busy", "lost reply", "poll", "gone", "duplicate", "queue", "truncated", "missing", "expired"],
)
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_what_goes_wrong_with_a_batch_is_made_good(
    opened: Open, server: FakeBatches, provider: str, fault: str
) -> None:
    project = opened(provider)
    project.edit("suites/triage/suite.yaml", "repeats: 3", "repeats: 1")
    lost = ["Hello"] if fault in ("missing", "expired") else []
    server.line_faults = lambda key, body: lost.pop() and fault if lost and lost[0] in json.dumps(body) else ""
    server.faults[fault] = not lost
    ended = project.run("run", "--batch", "--json")
    assert ended.code == 0, ended.err
    assert (server.live, server.faults[fault]) == (0, provider == "anthropic" and fault == "queue")
    # One answer did not come back, so it is asked for once more.
    again = fault in ("truncated", "missing", "expired")
    assert server.accepted.total() - len(server.accepted) == again
    assert rows(project, "SELECT sum(tries) - count(*), count(*) FROM attempt") == [(again, len(server.accepted))]


def test_it_does_not_wait_and_continues_and_is_cancelled(opened: Open, server: FakeBatches) -> None:
    project = opened()
    project.edit("suites/triage/suite.yaml", "repeats: 3", "repeats: 1")
    server.looks = 2
    ended = project.run("run", "--batch", "--no-wait")
    assert (ended.code, len(server.batches)) == (4, 1), ended.err
    assert "NO VERDICT: 6 requests by batch in progress" in ended.err
    [[file]] = [list((project.root / ".promptbench/batches").iterdir())]
    assert file.stat().st_mode & 0o777 == 0o600
    assert "cancelled batch_0 of openai/fake" in project.run("runs", "cancel").out
    assert server.cancelled == ["batch_0"]
    ended = project.run("run", "--batch")
    assert ended.code == 0, ended.err
    # Half of the first batch was answered before it was cancelled; the rest is asked again.
    assert server.accepted.total() - len(server.accepted) == len(server.batches[0]["requests"])
    assert project.run("runs", "cancel").out == "no batch is in progress\n"


def test_a_suite_that_checks_times_is_refused_before_anything_is_sent(opened: Open, server: FakeBatches) -> None:
    project = opened()
    project.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [json, {any of: [{latency: 2 s}, json]}]")
    project.edit("suites/triage/suite.yaml", "{repeats: 3}", "{repeats: 3, latency ratio: 1.5}")
    for words in (("--batch",), ("--batch", "--dry-run")):
        ended = project.run("run", *words)
        assert ended.code == 2
        assert "suite.yaml:4:17: error[PB516] 'latency' cannot be judged by batch" in ended.err
        assert "error[PB516] 'latency ratio' cannot be judged by batch: the time of a call is unknown" in ended.err
    assert not server.batches


def test_small_rounds_are_live_and_a_rejected_line_is_an_error(opened: Open, server: FakeBatches) -> None:
    project = opened()
    project.edit("promptbench.toml", "batch-min = 1", "batch-min = 49")
    project.edit("suites/triage/suite.yaml", "repeats: 3", "repeats: 1")
    server.line_faults = lambda key, body: "400" if "Hello" in json.dumps(body) else ""
    assert project.run("run", "--batch", "--json").code == 0
    assert not server.batches
    project.edit("promptbench.toml", "batch-min = 49", "batch-min = 1")
    project.write("suites/triage/suite.yaml", (project.root / "suites/triage/suite.yaml").read_text() + "\n")
    ended = project.run("run", "--batch")
    assert ended.code == 4, ended.out
    assert "refuses this request to openai/fake (400): too long" in ended.out
    assert max(server.accepted.values()) == 1


TURNS = """\
suite: chat
prompt: chat.prompt
models: [openai/fake]
gate: {repeats: 1}
cases:
  - case: two turns
    turns:
      - user: My parcel is late
        checks: [contains: delivery]
      - user: I was charged twice
        checks: [contains: billing]
"""


def test_judges_and_turns_are_asked_by_further_batches(opened: Open, server: FakeBatches) -> None:
    project = opened()
    judging.set_up(project, server)
    for words in (("--batch",), ()):
        project.run("run", judging.FOLDER, *words)
    assert [len(batch["requests"]) for batch in server.batches] == [20, 20]
    sql = "SELECT {} FROM {} JOIN run ON run.id = run ORDER BY run.started, case_name, {}"
    for columns, table in (("variant, outcome, scores", "attempt"), ("verdict, judge, tries", "judging")):
        found = rows(project, sql.format(columns, table, columns))
        assert found[:20] == found[20:]
    [(halves,)] = rows(project, "SELECT count(*) FROM judging WHERE answer LIKE '%by_batch%'")
    assert halves == 20


def test_each_turn_is_a_batch(opened: Open, server: FakeBatches) -> None:
    project = opened()
    project.write("suites/chat/suite.yaml", TURNS)
    project.write("suites/chat/chat.prompt", '{{role "system"}}\nAnswer with JSON.\n{{history}}\n')
    assert project.run("adopt", "suites/chat/chat.prompt", "--reason", "in use").code == 0
    ended = project.run("run", "suites/chat", "--batch")
    assert ended.code == 0, ended.out
    assert (server.live, [len(batch["requests"]) for batch in server.batches]) == (0, [1, 1])
    assert rows(project, "SELECT outcome, tries, cost, provider_ms FROM attempt") == [("passed", 2, 0.025, None)]
