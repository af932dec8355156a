"""Rate limits at full scale, through the command line. `python -m tests.bench.limits`

A server that announces its limit of requests answers 429 with `retry-after` to 10 % of the calls and 500 to 2 %. The
floor is the time that the limit itself takes: cases / limit.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import project
from tests.bench.busy_server import BusyServer, Call, Manner


@dataclass(frozen=True)
class Figures:
    """What became of a run. `most` is the number of calls that arrived in the fullest second, `seconds` the time from
    the first call to the last answer, `whole` that of the command.
    """

    code: int
    lost: int
    asked_after_success: int
    calls: int
    most: int
    seconds: float
    whole: float


def most_in_a_second(times: Sequence[float]) -> int:
    """The most of the sorted `times` that any window of one second holds."""
    most = first = 0
    for index, moment in enumerate(times):
        while times[first] <= moment - 1.0:
            first += 1
        most = max(most, index - first + 1)
    return most


def asked_after_success(calls: Sequence[Call]) -> int:
    """How many calls asked for a case that an earlier call had been answered for."""
    answered: dict[int, float] = {}
    again = 0
    for call in calls:
        again += call.arrived > answered.get(call.case, float("inf"))
        if call.status == 200 and call.sent is not None:
            answered.setdefault(call.case, call.sent)
    return again


def measure(root: Path, manner: Manner, cases: int, settings: str = "") -> Figures:
    """Runs a suite of so many cases against a server of that manner."""
    with BusyServer(manner) as server:
        project.write(root, server.base_url, cases, settings)
        began = time.monotonic()
        process = project.start(root, "run", "--quiet")
        _, said = process.communicate()
        whole = time.monotonic() - began
        calls = server.calls()
    if not calls:
        raise SystemExit(said)
    with sqlite3.connect(root / ".promptbench" / "runs.sqlite") as record:
        query = "SELECT count(*) FROM attempt WHERE outcome = 'passed'"
        passed = record.execute(query).fetchone()[0]
    record.close()
    last = max(call.sent for call in calls if call.sent is not None)
    return Figures(
        process.returncode,
        cases - passed,
        asked_after_success(calls),
        len(calls),
        most_in_a_second([call.arrived for call in calls]),
        last - calls[0].arrived,
        whole,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--per-minute", type=int, default=3000)
    options = parser.parse_args()
    floor = options.cases * 60 / options.per_minute
    configured = f"limits.openai_compatible.requests-per-minute = {options.per_minute}"
    print(f"{options.cases} cases, {options.per_minute / 60:g} calls a second allowed, floor {floor:.1f} s\n")
    print("| failures | limit known from | exit | lost | asked after success | calls | most in 1 s | time / floor |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    for first_try_only in (True, False):
        for settings in ("", configured):
            manner = Manner((0.05, 0.15), 0.10, 0.02, first_try_only=first_try_only, per_minute=options.per_minute)
            with tempfile.TemporaryDirectory() as folder:
                got = measure(Path(folder), manner, options.cases, settings)
            name = "of the first try" if first_try_only else "of any try"
            known = "settings" if settings else "headers"
            print(
                f"| {name} | {known} | {got.code} | {got.lost} | {got.asked_after_success} | {got.calls} "
                f"| {got.most} | {got.seconds / floor:.2f} (whole command {got.whole / floor:.2f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
