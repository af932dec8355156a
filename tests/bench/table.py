"""Every line of the table of speed in one run, beside its floor. `python -m tests.bench.table [--scale 1.0]`

[--server PROGRAM] [--only LINE …]

`--scale` multiplies all numbers of calls. Times are CPU seconds (user + system) of whole processes, so that another
process on the machine changes them less than the clock's; wall time is in the line that is about it. Of two sides the
ratio counts. PROGRAM is as in `tests.bench.overhead`, and so is promptfoo as a third side.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import importing
from tests.bench.overhead import (
    AT_ONCE,
    LATENCY,
    OURS,
    PEER,
    Cost,
    measure,
    serving,
    sides,
    take_turns,
    write_project,
)

_ROOT = Path(__file__).parents[2]
# As installed by pip: with compiled files, which another environment variable may forbid.
ENV = {**os.environ, "PYTHONPATH": str(_ROOT), "OPENAI_API_KEY": "none", "PYTHONDONTWRITEBYTECODE": ""}
ENV["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "promptbench-bytecode")
_QUICK = (["--help"], ["prompts", "list"], ["runs", "list"], ["runs", "usage"], ["validate"])


def used(command: list[str], folder: Path) -> tuple[float, float]:
    """CPU seconds and MiB at the peak of a process; its exit code must be 0 or 1."""
    process = subprocess.Popen(command, cwd=folder, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 1), command
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def promptbench(*words: str) -> list[str]:
    return [sys.executable, "-m", "promptbench", *words]


def quick(folder: Path, scale: float, program: Path | None) -> Iterator[str]:
    root = write_project(folder / "quick", 10)
    tool = [str(Path(sys.executable).with_name("sqlite-utils")), "--help"]
    for words in _QUICK:
        used(promptbench(*words), root), used(tool, root)  # compile
        pairs = [(used(promptbench(*words), root)[0], used(tool, root)[0]) for _ in range(9)]
        seconds = statistics.median(ours for ours, _ in pairs)
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        yield f"{' '.join(words)}: {seconds:.2f} s, {ratio:.2f} x sqlite-utils"


def cpu(folder: Path, scale: float, program: Path | None) -> Iterator[str]:
    count = max(100, int(2000 * scale))
    whole, one = take_turns(sides(), 3, program, 0.0, count), take_turns(sides(), 3, program, 0.0, 1)
    net = {side: (_median(whole[side]) - _median(one[side])) / (count - 1) for side in whole}
    yield f"CPU a call, net of start: {net[OURS] * 1000:.2f} ms, {net[OURS] / net['sdk']:.2f} x the SDK"
    if PEER in net:
        yield f"{PEER}: {net[PEER] * 1000:.2f} ms, {net[PEER] / net['sdk']:.2f} x the SDK"


def wall(folder: Path, scale: float, program: Path | None) -> Iterator[str]:
    count = max(AT_ONCE, int(1000 * scale))
    found = take_turns(sides(), 3, program, LATENCY, count)
    seconds = {side: statistics.median(cost.wall for cost in costs) for side, costs in found.items()}
    ideal = count / AT_ONCE * LATENCY
    ratio = seconds[OURS] / seconds["sdk"]
    yield f"{count} calls at 200 ms x {AT_ONCE}, ideal {ideal:.1f} s: {seconds[OURS]:.1f} s, {ratio:.2f} x the SDK"
    if PEER in seconds:
        yield f"{PEER}: {seconds[PEER]:.1f} s, {seconds[PEER] / seconds['sdk']:.2f} x the SDK"


def memory(folder: Path, scale: float, program: Path | None) -> Iterator[str]:
    with serving(program, 0.0) as server:
        for kind, count in (("YAML", int(10_000 * scale)), ("JSONL", int(100_000 * scale))):
            root = write_project(folder / kind, count, server.base_url, lines=kind == "JSONL")
            used_by = used(promptbench("run", "--quiet"), root)
            yield f"{count:,} {kind} cases: {used_by[1]:.0f} MiB at the peak"
        for side in sides()[1:]:
            count = 100 if side == "sdk" else int(10_000 * scale)
            yield f"{side} with {count:,} cases: {measure(side, server, count, folder).memory:.0f} MiB"


def size(folder: Path, scale: float, program: Path | None) -> Iterator[str]:
    with serving(program, 0.0) as server:
        root = write_project(folder / "small", int(10_000 * scale), server.base_url)
        used(promptbench("run", "--quiet"), root)
        yield f"runs.sqlite, small answers: {size_of(root) / int(10_000 * scale) / 1000:.2f} KB a call"


def record(folder: Path, scale: float, program: Path | None) -> Iterator[str]:
    root, count = folder / "record", int(100_000 * scale)
    root.mkdir()
    used([sys.executable, "-m", "tests.bench.rescoring", "--side", "prepare", str(count), "--repeats", "3"], root)
    documents = (root / "documents.jsonl").stat().st_size / count
    yield f"runs.sqlite, answers of {documents / 1000:.1f} KB: {size_of(root) / count / 1000:.2f} KB a call"
    for words in (["runs", "report"], ["runs", "gate"], ["runs", "usage"], ["runs", "rescore"]):
        seconds, most = used(promptbench(*words), root)
        yield f"{' '.join(words)} on {count:,} calls: {seconds:.1f} s, {most:.0f} MiB"


def logs(folder: Path, scale: float, program: Path | None) -> Iterator[str]:
    # The prompt of the logged calls is called triage.
    root, count = write_project(folder / "logs", 1, prompt="triage"), int(100_000 * scale)
    importing.write(root / "log.jsonl", count)
    floor = importing.bare(root / "log.jsonl")
    for words in (
        ["import", "log.jsonl"],
        ["import", "log.jsonl"],
        ["failures"],
        ["replay", "suites/load", "--log", "log.jsonl"],
    ):
        began = time.perf_counter()
        seconds, most = used(promptbench(*words), root)
        waited = time.perf_counter() - began
        yield (
            f"{' '.join(words)} of {count:,}: {waited:.1f} s, {waited / floor:.1f} x the floor; "
            f"CPU {seconds:.1f} s; {most:.0f} MiB"
        )


LINES: dict[str, Callable[[Path, float, Path | None], Iterator[str]]] = {
    line.__name__: line for line in (quick, cpu, wall, memory, size, record, logs)
}


def _median(costs: list[Cost]) -> float:
    return statistics.median(cost.cpu for cost in costs)


def size_of(root: Path) -> int:
    return sum(file.stat().st_size for file in (root / ".promptbench").glob("runs.sqlite*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--server", type=Path, metavar="PROGRAM")
    parser.add_argument("--only", nargs="+", choices=LINES, default=list(LINES))
    options = parser.parse_args()
    os.environ.setdefault("OPENAI_API_KEY", "none")
    program = options.server.resolve() if options.server else None
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            for line in LINES[name](Path(folder), options.scale, program):
                print(line, flush=True)


if __name__ == "__main__":
    main()
