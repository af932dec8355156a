"""The transport of the official SDKs: an httpx2 transport on an aiohttp session.

The SDKs bring such a transport too; this one records the times of each call. See docs/design/0006-call-path.md.
"""

from urllib.parse import urlsplit

import aiohttp
import httpx2

from promptbench.providers import _session


class Transport(httpx2.AsyncBaseTransport):
    """A transport to one server. Raises aiohttp's errors, which the SDKs wrap in their own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        session = self._session = self._session or self._open()
        clock = _session.running.get()
        if clock:
            clock.sending()
        async with session.request(
            request.method,
            str(request.url),
            headers=request.headers.multi_items(),
            data=await request.aread(),  # a form with files is a stream
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
        # The certificates that the SDKs trust.
        return _session.open_session(
            self._url, tls=httpx2.create_ssl_context() if urlsplit(self._url).scheme == "https" else None
        )


async def _watched(response: aiohttp.ClientResponse, clock: _session.Clock) -> bytes:
    # Read the body, reporting each part to the clock.
    parts = []
    async for part in response.content.iter_any():
        clock.arrived(len(part))
        parts.append(part)
    return b"".join(parts)
