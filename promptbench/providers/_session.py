"""Connections to servers, and a clock for each call: how long connecting took, and when the answer began.

aiohttp's own tracing (`TraceConfig`) would tell the same, and costs a tenth of a call's CPU time.
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

from promptbench.providers import _credentials

CONNECT_SECONDS = 10.0


class Times(TypedDict):
    """The times of one call, as `Answer` has them."""

    provider_ms: float
    connect_ms: float
    first_byte_ms: float | None


class Clock:
    """Takes the times of one call, which begins now. What sends the call tells the clock what happens."""

    __slots__ = ("_arrived", "_began", "_connect_ms", "_first_byte_ms", "_sent", "_size", "watching")

    def __init__(self, *, watching: bool = False) -> None:
        self.watching = watching
        """Whether it is wanted to know when each part of the answer came."""
        self._arrived: list[tuple[int, float]] = []
        self._size = 0
        self._began = self._sent = time.perf_counter()
        self._connect_ms = 0.0
        self._first_byte_ms: float | None = None

    @classmethod
    def start(cls, *, watching: bool = False) -> Clock:
        """A clock for the call that the running task makes next."""
        clock = cls(watching=watching)
        _running.set(clock)
        return clock

    def sending(self) -> None:
        """The request is ready, and wants a connection."""
        self._sent = time.perf_counter()

    def connected(self, began: float) -> None:
        """A connection was opened; `began` is of `time.perf_counter`."""
        self._sent = time.perf_counter()
        self._connect_ms += (self._sent - began) * 1000

    def answering(self) -> None:
        """The head of the answer is in."""
        self._first_byte_ms = (time.perf_counter() - self._sent) * 1000

    def arrived(self, size: int) -> None:
        """So many more bytes of the answer's body are in."""
        self._size += size
        self._arrived.append((self._size, (time.perf_counter() - self._began) * 1000))

    def when(self, offset: int) -> float | None:
        """The milliseconds after which the body was in up to an offset."""
        return next((at for size, at in self._arrived if size >= offset), None)

    def times(self) -> Times:
        """The times of a call that ends now."""
        provider_ms = (time.perf_counter() - self._began) * 1000
        return Times(provider_ms=provider_ms, connect_ms=self._connect_ms, first_byte_ms=self._first_byte_ms)


_running: ContextVar[Clock | None] = ContextVar("running", default=None)


def running() -> Clock | None:
    """The clock of the call that this is done for."""
    return _running.get()


class _Connector(aiohttp.TCPConnector):
    async def _create_connection(self, *args: Any, **kwargs: Any) -> Any:
        """The method that aiohttp documents for connectors to override: called when no kept connection is free."""
        began = time.perf_counter()
        connection = await super()._create_connection(*args, **kwargs)
        if clock := running():
            clock.connected(began)
        return connection


def open_session(
    url: str, headers: Mapping[str, str] | None = None, *, tls: ssl.SSLContext | None = None
) -> aiohttp.ClientSession:
    """A session for the server at `url` that keeps connections and no cookies: no answer depends on another.

    How many calls there are at once is the gateway's to say. `tls` says whom to trust, in place of the system's list.
    """
    return aiohttp.ClientSession(
        connector=_Connector(limit=0, ssl=tls or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        proxy=proxy_for(url),
    )


def proxy_for(url: str) -> str | None:
    """The proxy that the environment or the system names for an address, if it does.

    Looked up here, since aiohttp's `trust_env` looks again at every call, in a thread. Proxies are for the way out of
    this machine, so a server on it is called past them.
    """
    if _credentials.is_loopback(url) or proxy_bypass(_credentials.host(url)):
        return None
    known = getproxies()
    proxy = known.get(urlsplit(url).scheme) or known.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"
