"""CPU time of a call by the SDK's own transport, by ours with its clock, and by ours under aiohttp's tracing.

    python -m tests.bench.transport

Batches take turns in one process, so that a busy machine hits all alike.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from typing import Any

import aiohttp
import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient

from promptbench.providers import _session, _transport
from tests.bench.busy_server import BusyServer, Manner

AT_ONCE = 50
CALLS = 200
ROUNDS = 40
_BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "case-1 " + "hello " * 60}]}).encode()


class _Traced(_transport.Transport):
    def _open(self) -> aiohttp.ClientSession:
        async def note(*_: Any) -> None:
            time.perf_counter()

        trace = aiohttp.TraceConfig()
        trace.on_connection_create_start.append(note)
        trace.on_connection_create_end.append(note)
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), trace_configs=[trace])


async def _batch(client: AsyncOpenAI) -> float:
    """Microseconds of CPU time a call."""
    left = iter(range(CALLS))

    async def work() -> None:
        for _ in left:
            clock = _session.Clock.start()
            await client.post("/chat/completions", cast_to=httpx2.Response, content=_BODY)
            clock.times()

    began = time.process_time()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return (time.process_time() - began) / CALLS * 1e6


async def _measure(url: str) -> None:
    clients = {
        "the SDK's": DefaultAioHttpClient(timeout=None, trust_env=False),
        "ours": httpx2.AsyncClient(transport=_transport.Transport(url), timeout=None),
        "ours, traced": httpx2.AsyncClient(transport=_Traced(url), timeout=None),
    }
    sdks = {
        name: AsyncOpenAI(api_key="k", base_url=url, max_retries=0, timeout=None, http_client=client)
        for name, client in clients.items()
    }
    times: dict[str, list[float]] = {name: [] for name in sdks}
    for number in range(ROUNDS):
        for name in list(sdks)[:: 1 if number % 2 else -1]:
            times[name].append(await _batch(sdks[name]))
    for name, found in times.items():
        ratios = [one / other for one, other in zip(found, times["the SDK's"], strict=True)]
        print(f"{name:<12} {min(found):5.0f} µs at best, {statistics.median(ratios):.2f} of the SDK's in the median")
    for sdk in sdks.values():
        await sdk.close()


if __name__ == "__main__":
    with BusyServer(Manner()) as server:
        asyncio.run(_measure(server.base_url))
