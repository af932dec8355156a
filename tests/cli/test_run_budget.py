"""Prices and budgets of a run, against a real server on loopback that counts 11 tokens in and 7 out for each answer."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder

PER_CALL = (11 * 1000 + 7 * 2000) / 1e6
"""US dollars."""


@pytest.fixture
def priced(project: ProjectFolder) -> ProjectFolder:
    project.edit("promptbench.toml", "[providers", 'prices = "prices.toml"\n[providers')
    project.write("prices.toml", '["openai/fake"]\ninput = 1000\noutput = 2000\n')
    return project


def bounded(project: ProjectFolder) -> None:
    """Makes answers short, so that a call is not expected to cost much more than it does."""
    project.edit("suites/triage/triage.better.prompt", "temperature: 0", "temperature: 0, maxOutputTokens: 7")


def facts(project: ProjectFolder) -> Any:
    database = sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")
    try:
        return json.loads(database.execute("SELECT facts FROM run").fetchone()[0])
    finally:
        database.close()


def last_line(text: str) -> str:
    return text.rstrip("\n").splitlines()[-1]


def test_answers_are_priced_by_the_projects_file(priced: ProjectFolder) -> None:
    ended = priced.run("run", "--json")
    (report,) = ended.data["runs"]
    assert report["rows"][0]["cost"] == pytest.approx(9 * PER_CALL)
    assert facts(priced)["prices"]["file"] == "prices.toml"
    assert facts(priced)["prices"]["genai-prices"]


def test_a_dry_run_estimates(priced: ProjectFolder, server: FakeOpenAI) -> None:
    bounded(priced)
    ended = priced.run("run", "--dry-run")
    # 3 cases, 3 repeats; the system message has 17 characters.
    given = 3 * sum(-(-(17 + len(text)) // 4) for text in ("I was charged twice", "My parcel is late", "Hello"))
    cost = (given * 1000 + 9 * 7 * 2000) / 1e6
    assert last_line(ended.out) == (
        f"  would make 9 calls to openai/fake; estimated {given} tokens in (characters / 4), up to 63 out, "
        f"about ${cost:.4f}"
    )
    expected = priced.run("run", "--dry-run", "--json").data["suites"][0]["expected"]["openai/fake"]
    assert (expected["calls"], expected["input_tokens"], expected["output_tokens"]) == (9, given, 63)
    assert not server.received


def test_so_many_calls_and_the_same_command_goes_on(project: ProjectFolder, server: FakeOpenAI) -> None:
    ended = project.run("run", "--max-calls", "4", "--promote")
    assert ended.code == 4
    assert last_line(ended.out) == (
        "NO VERDICT: stopped at the budget: 4 of 4 calls are made; the same command resumes it"
    )
    assert len(server.received) == 4
    again = project.run("run", "--max-calls", "5")
    assert again.code == 0, again.out + again.err
    assert "4 of 9 attempts are recorded" in again.err
    assert len(server.received) == 9


def test_so_many_dollars(priced: ProjectFolder, server: FakeOpenAI) -> None:
    bounded(priced)
    ended = priced.run("run", "--max-cost", "$0.12")
    assert ended.code == 4
    assert "stopped at the budget: $0.1" in last_line(ended.out)
    spent = len(server.received) * PER_CALL
    assert 0.12 - 2 * PER_CALL < spent <= 0.12
    assert priced.run("run").code == 0
    assert len(server.received) == 9


def test_a_suite_bounds_its_own_cost(priced: ProjectFolder, server: FakeOpenAI) -> None:
    bounded(priced)
    priced.edit("suites/triage/suite.yaml", "{repeats: 3}", "{repeats: 3, max cost: $0.12}")
    assert priced.run("run").code == 4
    asked = len(server.received)
    assert 0 < asked < 9
    priced.edit("suites/triage/suite.yaml", "$0.12", "$9")
    ended = priced.run("run")
    assert ended.code == 0
    assert "resumes run" in ended.err, "the budget is no part of what is asked"
    assert len(server.received) == 9


def test_the_time_of_a_model_on_this_machine_is_money(project: ProjectFolder) -> None:
    # A second costs ten dollars, and each call takes at least a twentieth.
    project.write("promptbench.toml", 'python = ["suites/*/*.py"]\nmachine-price-per-hour = 36000\n')
    project.write("suites/triage/slow.py", "import time\ndef reply(case):\n    time.sleep(0.05)\n    return 'fine'\n")
    cases = "".join(f"  - case: c{number}\n    vars: {{n: {number}}}\n" for number in range(8))
    models = "models: [{model: 'python/slow.py:reply', judged: true}]"
    project.write("suites/triage/suite.yaml", f"suite: triage\n{models}\nchecks: [{{regex: fine}}]\ncases:\n{cases}")
    ended = project.run("run", "--max-cost", "$1.90")
    assert ended.code == 4
    assert "of $1.9 are spent, and the next call could cost $" in last_line(ended.out)
    with closing(sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")) as database:
        (calls,) = database.execute("SELECT count(*) FROM attempt").fetchone()
    assert 1 <= calls <= 3


def test_minutes(project: ProjectFolder, server: FakeOpenAI) -> None:
    ended = project.run("run", "--max-minutes", "0")
    assert ended.code == 4
    assert "the 0 minutes are over" in last_line(ended.out)
    assert not server.received


def test_a_bound_that_cannot_be_kept_is_refused(project: ProjectFolder, server: FakeOpenAI) -> None:
    ended = project.run("run", "--max-cost", "$2")
    assert ended.code == 2
    assert "the price of openai/fake is unknown, so a cost limit cannot be kept" in ended.err
    assert not server.received


@pytest.mark.parametrize("amount", ["much", "-1", "2€"])
def test_what_is_no_amount(project: ProjectFolder, amount: str) -> None:
    ended = project.run("run", f"--max-cost={amount}")
    assert ended.code == 2
    assert f"expected an amount of US dollars, got '{amount}'" in ended.err


def test_a_deployment_has_the_price_of_the_model_behind_it(
    project: ProjectFolder, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    project.write(
        "promptbench.toml",
        f'[providers.azure_openai]\nendpoint = "{server.base_url}"\ndeployments = {{ triage-prod = "gpt-4o" }}\n',
    )
    project.edit("suites/triage/suite.yaml", "openai/fake", "azure_openai/triage-prod")
    expected = project.run("run", "--dry-run", "--json").data["suites"][0]["expected"]["azure_openai/triage-prod"]
    assert expected["cost"] == pytest.approx((expected["input_tokens"] * 2.5 + expected["output_tokens"] * 10) / 1e6)
