"""Where a run's time went, as its report tells it: a real server, the real SDK."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI, Step, answer
from tests.helpers.project import ProjectFolder, better


def rows(project: ProjectFolder, *words: str) -> list[dict[str, Any]]:
    (report,) = project.run("run", "--json", *words).data["runs"]
    return list(report["rows"])


def test_the_parts_of_a_call_are_in_the_report(project: ProjectFolder, server: FakeOpenAI) -> None:
    def late(body: dict[str, Any]) -> Step:
        return answer(better(body), delay=0.05)

    server.script = late
    (row,) = rows(project)
    assert (row["timed"], row["few"]) == (9, True)
    assert 49 <= row["first_byte_p50_ms"] <= row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
    assert row["deviation_ms"] >= 0
    # The server counts 11 tokens in and 7 out for every answer.
    assert [(size["least"], size["most"], size["calls"]) for size in row["by_input_tokens"]] == [(0, 15, 9)]
    assert [(size["least"], size["most"], size["calls"]) for size in row["by_output_tokens"]] == [(0, 15, 9)]


@pytest.mark.slow
def test_a_queue_that_takes_longer_than_the_model_is_seen_at_once(project: ProjectFolder) -> None:
    limit = '[limits."openai/fake"]\nrequests-per-minute = 300\n'
    project.write("promptbench.toml", (project.root / "promptbench.toml").read_text() + limit)
    ended = project.run("run", "-v")
    text = " ".join(ended.out.split())
    assert "queue p99" in text
    assert "openai/fake: waiting in the queue took longer than the model: p99 queue 1." in text
    assert "most of it for a rate limit: raise it, or make fewer calls" in text


def test_answers_that_were_kept_have_no_times(project: ProjectFolder, server: FakeOpenAI) -> None:
    assert rows(project)[0]["timed"] == 9
    asked = len(server.received)
    project.edit("suites/triage/suite.yaml", "models: [openai/fake]", "models: [recorded/openai/fake]")
    (row,) = rows(project)
    assert len(server.received) == asked
    assert (row["attempts"], row["timed"], row["p50_ms"], row["queue_p50_ms"]) == (9, 0, None, None)
    assert row["by_output_tokens"] == []
    shown = project.run("run").out
    assert "latency" not in shown
