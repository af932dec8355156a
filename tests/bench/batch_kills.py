"""Kill `promptbench run --batch` at random moments, and count how often each request was accepted.

    python -m tests.bench.batch_kills [--cases 1000] [--kills 20] [--provider openai]

Runs a suite of two prompts with three tries a case live and by batch, against the same server. Prints the verdicts,
whether both records are equal but for times, what both cost, and how many requests were accepted more than once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.helpers.fake_batches import FakeBatches
from tests.helpers.project import V1, V2

SUITE = """\
suite: triage
prompt: triage.better.prompt
models: [PROVIDER/fake]
checks: [json]
cases: cases.jsonl
gate: {repeats: 3}
"""
TEAMS = ("billing", "delivery", "other")
COLUMNS = "variant, model, case_name, repeat, outcome, answer_hash, rung, scores, error, input_tokens, output_tokens"


def team_of(number: int) -> str:
    return TEAMS[number % len(TEAMS)]


def script(body: dict[str, Any]) -> str:
    """Answer as the case wants; the plain prompt gets no JSON in one of ten cases."""
    texts = [json.dumps(body.get("system", "")), *(json.dumps(message["content"]) for message in body["messages"])]
    number = int(texts[-1].partition("number ")[2].partition(" ")[0])
    if len([text for text in texts if text != '""']) == 1 and number % 10 == 0:
        return "It is for the billing team, I think."
    return json.dumps({"team": team_of(number)})


def write_project(root: Path, server: FakeBatches, cases: int, provider: str) -> None:
    suite = root / "suites/triage"
    suite.mkdir(parents=True)
    (root / "prices.toml").write_text(f'["{provider}/fake"]\ninput = 1000\noutput = 2000\n')
    (root / "promptbench.toml").write_text(server.settings(provider, 'prices = "prices.toml"\nbatch-lines = 2000\n'))
    (suite / "suite.yaml").write_text(SUITE.replace("PROVIDER", provider))
    (suite / "triage.plain.prompt").write_text(V1)
    (suite / "triage.better.prompt").write_text(V2.replace("temperature: 0", "maxOutputTokens: 50"))
    lines = (
        {"case": f"case {n}", "vars": {"message": f"This is number {n} of all"}, "expect": {"team": team_of(n)}}
        for n in range(cases)
    )
    (suite / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def command(root: Path, *words: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "AZURE_OPENAI_API_KEY": "k"}
    return subprocess.Popen(
        [sys.executable, "-m", "promptbench", *words],
        cwd=root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed_run(root: Path, kills: int, most_seconds: float, seed: int = 1) -> tuple[int, str, int]:
    """Run by batch, kill it this often at random moments, and let it end. Return exit code, output and kills."""
    moments, done, before = random.Random(seed), 0, finished(root)
    while True:
        # A run that was killed after its verdict was recorded is over: the same command would make another one.
        words = ["run", "--batch"] if finished(root) == before else ["runs", "report"]
        process = command(root, *words, "--format", "evidence")
        if done < kills:
            try:
                process.wait(moments.uniform(0.0, most_seconds))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                done += 1
                continue
        out, err = process.communicate()
        assert process.returncode in (0, 1, 6), err
        return process.returncode, out, done


def finished(root: Path) -> int:
    """Return the number of runs with a verdict."""
    if not (root / ".promptbench/runs.sqlite").exists():
        return 0
    database = sqlite3.connect(root / ".promptbench/runs.sqlite")
    try:
        return len(database.execute("SELECT 1 FROM run WHERE finished NOTNULL").fetchall())
    except sqlite3.OperationalError:  # killed before the tables were made
        return 0
    finally:
        database.close()


def record(root: Path) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(root / ".promptbench/runs.sqlite")
    [(run, sentence)] = database.execute("SELECT id, sentence FROM run").fetchall()
    sql = f"SELECT {COLUMNS} FROM attempt WHERE run = ? ORDER BY variant, case_name, repeat"
    [(cost,)] = database.execute("SELECT sum(cost) FROM attempt WHERE run = ?", [run]).fetchall()
    return [(sentence, cost), *database.execute(sql, [run])]


def without_names(evidence: str) -> str:
    """Return evidence without the name of its run and the time at which it was made: all that may differ."""
    return re.sub(r'"run": "\d{8}-\d{6}-[0-9a-f]{4}"|"made": "[^"]*"', "", evidence)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=12.0, help="the longest time until a kill")
    parser.add_argument("--provider", default="openai")
    options = parser.parse_args()
    with FakeBatches(script, looks=3) as server, tempfile.TemporaryDirectory() as folder:
        # Two projects: a second run in the same one would count as the second look at the same candidate.
        single, root = Path(folder, "single"), Path(folder, "batch")
        write_project(single, server, options.cases, options.provider)
        adopted = command(single, "adopt", "suites/triage/triage.plain.prompt", "--reason", "in use")
        adopted.communicate()
        shutil.copytree(single, root)
        began = time.monotonic()
        process = command(single, "run", "--format", "evidence")
        live_out, err = process.communicate()
        assert process.returncode == 0, err
        live = record(single)
        took, calls = time.monotonic() - began, server.live
        _, out, kills = killed_run(root, options.kills, options.seconds)
        batched = record(root)
    twice = Counter(server.accepted.values())
    print(f"live:  {live[0][0]}\n       {calls:,} calls, ${live[0][1]:.4f}, {took:.0f} s")
    print(f"batch: {batched[0][0]}\n       {len(server.batches)} batches, ${batched[0][1]:.4f}, {kills} kills")
    print(f"requests accepted by how often: {dict(twice)}; live calls in the run by batch: {server.live - calls}")
    print(f"records equal but for times: {live[1:] == batched[1:]}; cost {batched[0][1] / live[0][1]:.3f} of live")
    print(f"evidence equal but for the run's name and time: {without_names(live_out) == without_names(out)}")


if __name__ == "__main__":
    main()
