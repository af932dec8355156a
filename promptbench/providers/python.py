"""A function in a Python file as a model: `python/extractor.py:extract` calls `extract(vars)` with the case's vars.

An image or PDF is a dictionary with `file`, `type`, `size`, `sha256` and `path`. The function may be `async`. What it
returns is the answer: text as it is, other plain data as JSON. It sees no prompt. The file is named from the suite's
folder, and runs only when the project's settings list it. Nothing is assumed about it: a function that always returns
the same says so in the suite, by `deterministic: true`.
"""

from __future__ import annotations

import ast
import asyncio
import copy
import functools
import hashlib
import importlib.util
import inspect
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from promptbench.core import allowed_code
from promptbench.core.allowed_code import locate, split_name
from promptbench.core.canonical import canonical
from promptbench.core.files import FileValue, map_files
from promptbench.core.pinned import Pinned
from promptbench.core.python_process import FunctionFailure, PythonProcess
from promptbench.core.types import Answer, FailureKind, Json, ProviderFailure, Request
from promptbench.plugins import Problem, Provider, ProviderContext, ProviderSpec
from promptbench.providers._worker import Worker

# Below the project's root, in the folder that git ignores: the files of judged versions, by hash.
PIPELINES = PurePosixPath(".promptbench/pipelines")
# The limit of a call of a version, and of its import, which may load a model.
_VERSION_SECONDS = 600.0


def shaped_by(name: str, context: ProviderContext) -> Json:
    """Return the hash of the function's file and the Python version.

    None if the file imports anything but the standard library: then not all of its code is hashed.
    """
    parts = split_name(name)
    path = locate(parts[0], context.folder, context.root) if parts else None
    try:
        source = path.read_bytes() if path else b""
        modules = _imported_modules(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
        return None
    if parts is None or not modules <= sys.stdlib_module_names:
        return None
    return {"function": parts[1], "sha256": hashlib.sha256(source).hexdigest(), "python": sys.version}


def _imported_modules(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("" if node.level else (node.module or "").partition(".")[0])
    return found


def _problems(name: str, context: ProviderContext) -> list[Problem]:
    return allowed_code.problems(name, context.folder, context.root, context.allowed_code, prefix="python/")


class PythonFunction(Provider):
    """One function, called in its own daemon thread, one call at a time."""

    concurrency = max_concurrency = 1

    def __init__(self, name: str, context: ProviderContext) -> None:
        self._name = name
        self._context = context
        self._worker = Worker(f"python/{name}")
        self._loaded: _Loaded | None = None
        self._versions: dict[str, PythonProcess] = {}

    async def complete(self, request: Request) -> Answer:
        return await self._worker.run(functools.partial(self._call, request))

    async def close(self) -> None:
        await self._worker.close(self._leave)

    def _call(self, request: Request) -> Answer:
        # Call the function. Runs in the worker's thread, like everything below.
        if request.pinned is not None:
            return self._call_version(request, request.pinned)
        if self._loaded is None:
            for problem in _problems(self._name, self._context):
                raise ProviderFailure(FailureKind.FATAL, problem.message)
            self._loaded = _Loaded(self._name, self._context)
        loaded = self._loaded
        # A copy: the function may change what it is given, and the next repeat must be given the same.
        variables = map_files(copy.deepcopy(dict(request.variables)), _with_path)
        began = time.perf_counter()
        try:
            value = loaded.call(variables)
        except BaseException as error:  # noqa: BLE001 - the user's code, which may even raise SystemExit
            raise ProviderFailure(FailureKind.REJECTED, loaded.describe(error)) from None
        provider_ms = (time.perf_counter() - began) * 1000
        return Answer(
            text=_as_text(value, self._name),
            model=f"python/{self._name}",
            params=loaded.params,
            provider_ms=provider_ms,
        )

    def _call_version(self, request: Request, pinned: Pinned) -> Answer:
        # A version runs from its own files, in a process of its own, so that `import helper` finds its own helper.
        file, _, function = self._name.rpartition(":")
        process = self._versions.get(pinned.hash) or self._start_version(pinned, PurePosixPath(file))
        variables = map_files(dict(request.variables), _with_path)
        began = time.perf_counter()
        try:
            value = process.call(function, variables, seconds=_VERSION_SECONDS)
        except FunctionFailure as failure:
            kind = FailureKind.FATAL if process.broken else FailureKind.REJECTED
            raise ProviderFailure(kind, str(failure)) from None
        provider_ms = (time.perf_counter() - began) * 1000
        params: dict[str, Json] = {"function": f"{PurePosixPath(file).name}:{function}", "sha256": pinned.hash[7:]}
        return Answer(
            text=_as_text(value, self._name), model=f"python/{self._name}", params=params, provider_ms=provider_ms
        )

    def _start_version(self, pinned: Pinned, file: PurePosixPath) -> PythonProcess:
        context = self._context
        for problem in allowed_code.pinned_problems(pinned, context.folder, context.root, context.allowed_code):
            raise ProviderFailure(FailureKind.FATAL, problem.message)
        try:
            path = pinned.written(context.root / PIPELINES, context.folder).resolve() / file
            shown = allowed_code.relative((context.folder / file).resolve(), context.root)
            source = path.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            raise ProviderFailure(FailureKind.FATAL, str(error)) from None
        process = PythonProcess(path, shown, source, modules=path.parent, seconds=_VERSION_SECONDS)
        self._versions[pinned.hash] = process
        return process

    def _leave(self) -> None:
        for process in self._versions.values():
            process.close()
        if self._loaded is not None:
            self._loaded.runner.close()


class _Loaded:
    """The imported file, the function in it, and the event loop for coroutines."""

    def __init__(self, name: str, context: ProviderContext) -> None:
        file, function = name.rsplit(":", 1)
        self.path = (context.folder / file).resolve()
        self._shown = allowed_code.relative(self.path, context.root)
        source = self.path.read_bytes()
        sha256 = hashlib.sha256(source).hexdigest()
        self.params: dict[str, Json] = {"function": f"{self.path.name}:{function}", "sha256": sha256}
        try:
            module = _import(self.path, source, sha256)
        except BaseException as error:  # noqa: BLE001 - the user's code
            raise ProviderFailure(FailureKind.FATAL, self.describe(error)) from None
        found = getattr(module, function, None)
        if not callable(found):
            raise ProviderFailure(FailureKind.FATAL, f"{self._shown} has no function '{function}'")
        self._function: Callable[[dict[str, Json]], Any] = found
        self.runner = asyncio.Runner()

    def call(self, variables: dict[str, Json]) -> Any:
        value = self._function(variables)
        return self.runner.run(_finish(value)) if inspect.isawaitable(value) else value

    def describe(self, error: BaseException) -> str:
        """Return `ValueError: no date (suites/entities/extractor.py:12)`, with the innermost line of this file."""
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(self.path)
        ]
        if isinstance(error, SyntaxError) and error.filename == str(self.path):
            lines.append(error.lineno)
        place = f"{self._shown}:{lines[-1]}" if lines else self._shown
        return f"{type(error).__name__}: {error} ({place})" if str(error) else f"{type(error).__name__} ({place})"


async def _finish(awaitable: Any) -> Any:
    return await awaitable


def _import(path: Path, source: bytes, sha256: str) -> ModuleType:
    # Execute exactly `source`, so that the hash is of the code that runs, without leaving a `__pycache__`.
    name = f"_promptbench_code_{path.stem}_{sha256[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _with_path(file: FileValue) -> dict[str, Json]:
    return {**file, "path": str(file.path)}


def _as_text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    try:
        return canonical(value)
    except (TypeError, ValueError, RecursionError) as error:
        why = str(error) or type(error).__name__
        raise ProviderFailure(
            FailureKind.REJECTED, f"{name} returned a {type(value).__name__} that is neither text nor plain data: {why}"
        ) from None


SPEC = ProviderSpec(
    connect=PythonFunction,
    problems=_problems,
    reads_prompt=lambda name, context: False,
    embeds=True,
    runs_here=lambda name, context: True,
    shaped_by=shaped_by,
)
