"""Who may talk to the page: this machine only, with the address that the terminal printed, from the page itself.

Other web pages in the same browser can send requests to this server, and a name that resolves to 127.0.0.1 can make
them look local. So the host, the origin of every write and a cookie are checked before anything else sees a request.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Iterator
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = "/open"
TOKEN = "token"  # The field of a form, and with X- the header, that holds the token of every write.
MAX_BODY = 1_000_000  # bytes
_SECONDS = 60.0  # How long a printed address can be used.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_WRITTEN_AS = ("application/x-www-form-urlencoded", "application/json")


class Access:
    """The secrets of one start of the server, and the addresses under which it is reached.

    Args:
        port: the port on the loopback interface.
        announce: prints a new address, if a browser without access asks for a page.
    """

    def __init__(self, port: int, announce: Callable[[str], None]) -> None:
        self.hosts = frozenset(f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]"))
        self.origins = frozenset(f"http://{host}" for host in self.hosts)
        # Cookies ignore ports, so the name keeps two projects apart.
        self.cookie = f"promptbench_{port}"
        self.session, self.token = secrets.token_hex(32), secrets.token_hex(32)
        self._announce = announce
        self._address = f"http://127.0.0.1:{port}{OPEN}?{TOKEN}="
        self._key, self._until = "", 0.0

    def new_address(self) -> str:
        """Return an address that gives access to one browser, once, within a minute."""
        self._key, self._until = secrets.token_hex(32), time.monotonic() + _SECONDS
        return self._address + self._key

    def admits(self, key: str) -> bool:
        """Return whether a key opens the page, and make it useless."""
        valid = bool(self._key) and time.monotonic() < self._until and _equal(key, self._key)
        self._key = "" if valid else self._key
        return valid

    def offer(self) -> None:
        """Print a new address, unless the last one can still be used."""
        if not self._key or time.monotonic() >= self._until:
            self._announce(self.new_address())


class Guard:
    """ASGI middleware that refuses every request that does not come from the page itself, and sets all headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = self._refusal(scope)
        if answer is None and scope["method"] == "POST":
            body = await _body(receive)
            answer = self._check_token(scope, body)
            receive = _replayed(body, receive)
        await (answer or self.app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is refused by its head, or that is answered here."""
        headers, access = Headers(scope=scope), self._access
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in access.hosts:
            return _page(400, "This page is not served under this name", "Use the address that the terminal shows.")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return _page(405, "This method is not allowed", "")
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        # A link from elsewhere may open a page, but nothing else may load or send.
        moves = scope["method"] != "POST" and headers.get("sec-fetch-mode") == "navigate"
        if site not in (None, "none", "same-origin") and not moves:
            return _page(403, "Another site sent this request", "")
        if scope["method"] == "POST":
            if (site != "same-origin" and origin is None) or (origin is not None and origin not in access.origins):
                return _page(403, "Another site sent this request", "")
            if headers.get("content-type", "").partition(";")[0].strip().lower() not in _WRITTEN_AS:
                return _page(415, "A form or JSON is expected", "")
            if int(headers.get("content-length", "0")) > MAX_BODY:
                return _page(413, "This is too large", f"At most {MAX_BODY:,} bytes can be sent.")
        if scope["path"] == OPEN and scope["method"] == "GET":
            return self._open(scope)
        if not any(_equal(value, access.session) for value in _cookies(headers, access.cookie)):
            access.offer()
            return _page(403, "This browser has no access yet", "Open the address that the terminal shows now.")
        return None

    def _open(self, scope: Scope) -> Response:
        key = parse_qs(scope["query_string"].decode("latin-1")).get(TOKEN, [""])[0]
        if not self._access.admits(key):
            self._access.offer()
            return _page(403, "This address was used before, or is too old", "The terminal shows a new one now.")
        # Not a redirect: after a link from another program, the browser would not send the cookie with it.
        response = HTMLResponse('<!DOCTYPE html><meta http-equiv="refresh" content="0; url=/"><a href="/">Open</a>')
        response.set_cookie(self._access.cookie, self._access.session, httponly=True, samesite="strict")
        return response

    def _check_token(self, scope: Scope, body: bytes | None) -> Response | None:
        if body is None:
            return _page(413, "This is too large", f"At most {MAX_BODY:,} bytes can be sent.")
        headers = Headers(scope=scope)
        given = headers.get(f"x-{TOKEN}", "")
        if not given and headers.get("content-type", "").lower().startswith(_WRITTEN_AS[0]):
            given = parse_qs(body.decode("utf-8", "replace")).get(TOKEN, [""])[0]
        if not _equal(given, self._access.token):
            return _page(403, "This form is of an earlier start", "Nothing was saved: load the page again.")
        return None


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _cookies(headers: Headers, name: str) -> Iterator[str]:
    for line in headers.getlist("cookie"):
        try:
            found = SimpleCookie(line)
        except CookieError:
            continue
        if name in found:
            yield found[name].value


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request; None if it is too large."""
    parts, size = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _replayed(body: bytes | None, receive: Receive) -> Receive:
    """Return a `receive` that yields the body that was read, and then what follows it."""
    left = [body or b""]

    async def again() -> Message:
        return {"type": "http.request", "body": left.pop()} if left else await receive()

    return again


def _page(status: int, title: str, text: str) -> Response:
    return HTMLResponse(
        f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<h1>{escape(title)}</h1><p>{escape(text)}</p></html>",
        status,
    )
