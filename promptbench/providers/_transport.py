"""The transport of the official SDKs: an httpx2 transport on an aiohttp session.

The SDKs bring such a transport too; this one records the times of each call, and can repeat a request of an SDK with
another content. See docs/design/0006-call-path.md.
"""

from urllib.parse import urlsplit

import aiohttp
import httpx2

from promptbench.providers import _session


class Transport(httpx2.AsyncBaseTransport):
    """A transport to one server. Raises aiohttp's errors, which the SDKs wrap in their own."""

    def __init__(self, url: str) -> None:
        # The certificates that the SDKs trust.
        tls = httpx2.create_ssl_context() if urlsplit(url).scheme == "https" else None
        self._session = _session.open_session(url, tls=tls)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self.send(request, await request.aread())  # a form with files is a stream

    async def send(self, request: httpx2.Request, content: bytes) -> httpx2.Response:
        """Return the response to a request with this content in place of its own."""
        clock = _session.running.get() or _session.Clock()
        clock.sending()
        async with self._session.request(
            request.method,
            str(request.url),
            headers=request.headers.multi_items(),
            data=content,
            allow_redirects=False,
            # httpx2 decompresses by itself.
            auto_decompress=False,
        ) as response:
            clock.answering()
            body = await (_watched(response, clock) if clock.watching else response.read())
        return httpx2.Response(
            response.status,
            headers=response.raw_headers,
            content=body,
            request=request,
            extensions={"transport": self},
        )

    async def aclose(self) -> None:
        await self._session.close()


async def _watched(response: aiohttp.ClientResponse, clock: _session.Clock) -> bytes:
    # Read the body, reporting each part to the clock.
    parts = []
    async for part in response.content.iter_any():
        clock.arrived(len(part))
        parts.append(part)
    return b"".join(parts)
