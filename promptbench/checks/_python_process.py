"""Run a file's check functions in a process of its own, and stop it if it takes too long."""

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

from promptbench.plugins import Json

_IMPORT_SECONDS = 30.0


class CheckFailure(Exception):
    """A function has no result. The message is one line."""


class CheckProcess:
    """One file's process. It starts at the first call, and again if it was stopped, unless the import fails."""

    def __init__(self, path: Path, shown: str, source: str) -> None:
        self._first = {"path": str(path), "shown": shown, "source": source, "seconds": _IMPORT_SECONDS}
        self._shown = shown
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._broken: str | None = None

    def score(self, function: str, answer: str, variables: Json, argument: Json, seconds: float) -> dict[str, Json]:
        """Return `value` and `reason`. Raise CheckFailure if the function fails."""
        return self._call(function, [answer, variables, argument], seconds, plain=False)

    def call(self, function: str, *arguments: Json, seconds: float) -> Json:
        """Return the function's result, plain data. `function` may be dotted. Raise CheckFailure if it fails."""
        return self._call(function, list(arguments), seconds, plain=True)["value"]

    def _call(self, function: str, arguments: list[Json], seconds: float, *, plain: bool) -> dict[str, Json]:
        line = _line({"function": function, "arguments": arguments, "seconds": seconds, "plain": plain})
        with self._lock:
            if self._broken is not None:
                raise CheckFailure(self._broken)
            if self._process is None:
                self._start()
            return self._exchange(line, seconds)

    def _start(self) -> None:
        # -P, because next to the child's file there are modules named like those of the standard library.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("_python_child.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
        )
        weakref.finalize(self, _end, self._process)
        try:
            self._exchange(_line({**self._first, "sys_path": sys.path}), _IMPORT_SECONDS)
        except CheckFailure as failure:
            self._broken = str(failure)
            raise

    def _exchange(self, request: str, seconds: float) -> dict[str, Json]:
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
            # The process may have ended: then there is nothing to read either.
            with contextlib.suppress(OSError):
                process.stdin.write(request)
                process.stdin.flush()
                line = process.stdout.readline()
        except BaseException:
            # Interrupted: its answer would be taken for that to the next request.
            self._process = None
            process.kill()
            raise
        finally:
            timer.cancel()
        if not line.endswith("\n"):
            self._process = None
            _end(process)
            if late.is_set():
                raise CheckFailure(f"{self._shown} took longer than {seconds:g} seconds")
            raise CheckFailure(f"{self._shown} ended its process (exit code {process.returncode})")
        reply: dict[str, Json] = json.loads(line)
        if "error" in reply:
            raise CheckFailure(" ".join(str(reply["error"]).split()))
        return reply


def _line(request: dict[str, Any]) -> str:
    try:
        return json.dumps(request) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckFailure(f"the case's values cannot be passed on: {error}") from None


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
def process_for(path: Path, shown: str, source: str) -> CheckProcess:
    # One process for equal files, even if several checks name them.
    return CheckProcess(path, shown, source)
