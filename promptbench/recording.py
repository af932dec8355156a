"""Record an application's calls in a log that `promptbench import` reads.

from promptbench import record_call

record_call("calls.jsonl", model="openai/gpt-5.4-mini", prompt="triage", messages=messages, answer=text)
"""

import json
import math
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promptbench.core.canonical import without_halves
from promptbench.core.clock import now
from promptbench.core.types import Json

FORMAT = "call/1"
_ROLES = ("system", "user", "assistant")
# Readers refuse records that are nested more than 256 levels deep.
_MOST_DEPTH = 200


def record_call(
    path: str | os.PathLike[str],
    *,
    model: str,
    answer: str | None = None,
    error: BaseException | str | None = None,
    error_kind: str | None = None,
    prompt: str | None = None,
    prompt_version: str | None = None,
    variables: Mapping[str, Any] | None = None,
    messages: Sequence[Mapping[str, Any]] = (),
    finish_reason: str | None = None,
    latency_ms: float | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    task: str | None = None,
    tags: Sequence[str] = (),
    id: str | None = None,
) -> str:
    """Append one call to a log as one JSON line, and return the call's id.

    Processes and threads may append to the same file at the same time. A line that a killed process left unfinished
    stays alone: the next call starts a new line. What has no form in JSON is recorded as text.

    Args:
        path: the log, created if it does not exist. Its folder must exist.
        model: which model was called, best as `provider/name`.
        answer: the model's whole answer; None if no answer came.
        error: why the call failed or, if an answer came, what the application could not use in it.
        error_kind: a short name to group errors by; by default the class of an exception.
        prompt: the prompt's name in the store.
        prompt_version: its version, as `sha256:…`.
        variables: the values that the prompt was filled with.
        messages: what was sent, each with `role` and `content`. They replace the variables where a prompt has none.
        finish_reason: the provider's word for why the answer ended.
        latency_ms: the time of the call in milliseconds.
        input_tokens: tokens of the request.
        output_tokens: tokens of the answer.
        task: what the application wanted to do; `failures --where task=…` selects by it.
        tags: words to select calls by.
        id: the call's id, unique in the log; a random one by default.

    Raises:
        OSError: if the file cannot be written.
    """
    if error_kind is None and isinstance(error, BaseException):
        error_kind = type(error).__name__
    wrong = ": ".join(part for part in (error_kind, str(error or "")) if part) or None
    name = id or uuid.uuid4().hex
    kept = [{"role": item.get("role"), "content": item.get("content")} for item in messages]
    fits = all(item["role"] in _ROLES and isinstance(item["content"], str) for item in kept)
    usage = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    record = {
        "promptbench": FORMAT,
        "id": name,
        "time": now(),
        "prompt": prompt,
        "prompt_version": prompt_version,
        "vars": dict(variables) if variables is not None else None,
        "messages": kept if fits and kept else None,
        # The log has no form for tool calls and images; nothing of them is lost.
        "original_messages": None if fits else list(messages),
        "model": model,
        "answer": answer,
        "error": wrong if answer is None else None,
        "failed": wrong if answer is not None else None,
        "error_kind": error_kind,
        "finish_reason": finish_reason,
        "usage": usage if any(count is not None for count in usage.values()) else None,
        "latency_ms": latency_ms if latency_ms is None or math.isfinite(latency_ms) else None,
        "task": task,
        "tags": list(tags) or None,
    }
    plain = _plain({key: value for key, value in record.items() if value is not None})
    _append(Path(path), json.dumps(plain, ensure_ascii=False).encode() + b"\n")
    return name


def _plain(value: Any, *above: int) -> Json:
    """Return the value as JSON that every reader takes: no NaN, no half of a surrogate pair, no endless nesting.

    Args:
        above: the ids of the containers around the value.
    """
    if isinstance(value, str):
        return without_halves(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 10**300:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, (Mapping, list, tuple)) and (len(above) >= _MOST_DEPTH or id(value) in above):
        return "…"
    above = (*above, id(value))
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(item, *above) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, *above) for item in value]
    try:
        return _plain(str(value))
    except Exception:  # noqa: BLE001 - str() of foreign objects may raise anything, and the call is worth more
        return f"<{type(value).__name__}>"


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with _locked(descriptor):
            start = os.lseek(descriptor, 0, os.SEEK_END)
            if start:
                os.lseek(descriptor, start - 1, os.SEEK_SET)
                # Another process was killed while it wrote: its line stays alone.
                line = line if os.read(descriptor, 1) == b"\n" else b"\n" + line
            try:
                written = 0
                while written < len(line):
                    written += os.write(descriptor, line[written:])
            except BaseException:
                os.ftruncate(descriptor, start)  # A full disk leaves no half of a line.
                raise
    finally:
        os.close(descriptor)


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    """Hold the file's lock. Each call opens the file itself, so the lock also separates threads."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield  # Closing the file releases the lock.
