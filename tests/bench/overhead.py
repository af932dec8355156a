"""What promptbench costs beside the bare OpenAI SDK. `python -m tests.bench.overhead [--server PROGRAM] [--threads]`

Two measurements, both against a server on loopback, with the sides taking turns and each run in a process of its own:
CPU time for an attempt at a server that answers at once, and wall time at one that takes 200 ms, 50 requests at once.
CPU time is user + system of the whole process; `net` leaves out what a process with one attempt needs (start-up, suite,
report), so it is what one attempt more costs. `asking` is from the first request's arrival to the last answer, as the
server sees it. The ideal is requests / 50 × latency.

With `--only interrupt`: the seconds from ^C to the end of the bare SDK, in asyncio and in threads, while 50 calls wait.
For promptbench there is tests.bench.interrupt.

PROGRAM is a faster server than the one in Python that is used without it. It takes `--port` and `--latency-ms`, answers
any POST with a chat completion whose text is a flat JSON object, and `GET /stats` and `GET /reset` with JSON that has
`span_s`, the seconds from the first request to the last. Written in C it is built by `cc -O2 -o PROGRAM FILE.c`.

Where the environment has PROMPTFOO, the command of promptfoo (`node …/promptfoo/dist/src/main.js`), it is a side too,
with the same cases, messages and assertions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.busy_server import BusyServer, Manner

AT_ONCE = 50
LATENCY = 0.2
NOWHERE = "http://127.0.0.1:9/v1"
ROOT = Path(__file__).parents[2]
PROMPT = """\
---
config: {temperature: 0}
output: {schema: {type: object, additionalProperties: {type: [string, number]}}}
---
{{role "system"}}
Answer with one JSON object.
{{role "user"}}
{{message}}
"""
SUITE = """\
suite: load
prompt: load.prompt
models: [openai/gpt-4o-mini]
checks: [json, json schema: output, contains: '"']
gate: {repeats: 1}
cases:
"""
# The same for promptfoo, whose schema is an assertion.
CONFIG = """\
prompts: [file://messages.json]
providers:
  - id: openai:chat:gpt-4o-mini
    config: {{apiBaseUrl: {base_url}, apiKey: none, temperature: 0}}
defaultTest:
  assert:
    - {{type: is-json, value: {{type: object, additionalProperties: {{type: [string, number]}}}}}}
    - {{type: contains, value: '"'}}
tests:
"""
TEST = "  - {{vars: {{message: 'case-{n} is about a parcel that came late.'}}}}\n"
CASE = "  - {{case: case-{n}, vars: {{message: 'case-{n} is about a parcel that came late.'}}}}\n"


def question(number: int) -> list[dict[str, str]]:
    """The messages of a case, as the suite has them."""
    return [
        {"role": "system", "content": "Answer with one JSON object."},
        {"role": "user", "content": f"case-{number} is about a parcel that came late."},
    ]


class Server:
    """Where to ask, and how long the last side asked, in seconds as the server saw it."""

    def __init__(self, base_url: str, asked: Callable[[], float]) -> None:
        self.base_url = base_url
        self.asked = asked


@contextmanager
def serving(program: Path | None, latency: float) -> Iterator[Server]:
    if program is None:
        with BusyServer(Manner((latency, latency))) as busy:
            seen = 0

            def asked() -> float:
                nonlocal seen
                calls = busy.calls(seen)
                seen += len(calls)
                return max(call.sent or 0.0 for call in calls) - calls[0].arrived

            yield Server(busy.base_url, asked)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--latency-ms", f"{latency * 1000:.0f}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_port(port)
        yield Server(f"http://127.0.0.1:{port}/v1", lambda: _span(port) + latency)
    finally:
        process.kill()
        process.wait()


def _await_port(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server does not listen")


def _span(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as response:
        span = float(json.load(response)["span_s"])
    urllib.request.urlopen(f"http://127.0.0.1:{port}/reset").close()
    return span


# -- the sides -------------------------------------------------------------------------------------------------------


async def ask_by_sdk(base_url: str, count: int, *, aiohttp: bool) -> None:
    """The bare SDK in asyncio: as many tasks as are asked at once, each with the next question."""
    from openai import AsyncOpenAI, DefaultAioHttpClient

    client = AsyncOpenAI(base_url=base_url, api_key="k", http_client=DefaultAioHttpClient() if aiohttp else None)
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            reply = await client.chat.completions.create(model="gpt-4o-mini", messages=question(number))  # type: ignore[arg-type]
            assert reply.choices[0].message.content

    async with client:
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def ask_by_threads(base_url: str, count: int) -> None:
    """The bare SDK in as many daemon threads."""
    from openai import OpenAI

    client = OpenAI(base_url=base_url, api_key="k")
    numbers = iter(range(count))

    def work() -> None:
        for number in numbers:
            reply = client.chat.completions.create(model="gpt-4o-mini", messages=question(number))  # type: ignore[arg-type]
            assert reply.choices[0].message.content

    threads = [threading.Thread(target=work, daemon=True) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ask_by_pool(base_url: str, count: int) -> None:
    """The bare SDK in a pool of threads, which Python joins at its end."""
    from openai import OpenAI

    client = OpenAI(base_url=base_url, api_key="k")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(count):
            pool.submit(client.chat.completions.create, model="gpt-4o-mini", messages=question(number))  # type: ignore[arg-type]


SIDES: dict[str, Callable[[str, int], None]] = {
    "sdk": lambda url, count: asyncio.run(ask_by_sdk(url, count, aiohttp=False)),
    "sdk-aiohttp": lambda url, count: asyncio.run(ask_by_sdk(url, count, aiohttp=True)),
    "sdk-threads": ask_by_threads,
    "sdk-pool": ask_by_pool,
}
OURS = "promptbench"
PEER = "promptfoo"
SHOWN = {
    PEER: "promptfoo eval",
    OURS: "promptbench run",
    "sdk": "AsyncOpenAI",
    "sdk-aiohttp": "AsyncOpenAI on aiohttp",
    "sdk-threads": f"OpenAI in {AT_ONCE} daemon threads",
    "sdk-pool": f"OpenAI in a pool of {AT_ONCE} threads",
}


def write_project(
    root: Path, cases: int, base_url: str = NOWHERE, *, lines: bool = False, prompt: str = "load", peer: bool = False
) -> Path:
    """Write a project whose suite has as many cases, in a file of their own with `lines`; with `peer` for both sides.

    Returns:
        The root of the project.
    """
    folder = root / "suites" / "load"
    folder.mkdir(parents=True)
    (root / "promptbench.toml").write_text(f'[providers.openai]\nbase_url = "{base_url}"\n', encoding="utf-8")
    (folder / f"{prompt}.prompt").write_text(PROMPT, encoding="utf-8")
    text = SUITE.replace("load.prompt", f"{prompt}.prompt")
    if lines:
        text = text.replace("cases:\n", "cases: cases.jsonl\n")
        with (folder / "cases.jsonl").open("w", encoding="utf-8") as file:
            for number in range(cases):
                message = question(number)[1]["content"]
                file.write(json.dumps({"case": f"case-{number}", "vars": {"message": message}}) + "\n")
    else:
        text += "".join(CASE.format(n=number) for number in range(cases))
    (folder / "suite.yaml").write_text(text, encoding="utf-8")
    if peer:
        messages = [question(0)[0], {"role": "user", "content": "{{message}}"}]
        (root / "messages.json").write_text(json.dumps(messages), encoding="utf-8")
        text = CONFIG.format(base_url=base_url) + "".join(TEST.format(n=number) for number in range(cases))
        (root / "promptfooconfig.yaml").write_text(text, encoding="utf-8")
    return root


# -- measuring -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """Of one process: CPU and wall time in seconds, the most memory in MB, and the seconds of `asking`."""

    cpu: float
    wall: float
    memory: float
    asking: float


def measure(side: str, server: Server, count: int, folder: Path) -> Cost:
    """Runs a side once in a new process. Its project is made before, once for each number of cases."""
    root = folder / str(count)
    if not root.exists():
        write_project(root, count, server.base_url, peer=PEER in sides())
    words = [sys.executable, "-m", "tests.bench.overhead", "--side", side, server.base_url, str(count)]
    if side == OURS:
        words = [sys.executable, "-m", "promptbench", "run", "--quiet"]
    elif side == PEER:
        words = [*shlex.split(os.environ["PROMPTFOO"]), "eval", "-j", str(AT_ONCE), "--no-cache", "--no-table"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PROMPTFOO_CONFIG_DIR": str(folder / PEER)}
    environ |= {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1"}
    began = time.perf_counter()
    process = subprocess.Popen(
        words,
        cwd=root if side in (OURS, PEER) else ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if side == PEER else None,
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{side} ended with {process.returncode}")
    # Linux counts kilobytes, macOS bytes.
    memory = used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return Cost(used.ru_utime + used.ru_stime, wall, memory, server.asked())


Costs = dict[str, list[Cost]]


def sides() -> list[str]:
    """promptbench, the SDK, and promptfoo where the environment says how it is called."""
    return [OURS, "sdk", *([PEER] if "PROMPTFOO" in os.environ else [])]


def take_turns(sides: list[str], rounds: int, program: Path | None, latency: float, count: int) -> Costs:
    """A B A B …, after one run of each that does not count: it fills caches and makes the databases."""
    found: Costs = {side: [] for side in sides}
    with serving(program, latency) as server, tempfile.TemporaryDirectory() as name:
        for turn in range(rounds + 1):
            for side in sides:
                cost = measure(side, server, count, Path(name))
                if turn:
                    found[side].append(cost)
    return found


def median(costs: list[Cost], part: Callable[[Cost], float]) -> float:
    return statistics.median(part(cost) for cost in costs)


def ratio(ours: list[Cost], theirs: list[Cost], part: Callable[[Cost], float]) -> float:
    """The median of the ratios of runs that stood next to each other, so that a busy moment counts for both."""
    return statistics.median(part(one) / part(other) for one, other in zip(ours, theirs, strict=True))


def print_cpu(sides: list[str], rounds: int, program: Path | None, count: int) -> None:
    whole = take_turns(sides, rounds, program, 0.0, count)
    one = take_turns(sides, rounds, program, 0.0, 1)
    net = {side: (median(whole[side], _cpu) - median(one[side], _cpu)) / (count - 1) for side in sides}
    print(f"{count} attempts at 0 ms, {AT_ONCE} at once; medians of {rounds}\n")
    print("| side | CPU / attempt | to the SDK's | net | to the SDK's | wall | peak memory |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for side in sides:
        print(
            f"| {SHOWN[side]} | {median(whole[side], _cpu) / count * 1000:.2f} ms "
            f"| {ratio(whole[side], whole['sdk'], _cpu):.2f} | {net[side] * 1000:.2f} ms "
            f"| {net[side] / net['sdk']:.2f} | {median(whole[side], _wall):.2f} s "
            f"| {median(whole[side], lambda cost: cost.memory):.0f} MB |"
        )


def print_wall(sides: list[str], rounds: int, program: Path | None, count: int) -> None:
    ideal = count / AT_ONCE * LATENCY
    found = take_turns(sides, rounds, program, LATENCY, count)
    print(
        f"\n{count} attempts at {LATENCY * 1000:.0f} ms, {AT_ONCE} at once, ideal {ideal:.1f} s; medians of {rounds}\n"
    )
    print("| side | command / ideal | asking / ideal | best | rest | CPU |\n|---|--:|--:|--:|--:|--:|")
    for side in sides:
        costs = found[side]
        print(
            f"| {SHOWN[side]} | {median(costs, _wall) / ideal:.2f} | {median(costs, _asking) / ideal:.2f} "
            f"| {min(map(_wall, costs)) / ideal:.2f}, {min(map(_asking, costs)) / ideal:.2f} "
            f"| {median(costs, lambda cost: cost.wall - cost.asking):.2f} s | {median(costs, _cpu):.2f} s |"
        )


def print_interrupt() -> None:
    """Answers would come after 20 s, so that who waits for them is seen to wait."""
    print("| side | seconds from ^C to the end |\n|---|--:|")
    for side in ("sdk-aiohttp", "sdk-threads", "sdk-pool"):
        with BusyServer(Manner((20.0, 20.0))) as server:
            words = [sys.executable, "-m", "tests.bench.overhead", "--side", side, server.base_url, str(AT_ONCE)]
            process = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL)
            while len(server.calls()) < AT_ONCE:
                time.sleep(0.1)
            began = time.perf_counter()
            process.send_signal(signal.SIGINT)
            process.wait()
            print(f"| {SHOWN[side]} | {time.perf_counter() - began:.1f} |", flush=True)


def _cpu(cost: Cost) -> float:
    return cost.cpu


def _wall(cost: Cost) -> float:
    return cost.wall


def _asking(cost: Cost) -> float:
    return cost.asking


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=Path, metavar="PROGRAM")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--attempts", type=int, default=2000, help="at 0 ms; half as many at 200 ms")
    parser.add_argument("--threads", action="store_true", help="also the SDK in threads")
    parser.add_argument("--only", choices=("cpu", "wall", "interrupt"))
    parser.add_argument("--side", nargs=3, metavar=("SIDE", "URL", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        side, url, count = options.side
        SIDES[side](url, int(count))
        return
    if options.only == "interrupt":
        print_interrupt()
        return
    os.environ.setdefault("OPENAI_API_KEY", "k")
    program = options.server.resolve() if options.server else None
    asked = [*sides(), "sdk-aiohttp", *(["sdk-threads"] if options.threads else [])]
    if options.only != "wall":
        print_cpu(asked, options.rounds, program, options.attempts)
    if options.only != "cpu":
        print_wall(asked, options.rounds, program, options.attempts // 2)


if __name__ == "__main__":
    main()
