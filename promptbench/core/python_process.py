"""Run a file's functions in a process of its own, and stop it if it takes too long."""

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

_IMPORT_SECONDS = 30.0


class FunctionFailure(Exception):
    """A function has no result. The message is one line.

    `kind` is REJECTED, or FATAL if no call can have a result: the import failed, or there is no such function.
    """

    def __init__(self, message: str, kind: str = "REJECTED") -> None:
        super().__init__(message)
        self.kind = kind


class PythonProcess:
    """One file's process. It starts at the first call, and again if it was stopped, unless the import fails.

    With `modules`, what the file imports is found there first. `seconds` is the limit of the import; 0 for none.
    """

    def __init__(
        self, path: Path, shown: str, source: str, *, modules: Path | None = None, seconds: float = _IMPORT_SECONDS
    ) -> None:
        found_in = [*([str(modules)] if modules else []), *sys.path]
        self._first: dict[str, Any] = {
            "path": str(path),
            "shown": shown,
            "source": source,
            "seconds": seconds,
            "sys_path": found_in,
        }
        self._shown = shown
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._broken: str | None = None

    def score(self, function: str, answer: str, variables: Json, argument: Json, seconds: float) -> dict[str, Json]:
        """Return `value` and `reason`. Raise FunctionFailure if the function fails."""
        return self._call(function, [answer, variables, argument], seconds, plain=False)

    def call(self, function: str, *arguments: Json, seconds: float) -> Json:
        """Return the function's result, plain data. `function` may be dotted. Raise FunctionFailure if it fails."""
        return self._call(function, list(arguments), seconds, plain=True)["value"]

    def timed(self, function: str, argument: Json) -> tuple[Json, float]:
        """Return the function's result and how long it took in ms, whatever that is. Raise FunctionFailure."""
        reply = self._call(function, [argument], 0.0, plain=True)
        return reply["value"], reply["ms"]

    def _call(self, function: str, arguments: list[Json], seconds: float, *, plain: bool) -> dict[str, Json]:
        line = _line({"function": function, "arguments": arguments, "seconds": seconds, "plain": plain})
        with self._lock:
            if self._broken is not None:
                raise FunctionFailure(self._broken, "FATAL")
            if self._process is None:
                self._start()
            return self._exchange(line, seconds)

    def _start(self) -> None:
        # -P, because next to the child's file there are modules named like those of the standard library; -B, because
        # the folder of a version must stay as it is.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-B", str(Path(__file__).with_name("_python_child.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
        )
        weakref.finalize(self, _end, self._process)
        try:
            self._exchange(_line(self._first), self._first["seconds"])
        except FunctionFailure as failure:
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
        if seconds:
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
                raise FunctionFailure(f"{self._shown} took longer than {seconds:g} seconds")
            raise FunctionFailure(f"{self._shown} ended its process (exit code {process.returncode})")
        reply: dict[str, Json] = json.loads(line)
        if "error" in reply:
            raise FunctionFailure(" ".join(str(reply["error"]).split()), reply.get("kind", "REJECTED"))
        return reply


def _line(request: dict[str, Any]) -> str:
    try:
        return json.dumps(request) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise FunctionFailure(f"the case's values cannot be passed on: {error}") from None


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
def process_for(path: Path, shown: str, source: str) -> PythonProcess:
    # One process for equal files, even if several checks name them.
    return PythonProcess(path, shown, source)
