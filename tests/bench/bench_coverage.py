"""How often the intervals of `promptbench bench` hold the truth: servers with latencies of known distributions.

    python -m tests.bench.bench_coverage [RUNS]

Each run measures some hundred calls to each of four models with Poisson arrivals, through providers, gateway and record
as a user does, over real HTTP to servers in processes of their own. The fourth one always takes the same time: what its
calls take besides, by their median, is the way there and back on this machine at this time, and is added to the truth
of the others. Exits 1 where the intervals of a quantile miss the truth in more than 10 % of the runs; those of the
deviation are told beside them.
"""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from promptbench.project import Project
from promptbench.workflows.judge.budgets import Spending
from promptbench.workflows.measure.bench import Arrivals, Load, MeasureOptions, measure
from promptbench.workflows.measure.bench_report import MeasuredModel
from tests.bench.busy_server import BusyServer, Manner

CALLS = 370
RATE = 30.0
STEPS = 1000
PROMISED = 0.9
EVEN = "even"
SECONDS = 1.0
"""The median of the distributions: so long that what the machine adds is little beside their intervals."""
_SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def _table(draws: Sequence[float]) -> list[float]:
    ordered = sorted(draws)
    return [ordered[round(step / STEPS * (len(ordered) - 1))] for step in range(STEPS + 1)]


def manners() -> dict[str, Manner]:
    """The servers. Tables of quantiles are in seconds."""
    random = Random(7)
    many = range(200_000)

    def normal(mean: float, deviation: float) -> float:
        return SECONDS * max(0.1, random.gauss(mean, deviation))

    tables = {
        "log-normal": _table([SECONDS * math.exp(random.gauss(0, 0.5)) for _ in many]),
        "bimodal": _table([normal(1, 0.15) if random.random() < 0.7 else normal(3, 0.4) for _ in many]),
        "stalls": _table([normal(1, 0.15) + 5 * SECONDS * (random.random() < 0.01) for _ in many]),
    }
    known = {name: Manner(quantiles=table, draw=draw) for draw, (name, table) in enumerate(tables.items())}
    return {**known, EVEN: Manner(latency=(SECONDS, SECONDS))}


def truth(manner: Manner) -> dict[str, float]:
    """The true figures in milliseconds, without the way."""
    evenly = [manner.delay((step + 0.5) / 50_000) * 1000 for step in range(50_000)]
    quantiles = {name: manner.delay(share) * 1000 for name, share in _SHARES.items()}
    return {**quantiles, "deviation": statistics.pstdev(evenly)}


def measured(folder: Path, models: Sequence[str], calls: int, seed: int) -> dict[str, MeasuredModel]:
    """One run: a prompt on the models of `promptbench.toml`."""
    names = tuple(f"openai_compatible/{name}/m" for name in models)
    load = Load(Arrivals.POISSON, rate=RATE)
    options = MeasureOptions(load=load, calls=calls, warm_up=0, models=names, seed=seed)
    workspace = Project.open(folder, environ={})
    measured, _ = measure(workspace, folder / "known.prompt", options, Spending(), lambda event: None)
    return dict(zip(models, measured.models, strict=True))


def held(model: MeasuredModel, true: dict[str, float], way: float) -> set[str]:
    """The figures whose interval has the true value in it."""
    found = set()
    for name, value in true.items():
        figure = getattr(model.latency, name)
        wanted = value if name == "deviation" else value + way
        if (figure.low is None or figure.low <= wanted) and (figure.high is None or wanted <= figure.high):
            found.add(name)
    return found


def main(runs: int) -> bool:
    servers = manners()
    known = {name: truth(manner) for name, manner in servers.items() if name != EVEN}
    hits: dict[str, Counter[str]] = {name: Counter() for name in known}
    ways = []
    # What else this machine does is no part of what is measured, by the servers neither.
    with contextlib.suppress(AttributeError, PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        (folder / "known.prompt").write_text("What is this?\n")
        tables = []
        for name, manner in servers.items():
            url = stack.enter_context(BusyServer(manner)).base_url
            tables.append(f'[providers.openai_compatible.servers.{name}]\nbase_url = "{url}"\nconcurrency = 1000\n')
        (folder / "promptbench.toml").write_text("".join(tables))
        measured(folder, list(servers), 5, 0)
        for seed in range(runs):
            found = measured(folder, list(servers), CALLS, seed)
            even = found[EVEN].latency
            assert even is not None
            ways.append(even.p50.value - SECONDS * 1000)
            for name, true in known.items():
                hits[name].update(held(found[name], true, ways[-1]))
            if (seed + 1) % 10 == 0 or seed + 1 == runs:
                _tell(seed + 1, hits, ways)
    return all(hits[name][figure] >= PROMISED * runs for name in known for figure in _SHARES)


def _tell(runs: int, hits: dict[str, Counter[str]], ways: Sequence[float]) -> None:
    print(f"{runs} runs, {CALLS} calls to each model, {RATE:g} a second: the 95 % intervals that hold the truth")
    print(f"the way took {statistics.median(ways):.1f} ms (median of the runs), {max(ways):.1f} ms at the most\n")
    print("| distribution | p50 | p90 | p95 | p99 | σ |\n|---|---:|---:|---:|---:|---:|")
    for name, counted in hits.items():
        print(f"| {name} | {' | '.join(f'{counted[figure] / runs:.0%}' for figure in (*_SHARES, 'deviation'))} |")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 100) else 1)
