"""A function in a Python file as a model: `python/extractor.py:extract` calls `extract(vars)` with the case's vars.

An image or PDF is a dictionary with `file`, `type`, `size`, `sha256` and `path`. The function may be `async`. What it
returns is the answer: text as it is, other plain data as JSON. It sees no prompt. The file is named from the suite's
folder, and runs only when the project's settings list it. Nothing is assumed about it: a function that always returns
the same says so in the suite, by `deterministic: true`.
"""

import functools
import hashlib
import importlib.util
import sys
from pathlib import PurePosixPath

from promptbench.core import allowed_code
from promptbench.core.allowed_code import locate, split_name
from promptbench.core.canonical import canonical
from promptbench.core.files import FileValue, Pinned, map_files
from promptbench.core.python_process import FunctionFailure, PythonProcess
from promptbench.core.threads import Worker
from promptbench.core.types import Answer, FailureKind, Json, ProviderFailure, Request
from promptbench.plugins import Problem, Provider, ProviderContext, ProviderSpec

# Below the project's root, in the folder that git ignores: the files of judged versions, by hash.
PIPELINES = PurePosixPath(".promptbench/pipelines")


def shaped_by(name: str, context: ProviderContext) -> Json:
    """Return the hash of the function's file and the Python version.

    None if the file imports anything but the standard library: then not all of its code is hashed.
    """
    parts = split_name(name)
    path = locate(parts[0], context.folder, context.root) if parts else None
    source = path.read_bytes() if path and path.is_file() else b"?"
    used = {"" if level else at.partition(".")[0] for level, at, _ in allowed_code.imports(source)}
    if parts is None or not used <= sys.stdlib_module_names:
        return None
    return {"function": parts[1], "sha256": hashlib.sha256(source).hexdigest(), "python": sys.version}


def _fingerprint(name: str, context: ProviderContext) -> Json:
    # Return the hash of the function's file and of what that imports below its folder, and the Python version.
    pinned, _ = allowed_code.pin(name.rpartition(":")[0], context.folder, context.root, context.allowed_code)
    return {"files": pinned.hash, "Python": sys.version}


def _problems(name: str, context: ProviderContext) -> list[Problem]:
    return allowed_code.problems(name, context.folder, context.root, context.allowed_code, prefix="python/")


class PythonFunction(Provider):
    """One function, called one call at a time in a process of its own; each version of it in another process."""

    concurrency = max_concurrency = 1

    def __init__(self, name: str, context: ProviderContext) -> None:
        self._name = name
        self._file, _, self._function = name.rpartition(":")
        self._context = context
        self._worker = Worker(f"python/{name}")
        self._running: dict[str, tuple[PythonProcess, str]] = {}  # By version: its process, and the hash of its code.

    async def complete(self, request: Request) -> Answer:
        return await self._worker.run(functools.partial(self._call, request))

    async def close(self) -> None:
        # A process ends with its last reference.
        await self._worker.close(self._running.clear)

    def _call(self, request: Request) -> Answer:
        # Call the function. Runs in the worker's thread, like everything below.
        version = request.pinned.hash if request.pinned else ""
        process, sha256 = self._running[version] = self._running.get(version) or self._start(request.pinned)
        try:
            value, provider_ms = process.timed(self._function, map_files(dict(request.variables), _with_path))
            text = value if isinstance(value, str) else canonical(value)
        except FunctionFailure as failure:
            raise ProviderFailure(FailureKind[failure.kind], str(failure)) from None
        params: dict[str, Json] = {"function": self._name.rpartition("/")[2], "sha256": sha256}
        return Answer(text=text, model=f"python/{self._name}", params=params, provider_ms=provider_ms)

    def _start(self, pinned: Pinned | None) -> tuple[PythonProcess, str]:
        context, path, modules = self._context, (self._context.folder / self._file).resolve(), None
        problems = _problems(self._name, context)
        if pinned is not None:
            problems = allowed_code.pinned_problems(pinned, context.folder, context.root, context.allowed_code)
        for problem in problems:
            raise ProviderFailure(FailureKind.FATAL, problem.message)
        shown = allowed_code.relative(path, context.root)
        try:
            if pinned is not None:
                # From its own files, and with their folder before all others: `import helper` finds its own helper.
                path = pinned.written(context.root / PIPELINES, context.folder).resolve() / self._file
                modules = path.parent
            source = path.read_bytes()
            text = importlib.util.decode_source(source)
        except (OSError, ValueError) as error:
            raise ProviderFailure(FailureKind.FATAL, str(error)) from None
        sha256 = pinned.hash.removeprefix("sha256:") if pinned else hashlib.sha256(source).hexdigest()
        return PythonProcess(path, shown, text, modules=modules, seconds=0.0), sha256


def _with_path(file: FileValue) -> dict[str, Json]:
    return {**file, "path": str(file.path)}


SPEC = ProviderSpec(
    connect=PythonFunction,
    problems=_problems,
    reads_prompt=lambda name, context: False,
    embeds=True,
    runs_here=lambda name, context: True,
    shaped_by=shaped_by,
    fingerprint=_fingerprint,
)
