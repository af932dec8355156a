"""Connections to servers, and a clock per call that records when it connected and when the answer began.

aiohttp's own tracing (`TraceConfig`) records the same, and costs a tenth of a call's CPU time.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, TypedDict
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from promptbench.core import addresses

CONNECT_SECONDS = 10.0


class Times(TypedDict):
    """The times of one call, as in `Answer`."""

    provider_ms: float
    connect_ms: float
    first_byte_ms: float | None


class Clock:
    """The times of one call, which begins now. The transport reports its events to the clock.

    With `watching` it records when each part of the answer arrived.
    """

    __slots__ = ("_arrived", "_began", "_connect_ms", "_first_byte_ms", "_sent", "_size", "watching")

    def __init__(self, *, watching: bool = False) -> None:
        self.watching = watching
        self._arrived: list[tuple[int, float]] = []
        self._size = 0
        self._began = self._sent = time.perf_counter()
        self._connect_ms = 0.0
        self._first_byte_ms: float | None = None

    @classmethod
    def start(cls, *, watching: bool = False) -> Clock:
        """Return the clock of the next call of the running task."""
        clock = cls(watching=watching)
        running.set(clock)
        return clock

    def sending(self) -> None:
        """Record that the request is ready and needs a connection."""
        self._sent = time.perf_counter()

    def connected(self, began: float) -> None:
        """Record an opened connection; `began` is a time of `time.perf_counter`."""
        self._sent = time.perf_counter()
        self._connect_ms += (self._sent - began) * 1000

    def answering(self) -> None:
        """Record that the head of the answer has arrived."""
        self._first_byte_ms = (time.perf_counter() - self._sent) * 1000

    def arrived(self, size: int) -> None:
        """Record that this many more bytes of the body have arrived."""
        self._size += size
        self._arrived.append((self._size, (time.perf_counter() - self._began) * 1000))

    def when(self, offset: int) -> float | None:
        """Return the milliseconds after which the body had arrived up to an offset."""
        return next((at for size, at in self._arrived if size >= offset), None)

    def times(self) -> Times:
        """Return the times of the call, which ends now."""
        return Times(
            provider_ms=(time.perf_counter() - self._began) * 1000,
            connect_ms=self._connect_ms,
            first_byte_ms=self._first_byte_ms,
        )


# The clock of the current call.
running: ContextVar[Clock | None] = ContextVar("running", default=None)


class _Connector(aiohttp.TCPConnector):
    async def _create_connection(self, *args: Any, **kwargs: Any) -> Any:
        # Open a connection. aiohttp documents this method for overriding; it is called if no connection is free.
        began = time.perf_counter()
        connection = await super()._create_connection(*args, **kwargs)
        if clock := running.get():
            clock.connected(began)
        return connection


def open_session(
    url: str, headers: Mapping[str, str] | None = None, *, tls: ssl.SSLContext | None = None
) -> aiohttp.ClientSession:
    """Return a session for the server at `url`. It keeps connections but no cookies: no answer may depend on another.

    It has no limit on connections, because the gateway limits concurrency. `tls` replaces the system's certificates.
    """
    return aiohttp.ClientSession(
        connector=_Connector(limit=0, ssl=tls or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        proxy=proxy_for(url),
    )


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment or the system configures for an address, if any.

    aiohttp's `trust_env` would look it up for every call, in a thread. Servers on this machine need no proxy.
    """
    if addresses.is_loopback(url) or proxy_bypass(addresses.host(url)):
        return None
    known = getproxies()
    proxy = known.get(urlsplit(url).scheme) or known.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"
