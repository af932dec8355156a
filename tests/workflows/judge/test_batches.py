"""Runs by batch, against a server with the batch APIs: what is sent, what comes back, and what it costs."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from promptbench.providers import _batch
from promptbench.providers._batch import lines_in
from promptbench.workflows.judge.batches import parts_of
from tests.bench import batch_kills
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
def test_a_run_by_batch_is_that_of_single_calls_at_half_price(
    opened: Open, server: FakeBatches, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = opened(provider)
    project.edit("suites/triage/suite.yaml", "repeats: 3", "repeats: 1")
    columns = "variant, case_name, repeat, outcome, answer_hash, scores, tries, input_tokens, cost, provider_ms"
    sql = f"SELECT {columns} FROM attempt ORDER BY variant, case_name, repeat"
    live = project.run("run", "--format", "evidence")
    assert server.live == TRIES, live.err
    found = rows(project, sql)
    # Without the record, it is again the first look at the candidate.
    (project.root / ".promptbench/runs.sqlite").unlink()
    # Azure imports a file before a batch may use it.
    monkeypatch.setattr(_batch, "_IMPORT_POLL", 0.01)
    server.faults["pending"] = 3 * (provider == "azure_openai")
    batched = project.run("run", "--batch", "--format", "evidence")
    assert (live.code, batched.code) == (0, 0), batched.err
    assert (server.live, server.accepted.total(), server.faults["pending"]) == (TRIES, len(server.accepted), 0)
    assert batch_kills.without_names(live.out) == batch_kills.without_names(batched.out)
    for single, by_batch in zip(found, rows(project, sql), strict=True):
        assert single[:-2] == by_batch[:-2]
        assert by_batch[-2:] == (single[-2] / 2, None)
    assert rows(project, "SELECT count(*) FROM batch_line") == [(0,)]


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


def test_answers_of_a_later_round_stay_when_the_run_resumes(opened: Open, server: FakeBatches) -> None:
    project = opened(settings="batch-lines = 30\n")
    project.edit("suites/triage/suite.yaml", "repeats: 3", "repeats: 1")
    words = ("run", "--batch", "--no-wait")
    assert (project.run(*words).code, len(server.batches)) == (4, 1)
    ended = project.run(*words)
    assert (ended.code, len(server.batches)) == (4, 3), "the second round has two batches"
    # One of them ends while the other one does not answer: the run stops between two rounds.
    server.faults["poll"] = 1
    ended = project.run(*words)
    assert ended.code == 4
    read = "SELECT part FROM batch_line WHERE status NOTNULL AND part > 1 GROUP BY part"
    assert len(rows(project, read)) == 1, ended.err
    ended = project.run(*words)
    assert ended.code == 0, ended.err
    assert (server.live, set(server.accepted.values())) == (0, {1})
    assert "asked by batch: answers have the price of a batch, and no times" in ended.out


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_batch_that_cannot_be_read(opened: Open, server: FakeBatches, provider: str) -> None:
    project = opened(provider, settings="outage-minutes = 0\n")
    project.edit("suites/triage/suite.yaml", "repeats: 3", "repeats: 1")
    # A provider that does not answer ends the command, and the same one continues.
    server.faults["poll"] = 1
    ended = project.run("run", "--batch")
    assert ended.code == 4, ended.out
    assert "NO VERDICT: " in ended.err
    assert "`promptbench run suites/triage --batch` continues" in ended.err
    # Results that are gone are asked for once more.
    server.faults["gone"] = 1
    assert project.run("run", "--batch").code == 0
    assert (server.live, max(server.accepted.values())) == (0, 2)
    # All lines are rejected, so there is a file of errors only.
    project.write("suites/triage/suite.yaml", (project.root / "suites/triage/suite.yaml").read_text() + "\n")
    server.line_faults = lambda key, body: "400"
    sent = len(server.batches)
    ended = project.run("run", "--batch")
    assert ended.code == 4, ended.out
    assert (len(server.batches), "too long" in ended.out) == (sent + 1, True)


def test_it_does_not_wait_and_continues_and_is_cancelled(opened: Open, server: FakeBatches) -> None:
    project = opened()
    project.edit("suites/triage/suite.yaml", "repeats: 3", "repeats: 1")
    server.looks = 2
    ended = project.run("run", "--batch", "--no-wait")
    assert (ended.code, len(server.batches)) == (4, 1), ended.err
    assert "NO VERDICT: 6 requests by batch in progress" in ended.err
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
    project.edit("prices.toml", '["', f'["{judging.JUDGE}"]\ninput = 1\noutput = 1\n["')
    live, batched = (
        project.run("run", judging.FOLDER, "--dry-run", "--json", *words).data["suites"][0]
        for words in ((), ("--batch",))
    )
    assert set(batched["batched"]) == {judging.JUDGE, *live["expected"]}
    assert batched["judges"][judging.JUDGE]["cost"] == live["judges"][judging.JUDGE]["cost"] / 2 > 0
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


@pytest.mark.slow
def test_a_batch_that_is_refused_disables_the_model(opened: Open, server: FakeBatches) -> None:
    project = opened()
    server.faults["invalid"] = 1
    ended = project.run("run", "--batch")
    assert ended.code == 4, ended.out
    why = "a batch of openai/fake was refused: line 3: not this batch (invalid_json_line)"
    assert f"openai/fake is disabled for this run: {why}" in ended.err
    assert (server.live, server.accepted) == (0, {})
    assert project.run("run", "--batch").code == 0


@pytest.mark.slow
def test_a_batch_that_the_budget_does_not_allow_is_not_sent(opened: Open, server: FakeBatches) -> None:
    project = opened()
    ended = project.run("run", "--batch", "--max-calls", "5")
    assert ended.code == 4, ended.out
    assert "stopped at the budget: 0 of 5 calls are made" in ended.out
    assert not server.batches
    project.edit("suites/triage/suite.yaml", "{repeats: 3}", "{repeats: 3, max cost: $0.01}")
    ended = project.run("run", "--batch")
    assert (ended.code, server.batches) == (4, []), ended.out
    assert "and the next 18 calls could cost $" in ended.out


@pytest.mark.slow
def test_an_interrupt_leaves_the_batches_and_the_same_command_reads_them(opened: Open, server: FakeBatches) -> None:
    project = opened()
    server.looks = 10_000
    process = project.start("run", "--batch")
    assert process.stderr is not None
    next(line for line in process.stderr if "as batch 1 (batch_0)" in line)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    server.looks = 0
    assert project.run("run", "--batch").code == 0
    assert (server.live, max(server.accepted.values())) == (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_run_that_is_killed_sends_nothing_twice(tmp_path: Path, provider: str) -> None:
    with FakeBatches(batch_kills.script, looks=3) as server:
        batch_kills.write_project(tmp_path, server, 30, provider)
        adopted = batch_kills.command(tmp_path, "adopt", "suites/triage/triage.plain.prompt", "--reason", "in use")
        adopted.communicate()
        batch_kills.killed_run(tmp_path, 6, 6.0)
        assert (server.live, set(server.accepted.values())) == (0, {1})


def test_parts_keep_the_limits_and_broken_lines_are_missing() -> None:
    lines = [(str(size), b"x" * size, 0.0) for size in (3, 4, 3, 9, 20, 1)]
    sizes = [[len(line) for _, line, _ in part] for part in parts_of(lines, 2, 10)]
    assert sizes == [[3, 4], [3], [9], [20], [1]]
    assert [len(part) for part in parts_of(lines[:3], 3, 100)] == [3]
    assert list(parts_of([], 2, 10)) == []
    rejected = {"status_code": 400, "body": {"error": {"message": "too long"}}}
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    written = [
        {"custom_id": "a", "response": {"status_code": 200, "body": {"id": 1}}, "error": None},
        {"custom_id": "b", "response": rejected, "error": None},
        {"custom_id": "c", "response": None, "error": {"code": "batch_expired", "message": "too late"}},
        {"custom_id": "d", "result": {"type": "succeeded", "message": {"id": 2}}},
        {"custom_id": "e", "result": {"type": "errored", "error": overloaded}},
        {"custom_id": "f", "result": {"type": "expired"}},
        {"custom_id": "g", "result": []},
        [],
    ]
    content = "\n".join(map(json.dumps, written)).encode() + b'\n{"custom_id": "h", "resp\n\xff\n'
    found = [(key, status, json.loads(body)) for key, status, body in lines_in(content)]
    assert [(key, status) for key, status, _ in found] == [
        *(("a", 200), ("b", 400), ("c", 0), ("d", 200), ("e", 529), ("f", 0), ("g", 0)),
    ]
    assert [body for *_, body in found[:4]] == [
        {"id": 1},
        {"error": {"message": "too long"}},
        {"error": {"code": "batch_expired", "message": "too late"}},
        {"id": 2},
    ]
