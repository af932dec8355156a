"""An OpenAI-shaped server in a process of its own, for measurements: fast, with a log of every call.

    with BusyServer(Manner(latency=(0.02, 0.2), refuse=0.1)) as server:
        server.base_url, server.calls()

A case is what stands in the request as `case-<digits>`. What fails is decided by a hash of case and try, so that it is
the same in every run. `python -m tests.bench.busy_server` is what the context manager starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

_CASE = re.compile(rb"case-(\d+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Manner:
    """How the server behaves. Times are in seconds.

    `refuse`, `fail` and `cut` are the shares of the calls that get 429, 500 and a closed connection. `per_minute` is
    the limit of requests that is told in every answer; 0 tells none. Calls get no answer when `answers` have got one.
    `quantiles`, at even steps from 0 to 1, are a distribution of latencies in the place of an even one; `draw` says
    which draws of it are taken.
    """

    latency: tuple[float, float] = (0.0, 0.0)
    refuse: float = 0.0
    fail: float = 0.0
    cut: float = 0.0
    retry_after: float = 1.0
    first_try_only: bool = False
    per_minute: int = 0
    answers: int | None = None
    quantiles: Sequence[float] = ()
    draw: int = 0

    def delay(self, share: float) -> float:
        """The latency that a share of all calls is below."""
        if not self.quantiles:
            low, high = self.latency
            return low + (high - low) * share
        position = share * (len(self.quantiles) - 1)
        at = min(int(position), len(self.quantiles) - 2)
        return self.quantiles[at] + (self.quantiles[at + 1] - self.quantiles[at]) * (position - at)


class Call(NamedTuple):
    """`arrived` is of the clock `time.monotonic`; `status` is 0 for a closed connection; `sent` is None until then."""

    arrived: float
    case: int
    status: int
    sent: float | None


class BusyServer:
    """The server's process. `serial` in an answer is the index of its call."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.busy_server", json.dumps(asdict(self._manner))],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def calls(self, start: int = 0) -> list[Call]:
        """The calls from the index `start` on, in the order of their arrival."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/calls/{start}") as response:
            return [Call(*item) for item in json.load(response)]


class _Server:
    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self.log: list[list[Any]] = []
        self.tries: Counter[int] = Counter()
        self.bucket = float(manner.per_minute)
        self.filled = time.monotonic()

    def chance(self, *of: int) -> float:
        drawn = hashlib.blake2b(" ".join(map(str, of)).encode(), digest_size=4).digest()
        return int.from_bytes(drawn) / 2**32

    def receive(self, case: int) -> tuple[int, int, float]:
        """Notes a call; its index, the status that it gets and the seconds until then."""
        manner, index = self.manner, len(self.log)
        self.tries[case] += 1
        drawn = self.chance(case, self.tries[case], 1)
        status = 200
        if self.tries[case] == 1 or not manner.first_try_only:
            for code, share in ((429, manner.refuse), (500, manner.fail), (0, manner.cut)):
                if 0 <= drawn < share:
                    status = code
                drawn -= share
        self.log.append([time.monotonic(), case, status, None])
        return index, status, manner.delay(self.chance(case, index, 2 + manner.draw))

    def reply(self, index: int, case: int, status: int) -> bytes:
        self.log[index][3] = time.monotonic()
        if status == 200:
            content = json.dumps({"team": "billing", "serial": index})
            message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
            usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
            body: Any = {"id": "c", "object": "chat.completion", "created": 1, "model": "busy-1", "usage": usage}
            body["choices"] = [message]
        else:
            body = {"error": {"message": f"no for case-{case}", "type": "error", "code": None}}
        head = self._limits()
        if status == 429:
            head += f"retry-after: {self.manner.retry_after:g}\r\n"
        return _http(status, json.dumps(body).encode(), head)

    def _limits(self) -> str:
        """The headers of a bucket that fills evenly and holds a minute's worth."""
        limit = self.manner.per_minute
        if not limit:
            return ""
        now = time.monotonic()
        self.bucket = min(limit, self.bucket + (now - self.filled) * limit / 60) - 1
        self.filled = now
        name = "x-ratelimit-{}-requests: {}\r\n"
        missing = f"{(limit - self.bucket) * 60_000 / limit:.0f}ms"
        told = (("limit", limit), ("remaining", max(0, int(self.bucket))), ("reset", missing))
        return "".join(name.format(part, value) for part, value in told)


def _http(status: int, body: bytes, head: str = "") -> bytes:
    start = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{head}\r\n"
    return start.encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, server: _Server) -> None:
        self.server = server
        self.buffer = b""
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self.buffer, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < whole:
                return
            request, self.buffer = self.buffer[:whole], self.buffer[whole:]
            self.handle(request)

    def handle(self, request: bytes) -> None:
        server = self.server
        if request.startswith(b"GET /calls/"):
            start = int(request.split(b" ", 2)[1].rpartition(b"/")[2])
            self.transport.write(_http(200, json.dumps(server.log[start:]).encode()))
            return
        found = _CASE.search(request)
        case = int(found[1]) if found else -1
        index, status, delay = server.receive(case)
        if server.manner.answers is None or index < server.manner.answers:
            self.loop.call_later(delay, self.answer, index, case, status)

    def answer(self, index: int, case: int, status: int) -> None:
        if self.transport.is_closing():
            return
        if status == 0:
            self.transport.abort()
        else:
            self.transport.write(self.server.reply(index, case, status))


async def _serve(manner: Manner) -> None:
    # Times of arrival are measured here, so what else this machine does must not hold up this process.
    gc.disable()
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    loop = asyncio.get_running_loop()
    server = _Server(manner)
    listening = await loop.create_server(lambda: _Connection(server), "127.0.0.1", 0, backlog=1000)
    print(listening.sockets[0].getsockname()[1], flush=True)
    # Ends with whoever started it, however that ends.
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(Manner(**json.loads(sys.argv[1]))))
