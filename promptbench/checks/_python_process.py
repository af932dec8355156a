"""Starts the process that runs a file's check functions, asks it, and stops it when it takes too long."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import weakref
from functools import lru_cache
from pathlib import Path
from typing import Any

from promptbench.core.types import Json

_CHILD = Path(__file__).with_name("_python_child.py")
_IMPORT_SECONDS = 30.0


class Failure(Exception):
    """Why there is no result, in one line."""


class Process:
    """One file's process: started when first asked, again after it had to be stopped, and never again when the file
    cannot even be imported.
    """

    def __init__(self, path: Path, shown: str, source: str) -> None:
        self._first = {"path": str(path), "shown": shown, "source": source, "seconds": _IMPORT_SECONDS}
        self._shown = shown
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._broken: str | None = None

    def ask(self, function: str, answer: str, variables: Json, argument: Json, seconds: float) -> dict[str, Json]:
        """`value` and `reason`. Raises Failure."""
        return self._ask(function, [answer, variables, argument], seconds, plain=False)

    def call(self, function: str, *arguments: Json, seconds: float) -> Json:
        """Return the function's result, which is plain data. `function` may be dotted. Raises Failure."""
        return self._ask(function, list(arguments), seconds, plain=True)["value"]

    def _ask(self, function: str, arguments: list[Json], seconds: float, *, plain: bool) -> dict[str, Json]:
        line = _line({"function": function, "arguments": arguments, "seconds": seconds, "plain": plain})
        with self._lock:
            if self._broken is not None:
                raise Failure(self._broken)
            if self._process is None:
                self._start()
            return self._exchange(line, seconds)

    def _start(self) -> None:
        # -P: beside the child's file lie modules named like those of the standard library.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
        )
        weakref.finalize(self, _end, self._process)
        try:
            self._exchange(_line({**self._first, "sys_path": sys.path}), _IMPORT_SECONDS)
        except Failure as failure:
            self._broken = str(failure)
            raise

    def _exchange(self, question: str, seconds: float) -> dict[str, Json]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        line = ""
        try:
            # The process may be gone already: then there is nothing to read either.
            with contextlib.suppress(OSError):
                process.stdin.write(question)
                process.stdin.flush()
                line = process.stdout.readline()
        except BaseException:
            # Interrupted: its answer is still to come, and would be taken for that to the next question.
            self._process = None
            process.kill()
            raise
        finally:
            timer.cancel()
        if not line.endswith("\n"):
            self._process = None
            _end(process)
            if late.is_set():
                raise Failure(f"{self._shown} took longer than {seconds:g} seconds")
            raise Failure(f"{self._shown} ended its process (exit code {process.returncode})")
        reply: dict[str, Json] = json.loads(line)
        if "error" in reply:
            raise Failure(" ".join(str(reply["error"]).split()))
        return reply


def _line(question: dict[str, Any]) -> str:
    try:
        return json.dumps(question) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise Failure(f"the values of the case cannot be handed over: {error}") from None


def _end(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        process.wait(0.5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@lru_cache(maxsize=32)
def process_for(path: Path, shown: str, source: str) -> Process:
    """One process for equal files, however many checks name them."""
    return Process(path, shown, source)
