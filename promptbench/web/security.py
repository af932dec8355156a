"""Who may talk to the page: this machine only, with the address that the terminal printed, from the page itself.

Other web pages in the same browser can send requests to this server, and a name that resolves to 127.0.0.1 can make
them look local. So the host, the origin of every write and a cookie are checked before anything else sees a request.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp

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
    # Not no-referrer: with that, a browser sends the forms of the page with `Origin: null`.
    "Referrer-Policy": "same-origin",
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
        # A request has exactly one host.
        self.hosts = [[f"{host}:{port}"] for host in ("127.0.0.1", "localhost", "[::1]")]
        self.origins = [f"http://{host}" for [host] in self.hosts]
        # Cookies ignore ports, so the name keeps two projects apart.
        self.cookie = f"promptbench_{port}"
        self.session, self.token = secrets.token_hex(32), secrets.token_hex(32)
        # Under this path a browser keeps files until the server ends; after an upgrade they have another one.
        self.static = f"/static/{secrets.token_hex(4)}"
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


class Guard(BaseHTTPMiddleware):
    """Middleware that refuses every request that does not come from the page itself, and sets all headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        super().__init__(app)
        self._access = access

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = self._refusal(request) or await self._wrong_token(request) or await call_next(request)
        if request.scope["path"].startswith(self._access.static) and response.status_code == 200:
            response.headers["Cache-Control"] = "private, max-age=86400"
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    def _refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that is refused by its head, or that is answered here."""
        headers, access, writes = request.headers, self._access, request.method == "POST"
        # Not `request.url`, which has what the header says.
        if [host.lower() for host in headers.getlist("host")] not in access.hosts:
            return _page(400, "This page is not served under this name", "Use the address that the terminal shows.")
        if request.method not in ("GET", "HEAD", "POST"):
            return _page(405, "This method is not allowed")
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        # A link from elsewhere may open a page, but nothing else may load or send.
        moves = not writes and headers.get("sec-fetch-mode") == "navigate"
        own = site == "same-origin" or (site is None and origin is not None)
        if (site not in (None, "none", "same-origin") and not moves) or (writes and not own):
            return _page(403, "Another site sent this request")
        if origin not in (None, *access.origins):
            return _page(403, "Another site sent this request")
        if request.scope["path"] == OPEN and not writes:
            return self._open(request.query_params.get(TOKEN, ""))
        if not _equal(request.cookies.get(access.cookie, ""), access.session):
            access.offer()
            return _page(403, "This browser has no access yet", "Open the address that the terminal shows now.")
        return None

    def _open(self, key: str) -> Response:
        if not self._access.admits(key):
            self._access.offer()
            return _page(403, "This address was used before, or is too old", "The terminal shows a new one now.")
        # Not a redirect: after a link from another program, the browser would not send the cookie with it.
        head = '<!DOCTYPE html><link rel="icon" href="data:,"><meta http-equiv="refresh" content="0; url=/">'
        response = HTMLResponse(f'{head}<a href="/">Open</a>')
        response.set_cookie(self._access.cookie, self._access.session, httponly=True, samesite="strict")
        return response

    async def _wrong_token(self, request: Request) -> Response | None:
        """Return the answer to a write that is too large, of another type, or without the token."""
        if request.method != "POST":
            return None
        headers = request.headers
        if headers.get("content-type", "").partition(";")[0].strip().lower() not in _WRITTEN_AS:
            return _page(415, "A form or JSON is expected")
        # The server takes no more of a body than its length says.
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return _page(413, "This is too large", f"At most {MAX_BODY:,} bytes can be sent.")
        given = parse_qs((await request.body()).decode("utf-8", "replace")).get(TOKEN, [""])[0]
        if not _equal(headers.get(f"x-{TOKEN}", given), self._access.token):
            return _page(403, "This form is of an earlier start", "Nothing was saved: load the page again.")
        return None


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _page(status: int, title: str, text: str = "") -> Response:
    head = f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>'
    return HTMLResponse(f"{head}<h1>{title}</h1><p>{text}</p></html>", status)
