"""A small OpenAI-shaped HTTP server on loopback that answers, stalls, cuts and lies as a script says.

    with FakeOpenAI(lambda body: "hello") as server:
        client = AsyncOpenAI(base_url=server.base_url, api_key="k")

A script is a function of the decoded request body, or a list of which each request takes the next item and the last
item stays. What it gives is a text (a normal completion) or a `Step`. The server runs in a thread of its own, so a
test can use it from an event loop, from plain code, or from a subprocess.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

Body = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """What one request gets. Times are in seconds; `cut` is how many bytes of the body go out before the end.

    `pieces` go out after the body, each after `delay` once more.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay: float = 0.0
    stall: bool = False
    cut: int | None = None
    pieces: Sequence[bytes] = ()


Script = Callable[[Body], "str | Step"] | Sequence["str | Step"]


def completion(text: str | None, **changes: Any) -> Body:
    """The JSON of a chat completion. `changes` replace or add fields of the choice, the message or the whole."""
    message = {"role": "assistant", "content": text} | changes.pop("message", {})
    choice = {"index": 0, "finish_reason": "stop"} | changes.pop("choice", {}) | {"message": message}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "fake-1", "usage": usage}
    return whole | {"choices": [choice]} | changes


def response(text: str | None, **changes: Any) -> Body:
    """The JSON of a response, as `/v1/responses` gives it. `changes` replace or add fields of the whole."""
    content = [] if text is None else [{"type": "output_text", "text": text, "annotations": []}]
    output = [
        {"id": "rs_1", "type": "reasoning", "summary": []},
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content},
    ]
    usage = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
    whole = {"id": "resp_1", "object": "response", "status": "completed", "model": "fake-1", "usage": usage}
    return whole | {"output": output, "error": None, "incomplete_details": None} | changes


def embedding(*numbers: float) -> Step:
    """An embedding, as `/v1/embeddings` gives it."""
    item = {"object": "embedding", "index": 0, "embedding": numbers}
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return as_json({"object": "list", "data": [item], "model": "embed-1", "usage": usage})


def as_json(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, **rest: Any) -> Step:
    return Step(json.dumps(data).encode(), status, {"Content-Type": "application/json", **(headers or {})}, **rest)


def answer(text: str | None, *, delay: float = 0.0, **changes: Any) -> Step:
    return as_json(completion(text, **changes), delay=delay)


def error(
    status: int, message: str = "no", *, code: str | None = None, headers: Mapping[str, str] | None = None
) -> Step:
    return as_json(
        {"error": {"message": message, "type": "error", "param": None, "code": code}}, status=status, headers=headers
    )


def events(*data: Any, delay: float = 0.0, done: bool = True) -> Step:
    """An answer in pieces, as server-sent events: each as long after the one before."""
    pieces = [f"data: {json.dumps(item)}\n\n".encode() for item in data]
    kind = {"Content-Type": "text/event-stream; charset=utf-8"}
    return Step(headers=kind, delay=delay, pieces=[*pieces, *([b"data: [DONE]\n\n"] if done else [])])


def chunks(*texts: str, delay: float = 0.0, finish: str | None = "stop") -> Step:
    """A streamed chat completion with these pieces of text."""
    head = {"id": "c", "object": "chat.completion.chunk", "model": "fake-1"}
    said = [head | {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} for text in texts]
    start = head | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
    end = head | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    usage = head | {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
    return events(start, *said, end, usage, delay=delay)


def html(status: int = 200) -> Step:
    page = b"<!doctype html><title>Sign in</title><p>Please sign in to the proxy"
    return Step(page, status, {"Content-Type": "text/html"})


def truncated() -> Step:
    """Half of a completion, as a whole and well-framed body."""
    whole = json.dumps(completion("hello")).encode()
    return Step(whole[: len(whole) // 2])


def cut_off() -> Step:
    """Half of a completion, then the connection is gone although more was promised."""
    whole = json.dumps(completion("hello")).encode()
    return Step(whole, cut=len(whole) // 2)


def hang_up() -> Step:
    """The connection is closed without a byte."""
    return Step(cut=-1)


def stall() -> Step:
    return Step(stall=True)


@dataclass(frozen=True)
class Received:
    """One request as it came in. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Body

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


class FakeOpenAI:
    """The server, at `port` or any free one.

    `received` grows with every request for an answer, `listings` with every one for the list of `models`; `connections`
    and `most_at_once` count.

    Servers of other kinds differ in `root`, which their `base_url` ends with, and in `say`.
    """

    root = "/v1"
    lists_models = True

    def __init__(self, script: Script = lambda body: "ok", port: int = 0) -> None:
        self.script = script
        self.port = port
        self.models: list[dict[str, Any]] = []
        self.received: list[Received] = []
        self.listings: list[Received] = []
        self.connections = 0
        self.most_at_once = 0
        self._at_once = 0
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="fake-openai", daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.root}"

    def say(self, path: str, text: str) -> Step | None:
        """The normal answer at `path`; None where nothing is."""
        if path.endswith("/chat/completions"):
            return answer(text)
        if path.endswith("/embeddings"):
            return embedding(*json.loads(text or "[]"))
        return as_json(response(text)) if path.endswith("/responses") else None

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the fake server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self.die()
        self._thread.join(10)

    def die(self) -> None:
        """Closes the port and every connection; also for a script to call."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        # The loop itself holds tasks weakly: a stalled one would be collected, and its connection closed.
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serves one request; False when the connection is over."""
        received = await _read_request(reader)
        listing = self.lists_models and received.method == "GET" and received.path.partition("?")[0].endswith("/models")
        (self.listings if listing else self.received).append(received)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            step = as_json({"object": "list", "data": self.models}) if listing else self._step(received)
            await asyncio.sleep(step.delay)
            if step.stall:
                await asyncio.Event().wait()
        finally:
            self._at_once -= 1
        if step.cut == -1:
            return False
        length = len(step.body) + sum(map(len, step.pieces))
        head = [f"HTTP/1.1 {step.status} Whatever", f"Content-Length: {length}"]
        head += [f"{name}: {value}" for name, value in step.headers.items()]
        writer.write("\r\n".join([*head, "", ""]).encode() + step.body[: step.cut])
        await writer.drain()
        for piece in step.pieces:
            await asyncio.sleep(step.delay)
            writer.write(piece)
            await writer.drain()
        return step.cut is None

    def _step(self, received: Received) -> Step:
        # A client of a proxy sends the whole address.
        path = re.sub("^http://[^/]+", "", received.path.partition("?")[0])
        if not path.startswith(self.root) or (said := self.say(path, "")) is None:
            return error(404, f"no route {received.path}")
        if callable(self.script):
            given = self.script(received.body)
        else:
            given = self.script[min(len(self.received), len(self.script)) - 1]
        return (self.say(path, given) or said) if isinstance(given, str) else given


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, headers, json.loads(body) if body else {})
