"""How long ^C takes, through the command line. `python -m tests.bench.interrupt`

Against a server that never answers, a local model that generates, one that reads a long prompt, and a Python function
that does not return: the time from the second ^C to the end, and whether the record is sound and goes on. Against a
server that takes a second for each answer: what the first ^C still asks, and whether it keeps what was in flight.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import project
from tests.bench.busy_server import BusyServer, Manner

_SUITE = """\
suite: busy
prompt: busy.prompt
models: [{model}]
checks: [json]
gate: {{repeats: 1}}
cases:
"""
_SLEEPER = """\
import pathlib, time

def sleep(vars):
    pathlib.Path(__file__).with_name("asked").touch()
    time.sleep(600)
"""
_NO_NAMES = """\
import pathlib, socket, time

def getaddrinfo(*question, **more):
    pathlib.Path(__file__).with_name("asked").touch()
    time.sleep(600)

socket.getaddrinfo = getaddrinfo
"""
_BETWEEN = 0.5
"""Seconds between the two ^C, as quick as people are."""


def other_model(root: Path, model: str, message: str) -> None:
    """The project's suite with another model and one case."""
    folder = root / "suites" / "busy"
    prompt = "---\nconfig: {maxOutputTokens: 3000}\n---\n{{message}}\n"
    (folder / "busy.prompt").write_text(prompt, encoding="utf-8")
    cases = "".join(f"  - {{case: case-{n}, vars: {{message: '{n} {message}'}}}}\n" for n in range(4))
    (folder / "suite.yaml").write_text(_SUITE.format(model=model) + cases, encoding="utf-8")


def wait_for(true: Callable[[], object], process: subprocess.Popen[str], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit("the run ended or stood still:\n" + "".join(process.communicate()))
        time.sleep(0.01)


def has_run(root: Path) -> bool:
    """Whether a run is on record."""
    record = root / ".promptbench" / "runs.sqlite"
    if not record.is_file():
        return False
    database = sqlite3.connect(record)
    try:
        return bool(database.execute("SELECT 1 FROM run").fetchone())
    except sqlite3.OperationalError:
        return False
    finally:
        database.close()


def state_of(root: Path) -> str:
    """How SQLite finds the record, and whether a run in it waits to go on."""
    database = sqlite3.connect(root / ".promptbench" / "runs.sqlite")
    try:
        sound = database.execute("PRAGMA integrity_check").fetchone()[0]
        waiting = database.execute("SELECT count(*) FROM run WHERE finished IS NULL").fetchone()[0]
    finally:
        database.close()
    return f"{sound}, {waiting} run to go on"


def hear(process: subprocess.Popen[str]) -> None:
    """Sends ^C and waits until the process says that it stops: two that come while it is busy would count as one."""
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "press ^C again" not in (line := process.stderr.readline()):
        assert line, "it left without a word"


def twice(root: Path, busy: Callable[[], object], settle: float, **environ: str) -> tuple[int, float]:
    """Two ^C, `settle` seconds after the run is `busy`: exit code, seconds from the second one to the end."""
    process = project.start(root, "run", **environ)
    try:
        wait_for(busy, process)
        time.sleep(settle)
        hear(process)
        time.sleep(_BETWEEN)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        return process.returncode, time.monotonic() - began
    finally:
        process.kill()
        process.communicate()


@dataclass(frozen=True)
class Drained:
    """One ^C: exit code, seconds until the end, calls that came when it had been heard, answers sent and on record."""

    code: int
    seconds: float
    late: int
    sent: int
    kept: int


def drain(root: Path) -> Drained:
    """One ^C against a server that takes a second."""
    with BusyServer(Manner((1.0, 1.0), per_minute=1200)) as server:
        project.write(root, server.base_url, 500)
        process = project.start(root, "run")
        wait_for(lambda: len(server.calls()) >= 60, process)
        began = time.monotonic()
        hear(process)
        heard = time.monotonic()
        process.communicate()
        seconds = time.monotonic() - began
        calls = server.calls()
    database = sqlite3.connect(root / ".promptbench" / "runs.sqlite")
    kept = database.execute("SELECT count(*) FROM attempt").fetchone()[0]
    database.close()
    late = sum(call.arrived > heard + 0.1 for call in calls)
    return Drained(process.returncode, seconds, late, sum(call.sent is not None for call in calls), kept)


def silent(root: Path) -> tuple[int, float]:
    """Calls that get no answer."""
    with BusyServer(Manner(answers=1)) as server:
        project.write(root, server.base_url, 100)
        return twice(root, lambda: len(server.calls()) >= 20, 0.5)


def nameless(root: Path) -> tuple[int, float]:
    """A name server that does not answer, which only a thread can wait for."""
    project.write(root, "http://model.example/v1", 100)
    (root / "sitecustomize.py").write_text(_NO_NAMES, encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    return twice(root, (root / "asked").exists, 0.2, PYTHONPATH=path)


def generating(root: Path) -> tuple[int, float]:
    project.write(root, "", 1)
    other_model(root, "gguf/smollm2-135m", "Tell a long story about a parcel.")
    return twice(root, lambda: has_run(root), 3.0)


def reading(root: Path) -> tuple[int, float]:
    project.write(root, "", 1)
    other_model(root, "gguf/smollm2-135m", "The parcel is late. " * 600)
    return twice(root, lambda: has_run(root), 2.0)


def computing(root: Path) -> tuple[int, float]:
    project.write(root, "", 1, 'python = ["suites/busy/*.py"]')
    other_model(root, "python/sleeper.py:sleep", "")
    folder = root / "suites" / "busy"
    (folder / "sleeper.py").write_text(_SLEEPER, encoding="utf-8")
    return twice(root, (folder / "asked").exists, 0.2)


SCENES = {
    "calls get no answer": silent,
    "a name server gives no answer": nameless,
    "the local model generates": generating,
    "the local model reads a long prompt": reading,
    "a Python function does not return": computing,
}


def main() -> None:
    print("| second ^C while | exit | seconds | record |\n|---|--:|--:|---|")
    for name, scene in SCENES.items():
        with tempfile.TemporaryDirectory() as folder:
            code, seconds = scene(Path(folder))
            print(f"| {name} | {code} | {seconds:.2f} | {state_of(Path(folder))} |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        got = drain(Path(folder))
        print(
            f"\nfirst ^C, answers of 1 s: exit {got.code} after {got.seconds:.2f} s, {got.late} calls sent after it was"
        )
        print(f"heard, {got.sent} answers sent, {got.kept} on record; {state_of(Path(folder))}")


if __name__ == "__main__":
    main()
