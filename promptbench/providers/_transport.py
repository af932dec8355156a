"""The transport under the official SDKs: httpx2 above, aiohttp below.

The SDKs bring such a transport too; this one keeps the times of each call.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp
import httpx2

from promptbench.providers import _session


class Transport(httpx2.AsyncBaseTransport):
    """Calls one server. Errors are aiohttp's: the SDKs make errors of their own of them, with the cause kept."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        session = self._session = self._session or self._open()
        clock = _session.running()
        if clock:
            clock.sending()
        async with session.request(
            request.method,
            str(request.url),
            headers=request.headers.multi_items(),
            data=request.content,
            allow_redirects=False,
            # httpx2 decompresses by itself.
            auto_decompress=False,
        ) as response:
            if clock:
                clock.answering()
            body = await (_watched(response, clock) if clock and clock.watching else response.read())
        return httpx2.Response(
            response.status, headers=response.raw_headers, stream=httpx2.ByteStream(body), request=request
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        # The same certificates as the SDKs would trust.
        tls = httpx2.create_ssl_context() if urlsplit(self._url).scheme == "https" else None
        return _session.open_session(self._url, tls=tls)


async def _watched(response: aiohttp.ClientResponse, clock: _session.Clock) -> bytes:
    """The body, of which the clock is told each part as it comes."""
    parts = []
    async for part in response.content.iter_any():
        clock.arrived(len(part))
        parts.append(part)
    return b"".join(parts)
