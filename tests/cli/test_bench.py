"""`promptbench bench`: a real server, the real SDK, the record, and logs."""

from __future__ import annotations

import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI, Step, answer, chunks, error
from tests.helpers.project import Ended, ProjectFolder, better

SUITE = "suites/triage"
PER_CALL = (11 * 1000 + 7 * 2000) / 1e6
"""US dollars: the server counts 11 tokens in and 7 out for each answer."""


@pytest.fixture
def priced(project: ProjectFolder) -> ProjectFolder:
    project.edit("promptbench.toml", "[providers", 'prices = "prices.toml"\n[providers')
    project.write("prices.toml", '["openai/fake"]\ninput = 1000\noutput = 2000\n["openai/b"]\ninput = 1\noutput = 2\n')
    return project


def prepared(project: ProjectFolder, *words: str) -> Ended:
    return project.run("bench", *words, "--warm-up", "1")


def models(project: ProjectFolder, *words: str) -> list[dict[str, Any]]:
    ended = prepared(project, *words, "--json")
    assert ended.code == 0, ended.err
    return list(ended.data["models"])


def by_model(a: float, b: float) -> Any:
    return lambda body: answer(better(body), delay=a if body["model"] == "a" else b)


def test_two_models_in_turns_and_how_they_compare(priced: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = by_model(0.004, 0.02)
    ended = prepared(priced, SUITE, "--model", "openai/a", "--model", "openai/b", "--calls", "40", "--json")
    found = ended.data
    assert ended.code == 0
    assert (found["schema_version"], found["complete"], found["prompt"]) == (1, True, "triage")
    fast, slow = found["models"]
    assert [(model["calls"], model["answered"]) for model in (fast, slow)] == [(40, 40), (40, 40)]
    assert slow["latency"]["p50"]["low"] <= slow["latency"]["p50"]["value"] <= slow["latency"]["p50"]["high"]
    assert slow["latency"]["p99"]["high"] is None
    assert slow["latency"]["p50"]["value"] >= 19
    (contrast,) = found["contrasts"]
    assert (contrast["faster"], contrast["slower"]) == ("openai/a", "openai/b")
    assert contrast["p50"]["low"] > 1
    asked = [item.body["model"] for item in server.received[2:]]
    assert len(asked) == 80
    assert all({asked[at], asked[at + 1]} == {"a", "b"} for at in range(0, 80, 2)), "in turns, one of each a round"
    assert len(set(asked[::2])) == 2, "and not always the same first"
    text = prepared(priced, "--show", "latest").out
    assert "openai/a compared with openai/b: " in text


def test_a_stall_makes_all_that_arrive_meanwhile_wait(project: ProjectFolder, server: FakeOpenAI) -> None:
    """A client that waits for each answer would see one slow call; those that were due are in the latency here."""
    project.write("promptbench.toml", "concurrency = 1\n" + (project.root / "promptbench.toml").read_text())
    count = 0

    def stalls(body: dict[str, Any]) -> Step:
        nonlocal count
        count += 1
        return answer(better(body), delay=0.4 if count == 10 else 0.0)

    server.script = stalls
    (model,) = models(project, SUITE, "--calls", "40", "--rate", "50", "--arrivals", "constant")
    assert model["provider"]["p90"]["value"] < 300
    assert model["latency"]["p50"]["value"] > 20
    waiting = model["queue"]["mean"] + model["provider"]["mean"]
    assert waiting == pytest.approx(model["latency"]["mean"], abs=1.0)
    assert model["queue"]["p90"]["value"] > 100


def test_errors_and_retries_are_counted_and_no_time_is(project: ProjectFolder, server: FakeOpenAI) -> None:
    count = 0

    def moody(body: dict[str, Any]) -> str | Step:
        nonlocal count
        count += 1
        if count % 10 == 0:
            return error(400, "no such thing")
        return error(500) if count == 5 else better(body)

    server.script = moody
    (model,) = models(project, SUITE, "--calls", "20")
    assert (model["calls"], model["answered"]) == (20, 18)
    assert model["errored"]["value"] == pytest.approx(0.1)
    assert model["errored"]["low"] < 0.1 < model["errored"]["high"]
    assert model["retried"]["value"] == pytest.approx(0.05)
    assert list(model["errors"].values()) == [2]
    assert model["latency"]["count"] == 18
    assert (
        "18 of 20 calls answered, 2 errored (1.2 to 31.7 %), 5 % retried" in prepared(project, "--show", "latest").out
    )


def test_the_first_token_of_a_stream(project: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: chunks('{"team":', ' "billing"}', delay=0.01)
    (model,) = models(project, SUITE, "--calls", "6")
    assert 29 <= model["first_token"]["p50"]["value"] < model["provider"]["p50"]["value"]
    assert model["tokens_per_second"]["p50"]["value"] == pytest.approx(
        7000 / model["provider"]["p50"]["value"], rel=0.5
    )
    assert all(item.body["stream"] for item in server.received)


def test_what_it_costs_and_what_the_examples_do(priced: ProjectFolder, server: FakeOpenAI) -> None:
    path = priced.write(
        f"{SUITE}/triage.shots.prompt",
        '{{role "user"}}\nMy card was charged\n{{role "model"}}\n{"team": "billing"}\n{{role "user"}}\n{{message}}\n',
    )
    (model,) = models(priced, str(path), "--calls", "6", "--per-month", "30000")
    costs = model["costs"]
    assert costs["each"] == pytest.approx(PER_CALL)
    assert costs["per_1000"] == pytest.approx(1000 * PER_CALL)
    assert costs["per_month"] == pytest.approx(30_000 * PER_CALL)
    examples = len("My card was charged") + len('{"team": "billing"}')
    whole = [examples + len(text) for text in ("I was charged twice", "My parcel is late", "Hello")]
    share = 3 * examples / sum(whole)
    assert costs["examples"] == pytest.approx(share * 11 * 1000 / 1e6 / PER_CALL, rel=0.02)
    shown = prepared(priced, "--show", "latest", "--per-month", "30000").out
    assert "30,000 a month" in shown
    assert "$750.00" in shown


def test_a_recommendation_rests_on_the_suites_runs(priced: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = by_model(0.001, 0.01)
    both = ("--model", "openai/fake", "--model", "openai/b")
    text = " ".join(prepared(priced, SUITE, *both, "--calls", "5").out.split())
    assert "accuracy is left out, because it is unknown how often openai/fake, openai/b are right" in text
    assert priced.run("run", *both).code == 0
    found = prepared(priced, "--show", "latest", "--json").data
    assert found["advice"]["by"] == ["accuracy", "cost", "latency"]
    assert found["advice"]["recommended"] == "openai/b"
    assert found["models"][0]["accuracy"]["answers"] == 9
    last = " ".join(prepared(priced, "--show", "latest").out.split())
    assert "recommended: openai/b: right in 100 %" in last
    assert "of 9 answers in run 2" in last


def test_a_model_of_ones_own_beside_one_with_a_prompt(priced: ProjectFolder, server: FakeOpenAI) -> None:
    priced.edit("promptbench.toml", "prices =", 'python = ["suites/*/*.py"]\nmachine-price-per-hour = 0.1\nprices =')
    priced.write(f"{SUITE}/own.py", 'def team(vars):\n    return \'{"team": "billing"}\'\n')
    server.script = lambda body: answer(better(body), delay=0.01)
    found = prepared(
        priced, SUITE, "--model", "openai/fake", "--model", "python/own.py:team", "--calls", "8", "--json"
    ).data
    assert [model["uses_prompt"] for model in found["models"]] == [True, False]
    (line,) = found["beside_own"]
    assert line.startswith("openai/fake compared with python/own.py:team: ")
    assert "times as long" in line
    assert "times the price a call" in line


def test_a_prompt_alone(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.write("hello.prompt", "Say hello to {{name}}\n")
    server.script = ["Hello"]
    ended = prepared(project, "hello.prompt", "--model", "openai/fake", "--var", "name=Ada", "--calls", "3")
    assert ended.code == 0, ended.err
    assert server.received[-1].body["messages"] == [{"role": "user", "content": "Say hello to Ada"}]
    ended = prepared(project, "hello.prompt", "--model", "openai/fake", "--calls", "3")
    assert (ended.code, "hello.prompt needs a value for name" in ended.err) == (2, True)


def test_a_dry_run_asks_nothing(priced: ProjectFolder, server: FakeOpenAI) -> None:
    ended = prepared(priced, SUITE, "--dry-run", "--calls", "9", "--rate", "3")
    assert ended.code == 0
    assert ended.out.startswith(
        "triage.better.prompt, 3 cases, for at least 3 s\n  would make 10 calls to openai/fake; "
    )
    plan = prepared(priced, SUITE, "--dry-run", "--calls", "9", "--json").data
    assert (plan["schema_version"], plan["seconds"]) == (1, None)
    assert plan["expected"]["openai/fake"]["calls"] == 10
    assert plan["expected"]["openai/fake"]["cost"] > 0
    assert not server.received
    assert not (priced.root / ".promptbench").exists()


def test_a_budget_ends_it_and_what_was_measured_is_kept(priced: ProjectFolder, server: FakeOpenAI) -> None:
    ended = prepared(priced, SUITE, "--calls", "30", "--max-calls", "11")
    assert ended.code == 4
    assert "10 of 10 calls answered" in ended.out
    assert "stopped at the budget: 11 of 11 calls are made" in ended.out
    assert len(server.received) == 11
    assert "(not complete)" in prepared(priced, "--history").out.replace("\n", " ")
    ended = prepared(priced, SUITE, "--model", "openai/unpriced", "--max-cost", "$1")
    assert (ended.code, "the price of openai/unpriced is unknown" in ended.err) == (2, True)


def test_a_model_that_is_not_there(project: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: error(404, "no such model") if body["model"] == "gone" else better(body)
    ended = prepared(project, SUITE, "--model", "openai/gone", "--model", "openai/fake", "--calls", "5")
    assert ended.code == 4
    assert "5 of 5 calls answered" in ended.out
    assert "openai/gone is disabled for this run" in ended.out
    ended = prepared(project, SUITE, "--model", "openai/gone")
    assert (ended.code, ended.out) == (4, "")
    assert "no model answered: openai/gone is disabled for this run" in ended.err


def test_history(project: ProjectFolder) -> None:
    assert "no measurement is recorded" in prepared(project, "--history").out
    assert prepared(project, "--show", "latest").code == 2
    prepared(project, SUITE, "--calls", "3")
    prepared(project, SUITE, "--calls", "4", "--concurrency", "2")
    lines = prepared(project, "--history").out
    assert lines.index("3 of 3") < lines.index("4 of 4")
    found = prepared(project, "--history", "triage", "--json").data["measurements"]
    assert [(line["suite"], line["answered"], line["complete"]) for line in found] == [
        ("triage", 3, True),
        ("triage", 4, True),
    ]
    assert prepared(project, "--history", "other", "--json").data["measurements"] == []
    shown = prepared(project, "--show", found[0]["name"][:-2], "--json").data
    assert shown["name"] == found[0]["name"]
    ended = prepared(project, "--show", "2")
    assert "several measurements begin with '2'" in ended.err


def test_markdown(priced: ProjectFolder) -> None:
    ended = prepared(priced, SUITE, "--calls", "3", "--format", "markdown")
    assert ended.out.startswith("## triage.better.prompt, 3 cases, 3 calls to each model\n")
    assert "| openai/fake | latency |" in ended.out
    assert "| openai/fake | \\$0.025 | \\$25.00 |" in ended.out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "nothing to measure"),
        (("nothing.prompt",), "nothing.prompt not found"),
        ((SUITE, "--var", "a=b"), "--var is for a prompt without a suite"),
        ((SUITE, "--arrivals", "poisson"), "--arrivals needs a rate"),
        ((SUITE, "--rate", "2", "--concurrency", "3"), "--rate and --concurrency exclude each other"),
        ((SUITE, "--model", "recorded/openai/fake"), "recorded/openai/fake replays stored answers, so its latency"),
        (("--from", "promptbench.toml"), "none of its first records can be read"),
    ],
)
def test_what_cannot_be_measured(project: ProjectFolder, words: tuple[str, ...], why: str) -> None:
    if "recorded/openai/fake" in words:
        assert project.run("run").code == 0
    ended = prepared(project, *words)
    assert ended.code == 2
    assert why in ended.err


def test_several_candidates_are_not_one_prompt(project: ProjectFolder) -> None:
    project.edit(f"{SUITE}/suite.yaml", "prompt: triage.better.prompt", "prompt: triage.*.prompt")
    ended = prepared(project, SUITE)
    assert ended.code == 2
    assert "one prompt is measured: triage.better.prompt, triage.plain.prompt" in ended.err
    assert prepared(project, f"{SUITE}/triage.plain.prompt", "--calls", "2").code == 0


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_measured(project: ProjectFolder, server: FakeOpenAI) -> None:
    words = ("--rate", "20", "--calls", "1000", "--arrivals", "constant", "--warm-up", "0")
    process = project.start("bench", SUITE, *words)
    deadline = time.monotonic() + 60
    while len(server.received) < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "stopping after the calls in flight" in err
    assert "stopped before all calls were made" in out
    (line,) = prepared(project, "--history", "--json").data["measurements"]
    assert 10 <= line["answered"] == len(server.received) < 1000
    assert line["complete"] is False


def logged(project: ProjectFolder, *files: Path) -> dict[str, dict[str, Any]]:
    words = [word for file in files for word in ("--from", str(file))]
    ended = project.run("bench", *words, "--json")
    assert ended.code == 0, ended.err
    return {model["model"]: model for model in ended.data["models"]}


def seconds(spread: dict[str, Any]) -> str:
    figures = (spread["p50"]["value"], spread["p99"]["value"], spread["deviation"]["value"])
    return " ".join(f"{figure / 1000:.2f}" for figure in figures)


def test_a_log_of_times_alone(project: ProjectFolder) -> None:
    rows = [
        f"2026-11-0{day},m,{latency},{tokens},{error}"
        for day, latency, tokens, error in (
            (1, 120, 20, ""),
            (2, 180, 30, ""),
            (3, 90, "", "timeout"),
            (4, "", "", ""),
        )
    ]
    log = project.write("calls.csv", "\n".join(["time,model,latency_ms,output_tokens,error", *rows, ""]))
    ended = project.run("bench", "--from", str(log))
    assert ended.code == 0, ended.err
    assert "3 logged calls in calls.csv" in ended.out
    assert "2 of 3 calls answered, 1 errored" in ended.out
    assert "1 record left out; the first, line 5: it has no latency" in " ".join(ended.out.split())
    empty = project.write("none.csv", "model,latency,answer\nm,5,hello\n")
    ended = project.run("bench", "--from", str(empty))
    assert (ended.code, "no call in none.csv has a latency; line 2: it has no latency" in ended.err) == (7, True)


@pytest.mark.slow
def test_a_record_that_cannot_be_written_ends_it(project: ProjectFolder, server: FakeOpenAI) -> None:
    assert prepared(project, SUITE, "--calls", "1").code == 0
    database = sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")
    database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON measured_call WHEN NEW.number > 5 "
        "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    )
    database.close()
    server.script = lambda body: answer(better(body), delay=0.1)
    before = len(server.received)
    ended = prepared(project, SUITE, "--calls", "200")
    assert ended.code not in (0, 130)
    assert "the disk is full" in ended.err
    assert len(server.received) - before < 40
