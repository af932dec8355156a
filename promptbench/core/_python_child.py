"""Run users' functions. This script is started by path and imports nothing of this package.

It reads requests and writes replies as lines of JSON. It is a process of its own, because nothing else can stop a
function that never returns, and because what such code does to modules, signals or standard output stays in it.
"""

import importlib.util
import json
import operator
import os
import signal
import sys
import threading
import time
import traceback
from types import ModuleType
from typing import Any, TextIO

# After the limit and this the process ends by itself, in case its parent is gone and code in C lets no thread run.
_GRACE_SECONDS = 5


def main() -> None:
    # What the function prints goes to standard error: standard output belongs to the replies.
    out = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    first = json.loads(sys.stdin.readline())
    sys.path[:] = first["sys_path"]
    path, shown = first["path"], first["shown"]
    try:
        _alarm(first["seconds"])
        module = _load(path, first["source"])
    except BaseException as error:  # noqa: BLE001 - the user's code
        _reply(out, {"error": _describe(error, path, shown), "kind": "FATAL"})
        return
    _reply(out, {})
    for line in sys.stdin:
        request = json.loads(line)
        _alarm(request["seconds"])
        _reply(out, _result(module, request, path, shown))
        _alarm(0)


def _end_with(parent: int) -> None:
    # A function without a limit of time may never return, and a command that ends at once cannot stop it.
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(0)


def _load(path: str, source: str) -> ModuleType:
    # Exactly `source`, because that is what was hashed.
    spec = importlib.util.spec_from_file_location("_promptbench_check", path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    exec(compile(source, path, "exec"), module.__dict__)
    return module


def _result(module: ModuleType, request: dict[str, Any], path: str, shown: str) -> dict[str, Any]:
    name = request["function"]
    try:
        function = operator.attrgetter(name)(module)
    except AttributeError:
        function = None
    if not callable(function):
        return {"error": f"{shown} has no function '{name}'", "kind": "FATAL"}
    began = time.perf_counter()
    try:
        result = function(*request["arguments"])
        result = _awaited(result) if hasattr(result, "__await__") else result
        if request["plain"]:
            return {"ms": (time.perf_counter() - began) * 1000, "value": _plain(result, name)}
        value, reason = result if isinstance(result, tuple) and len(result) == 2 else (result, "")
        value = value if isinstance(value, bool) else _share(value, name)
        return {"value": value, "reason": str(reason or "")[:500]}
    except BaseException as error:  # noqa: BLE001 - the user's code, which may even raise SystemExit
        return {"error": _describe(error, path, shown)}


def _plain(result: Any, name: str) -> Any:
    try:
        json.dumps(result, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"{name} returned a {type(result).__name__} that is neither text nor plain data: {error}"
        ) from None
    return result


def _awaited(awaitable: Any) -> Any:
    import asyncio

    async def finish() -> Any:
        return await awaitable

    # One loop for all calls, because a client that the function keeps belongs to it.
    if not _runners:
        _runners.append(asyncio.Runner())
    return _runners[0].run(finish())


_runners: list[Any] = []


def _share(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} returned {type(value).__name__}, expected True, False or a number") from None
    if not 0 <= number <= 1:
        raise ValueError(f"{name} returned {number}, which is not between 0 and 1")
    return number


def _describe(error: BaseException, path: str, shown: str) -> str:
    # `ValueError: no date (suites/entities/rules.py:12)`, with the innermost line of the user's file.
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError) and error.filename == path:
        lines.append(error.lineno)
    location = f"{shown}:{lines[-1]}" if lines else shown
    return f"{type(error).__name__}: {error} ({location})" if str(error) else f"{type(error).__name__} ({location})"


def _alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS if seconds else 0)


def _reply(out: TextIO, message: dict[str, Any]) -> None:
    try:
        out.write(json.dumps(message) + "\n")
        out.flush()
    except BrokenPipeError:
        # The parent has ended, for example by Ctrl-C. Nobody reads the answer, nor a traceback.
        os._exit(0)


if __name__ == "__main__":
    main()
