"""Another model that answers while the suite's own is away: shown, on record, and no proof of anything."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI, Step, answer, error
from tests.helpers.project import ProjectFolder, better

OTHER = "openai_compatible/other/m"


@pytest.fixture
def other() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(lambda body: answer(better(body), model="other-1")) as running:
        yield running


@pytest.fixture
def covered(project: ProjectFolder, other: FakeOpenAI) -> ProjectFolder:
    """A project whose model has a fallback, and is disabled for this run at once."""
    project.edit("promptbench.toml", "[providers", "outage-minutes = 0\nretries = 1\nconcurrency = 1\n[providers")
    settings = (project.root / "promptbench.toml").read_text()
    place = f'[providers.openai_compatible.servers.other]\nbase_url = "{other.base_url}"\n'
    project.write("promptbench.toml", settings + place)
    project.edit(
        "suites/triage/suite.yaml", "models: [openai/fake]", f"models: [{{model: openai/fake, fallback: {OTHER}}}]"
    )
    project.adopt()
    return project


def query(project: ProjectFolder, sql: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


def away_after(server: FakeOpenAI, count: int) -> None:
    def script(body: dict[str, Any]) -> str | Step:
        return better(body) if len(server.received) <= count else error(503, "no")

    server.script = script


@pytest.mark.slow
def test_its_answers_are_on_record_and_prove_nothing(
    covered: ProjectFolder, server: FakeOpenAI, other: FakeOpenAI
) -> None:
    away_after(server, 6)
    ended = covered.run("run", "--promote")
    assert ended.code == 4, ended.out + ended.err
    assert "openai/fake is disabled for this run: " in ended.err
    assert f"calling {OTHER} instead of openai/fake; its answers are shown and prove nothing" in ended.err
    assert ended.err.count("instead of") == 1
    ((by_other,),) = query(covered, "SELECT count(*) FROM attempt WHERE fallback NOTNULL")
    assert by_other == len(other.received) > 6
    assert f"openai/fake: {by_other} of 18 answers by {OTHER} in its place; they prove nothing" in ended.out
    assert ended.out.rstrip("\n").splitlines()[-1].startswith("NO VERDICT: ")
    assert query(
        covered, "SELECT DISTINCT outcome, fallback, model_returned, model FROM attempt WHERE fallback NOTNULL"
    ) == [("errored", OTHER, "other-1", "openai/fake")]
    assert query(covered, "SELECT count(*) FROM recording")[0][0] <= 6, "no answer of the model itself"
    assert "production @1" in covered.run("prompts", "list").out


@pytest.mark.slow
def test_the_same_command_asks_the_model_itself_again(
    covered: ProjectFolder, server: FakeOpenAI, other: FakeOpenAI
) -> None:
    away_after(server, 6)
    covered.run("run")
    kept = query(covered, "SELECT count(*) FROM attempt WHERE fallback IS NULL AND outcome != 'errored'")[0][0]
    asked, by_other = len(server.received), len(other.received)
    server.script = better
    ended = covered.run("run", "--promote")
    assert ended.code == 0, ended.out + ended.err
    assert f"{kept} of 18 attempts are recorded" in ended.err
    assert len(server.received) - asked == 2 * (15 + 15 + 3) - kept
    assert len(other.received) == by_other
    assert query(covered, "SELECT count(*) FROM attempt WHERE fallback NOTNULL") == [(0,)]
    proof = covered.run("prompts", "show", "triage", "--evidence", "--json").data["evidence"]
    assert proof["suites"][0]["models"][0]["returned"] == ["fake-1"]


@pytest.mark.slow
def test_what_it_has_answered_it_is_not_asked_again(
    covered: ProjectFolder, server: FakeOpenAI, other: FakeOpenAI
) -> None:
    away_after(server, 6)
    covered.run("run")
    by_other = len(other.received)
    report = covered.run("run", "--json").data["runs"][0]
    assert report["result"] == "NO VERDICT"
    assert any(f"answers by {OTHER} in its place" in line for line in report["errors"])
    # Those that got no answer of anybody in the first run may be asked now; no question twice.
    assert len(other.received) == query(covered, "SELECT count(*) FROM attempt WHERE fallback NOTNULL")[0][0]
    assert len(other.received) - by_other <= 5


@pytest.mark.slow
def test_a_fallback_may_be_added_when_the_outage_has_begun(
    covered: ProjectFolder, server: FakeOpenAI, other: FakeOpenAI
) -> None:
    covered.edit("suites/triage/suite.yaml", f", fallback: {OTHER}", "")
    away_after(server, 6)
    assert covered.run("run").code == 4
    assert not other.received
    covered.edit("suites/triage/suite.yaml", "{model: openai/fake", f"{{model: openai/fake, fallback: {OTHER}")
    ended = covered.run("run")
    assert "resumes run" in ended.err
    assert f"answers by {OTHER} in its place" in ended.out


def test_its_answers_enter_no_figure(covered: ProjectFolder, server: FakeOpenAI) -> None:
    away_after(server, 6)
    for row in covered.run("run", "--json").data["runs"][0]["rows"]:
        assert row["attempts"] + row["errored"] <= 9
        assert row["attempts"] <= 6


@pytest.mark.slow
def test_without_the_fallback_too_nobody_answers(covered: ProjectFolder, server: FakeOpenAI, other: FakeOpenAI) -> None:
    away_after(server, 6)
    other.script = lambda body: error(401, "no")
    ended = covered.run("run")
    assert ended.code == 4
    assert "openai/fake is disabled for this run" in ended.err
    assert f"{OTHER} is disabled for this run" in ended.err
    assert len(other.received) == 1
    assert query(covered, "SELECT count(*) FROM attempt WHERE fallback NOTNULL") == [(0,)]


def test_a_model_that_answers_needs_no_other(covered: ProjectFolder, other: FakeOpenAI) -> None:
    assert covered.run("run", "--promote").code == 0
    assert not other.received


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("openai/fake", "openai/fake cannot be its own fallback"),
        ("fake", "'fake' is not a model"),
        ("nobody/m", "unknown provider 'nobody'"),
        ("anthropic/claude-haiku-4-5", "ANTHROPIC_API_KEY"),
        ("openai_compatible/othr/m", "othr"),
    ],
)
def test_a_wrong_fallback_is_told_before_any_call(
    covered: ProjectFolder, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, written: str, message: str
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    covered.edit("suites/triage/suite.yaml", f"fallback: {OTHER}", f"fallback: {written}")
    ended = covered.run("run")
    assert ended.code == 2
    assert message in ended.err
    assert "suites/triage/suite.yaml:3:41: " in ended.err
    assert not server.received


def test_a_word_that_the_fallback_does_not_take_is_told(
    covered: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-0123456789")
    covered.edit("suites/triage/suite.yaml", f"fallback: {OTHER}", "fallback: anthropic/claude-haiku-4-5")
    ended = covered.run("validate")
    assert ended.code == 2
    assert "anthropic/claude-haiku-4-5 does not take 'temperature'" in ended.out


def test_a_bound_on_the_cost_needs_its_price_too(covered: ProjectFolder) -> None:
    covered.edit("promptbench.toml", "outage-minutes", 'prices = "prices.toml"\noutage-minutes')
    covered.write("prices.toml", '["openai/fake"]\ninput = 1\noutput = 2\n')
    ended = covered.run("run", "--max-cost", "$2")
    assert ended.code == 2
    assert f"the price of {OTHER} is unknown" in ended.err
    assert json.loads(covered.run("run", "--dry-run", "--json").out)["suites"]
