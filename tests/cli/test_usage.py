"""`promptbench runs usage`: calls, tokens and costs, those of judges apart."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime
from typing import Any

from tests.helpers.fake_openai import FakeOpenAI, Step, error
from tests.helpers.judging import FOLDER, JUDGE
from tests.helpers.project import ProjectFolder, better

TODAY = datetime.now(UTC).date().isoformat()


def usage(project: ProjectFolder, *words: str) -> list[dict[str, Any]]:
    ended = project.run("runs", "usage", *words, "--json")
    assert ended.code == 0, ended.err
    return list(ended.data["usage"])


def test_every_call_counts_once_failed_ones_too(project: ProjectFolder, server: FakeOpenAI) -> None:
    assert project.run("runs", "usage").out == "no call is on record\n"
    project.adopt()

    def script(body: dict[str, Any]) -> str | Step:
        return error(400, "no") if len(server.received) == 2 else better(body)

    server.script = script
    project.run("run", "-q")
    project.run("run", "-q")
    made = len(server.received)
    project.run("runs", "rescore")  # Its attempts are copies.
    project.run("compare", "triage@production", "suites/triage/triage.better.prompt", "-q")
    [item] = usage(project)
    assert (item["group"] >= TODAY, item["judge"], item["calls"], item["failed"]) == (True, False, made, 1)
    assert (item["input_tokens"], item["output_tokens"]) == (11 * (made - 1), 7 * (made - 1))
    assert (item["cost"], item["unpriced"], item["uncounted"]) == (None, made - 1, 0)
    for by, name in (("model", "openai/fake"), ("suite", "triage"), ("prompt", "triage")):
        assert usage(project, "--by", by) == [{**item, "group": name}]
    assert usage(project, "--since", "2100-01-01") == usage(project, "--by", "judge") == []
    shown = project.run("runs", "usage", "--by", "model", "--since", "1h").out.splitlines()
    assert shown[0].split() == ["model", "called", "calls", "failed", "tokens", "in", "out", "cached", "cost"]
    assert shown[1].split()[:4] == ["openai/fake", "model", str(made), "1"]
    assert shown[-1] == f"{made} calls to models (unknown)"
    ended = project.run("runs", "usage", "--since", "soon")
    assert (ended.code, "--since: expected a time, got 'soon'" in ended.err) == (2, True)


def test_judges_are_apart_and_unknown_costs_are_said(support: ProjectFolder, server: FakeOpenAI) -> None:
    support.edit("promptbench.toml", "[providers", 'prices = "prices.toml"\n[providers')
    support.write("prices.toml", f'["{JUDGE}"]\ninput = 1000\noutput = 0\n')
    support.run("run", FOLDER, "-q")
    with contextlib.closing(sqlite3.connect(support.root / ".promptbench" / "runs.sqlite")) as record, record:
        record.execute("UPDATE judging SET cost = NULL WHERE request_hash = (SELECT min(request_hash) FROM judging)")
    models, judges = usage(support, "--by", "suite")
    assert (models["judge"], judges["judge"]) == (False, True)
    assert models["calls"] + judges["calls"] == len(server.received)
    assert (models["cost"], models["unpriced"]) == (None, models["calls"])
    assert (judges["unpriced"], judges["cost"] > 0) == (1, True)
    assert usage(support, "--by", "judge") == [{**judges, "group": JUDGE}]
    shown = support.run("runs", "usage", "--by", "judge").out.splitlines()
    assert "+ 1 unknown" in shown[1]
