"""CPU time per call of each HTTP client that a provider could use, down to the bare connection.

    python -m tests.bench.transport

Batches of all clients alternate in one process, so that a busy machine slows all of them alike. Hosted models are
called by the transport of `providers/_transport.py`: first by the official SDK above it, then by repeated requests.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient

from promptbench.providers import _session, _transport
from tests.bench.busy_server import BusyServer, Manner

AT_ONCE = 50
CALLS = 200
ROUNDS = 30
_BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "case-1 " + "hello " * 60}]}).encode()
# As many as the SDK sends, and as long.
_HEADERS = {f"x-header-{number}": "a value of a header" for number in range(14)}
_BASE = "SDK on promptbench's aiohttp transport"

Call = Callable[[], Awaitable[object]]


async def _batch(call: Call) -> float:
    """Return the CPU time per call in microseconds."""
    left = iter(range(CALLS))

    async def work() -> None:
        for _ in left:
            await call()

    began = time.process_time()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return (time.process_time() - began) / CALLS * 1e6


def _by_sdk(url: str, client: Any) -> Call:
    sdk = AsyncOpenAI(api_key="k", base_url=url, max_retries=0, timeout=None, http_client=client)

    async def call() -> None:
        clock = _session.Clock.start()
        await sdk.post("/chat/completions", cast_to=httpx2.Response, content=_BODY)
        clock.times()

    return call


def _repeated(url: str, transport: _transport.Transport) -> Call:
    request = httpx2.Request("POST", f"{url}/chat/completions", headers=_HEADERS)

    async def call() -> None:
        clock = _session.Clock.start()
        await transport.send(request, _BODY)
        clock.times()

    return call


def _by_aiohttp(url: str, session: aiohttp.ClientSession) -> Call:
    async def call() -> None:
        async with session.post(f"{url}/chat/completions", data=_BODY) as response:
            await response.read()

    return call


def _by_httpx2(url: str, client: httpx2.AsyncClient) -> Call:
    async def call() -> None:
        await client.post(f"{url}/chat/completions", content=_BODY)

    return call


async def _measure(url: str) -> None:
    limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    plain = httpx2.AsyncClient(timeout=None, trust_env=False, limits=limits)
    session, transport = _session.open_session(url), _transport.Transport(url)
    calls = {
        _BASE: _by_sdk(url, httpx2.AsyncClient(transport=transport, timeout=None)),
        "a repeated request on the same": _repeated(url, transport),
        "SDK on its own aiohttp transport": _by_sdk(url, DefaultAioHttpClient(timeout=None, trust_env=False)),
        "SDK on httpx2": _by_sdk(url, plain),
        "httpx2 without SDK": _by_httpx2(url, plain),
        "aiohttp without SDK": _by_aiohttp(url, session),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(ROUNDS):
        for name in list(calls)[:: 1 if number % 2 else -1]:
            times[name].append(await _batch(calls[name]))
    for name, found in times.items():
        ratios = [one / other for one, other in zip(found, times[_BASE], strict=True)]
        print(f"{name:<40} {min(found):5.0f} µs at best, median ratio {statistics.median(ratios):.2f}")
    await session.close()
    await transport.aclose()


if __name__ == "__main__":
    with BusyServer(Manner()) as server:
        asyncio.run(_measure(server.base_url))
