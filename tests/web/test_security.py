"""Every route of the page, found in its table of routes, against every request that it must refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount, Route

from promptbench.web.security import MAX_BODY, Access
from tests.web.conftest import PORT, Viewer

pytestmark = pytest.mark.xdist_group("web")
OWN = f"http://127.0.0.1:{PORT}"
PAGE = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
# Header, value, and the status of the answer; on every route.
REFUSED: list[tuple[dict[str, str], int]] = [
    ({"host": "evil.example"}, 400),
    ({"host": f"evil.example:{PORT}"}, 400),
    ({"host": "127.0.0.1"}, 400),
    ({"host": f"127.0.0.1:{PORT + 1}"}, 400),
    ({"host": f"localhost.evil.example:{PORT}"}, 400),
    ({"host": f"127.0.0.1:{PORT}.evil.example"}, 400),
    ({"host": f"user@127.0.0.1:{PORT}"}, 400),
    ({"host": ""}, 400),
    ({"sec-fetch-site": "cross-site"}, 403),
    ({"sec-fetch-site": "same-site"}, 403),
    ({"cookie": ""}, 403),
    ({"cookie": f"promptbench_{PORT}=0"}, 403),
]
# The same for writes, beside a valid cookie and token.
REFUSED_WRITES: list[tuple[dict[str, str | None], int]] = [
    ({"sec-fetch-site": None}, 403),
    ({"sec-fetch-site": "none"}, 403),
    ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 403),
    ({"origin": "null"}, 403),
    ({"origin": "https://evil.example"}, 403),
    ({"origin": f"http://127.0.0.1:{PORT + 1}"}, 403),
    ({"sec-fetch-site": None, "origin": f"https://127.0.0.1:{PORT}"}, 403),
    ({"content-type": "text/plain"}, 415),
    ({"content-type": "multipart/form-data; boundary=x"}, 415),
    ({"content-type": None}, 415),
    ({"x-token": None}, 403),
    ({"x-token": "0"}, 403),
]


def paths(viewer: Viewer, method: str) -> Iterator[str]:
    for route in viewer.routes:
        if isinstance(route, Mount):
            yield from ([f"{route.path}/view.css", f"{route.path}/../view.js"] if method == "GET" else [])
        elif isinstance(route, Route) and method in (route.methods or ()):
            yield re.sub(r"{(\w+)(:\w+)?}", "x", route.path)


def test_every_route_refuses_what_does_not_come_from_the_page(viewer: Viewer) -> None:
    for method in ("GET", "HEAD", "POST"):
        token = {"x-token": viewer.access.token} if method == "POST" else {}
        for path in [*paths(viewer, method), "/nowhere"]:
            for headers, status in REFUSED:
                answer = viewer.request(method, path, headers={**PAGE, **token, **headers})
                assert (answer.status_code, method, path, headers) == (status, method, path, headers)


def test_every_write_needs_origin_type_and_token(viewer: Viewer) -> None:
    for path in [*paths(viewer, "POST"), "/nowhere"]:
        for changes, status in REFUSED_WRITES:
            headers = {**PAGE, "x-token": viewer.access.token, **changes}
            given = {name: value for name, value in headers.items() if value is not None}
            answer = viewer.post(path, content=b"", headers=given)
            assert (answer.status_code, path, changes) == (status, path, changes)
        large = {**PAGE, "x-token": viewer.access.token}
        assert viewer.post(path, content=b"a" * (MAX_BODY + 1), headers=large).status_code == 413
        chunks = (b"a" * 400_000 for _ in range(3))  # without a length
        assert viewer.post(path, content=chunks, headers=large).status_code == 413


def test_every_answer_has_the_headers(viewer: Viewer) -> None:
    viewer.cookies.clear()
    for path in [*paths(viewer, "GET"), "/nowhere", "/open?token=0"]:
        for cookie in ("", f"{viewer.access.cookie}={viewer.access.session}"):
            headers = viewer.get(path, headers={"cookie": cookie}).headers
            assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src")
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            kept = path.endswith(".css") and cookie
            assert headers["cache-control"] == ("private, max-age=86400" if kept else "no-store")
            assert not [name for name in headers if name.startswith("access-control")]
    viewer.cookies.set(viewer.access.cookie, viewer.access.session)
    assert viewer.get(f"{viewer.access.static}/nowhere.css").headers["cache-control"] == "no-store"


def test_no_route_changes_anything_by_get_and_read_only_has_no_write(judged: Path, viewer: Viewer) -> None:
    for page in (viewer, Viewer(judged, read_only=True)):
        for route in page.routes:
            methods = getattr(route, "methods", None) or {"GET", "HEAD"}
            assert methods in ({"GET", "HEAD"}, {"POST"})
    assert list(paths(Viewer(judged, read_only=True), "POST")) == []
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert viewer.request(method, "/").status_code == 405


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"])
def test_names_of_this_machine_are_served(viewer: Viewer, host: str) -> None:
    assert viewer.get("/", headers={"host": host}).status_code == 200


def test_two_hosts_are_refused(viewer: Viewer) -> None:
    hosts = [("host", f"127.0.0.1:{PORT}"), ("host", "evil.example")]
    assert viewer.get("/", headers=hosts).status_code == 400


def test_an_address_gives_access_once(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Viewer(judged) as page:
        page.cookies.clear()
        assert page.get("/").status_code == 403
        [address] = page.said
        opened = page.get(address)
        assert opened.status_code == 200
        assert 'content="0; url=/"' in opened.text
        assert "HttpOnly" in opened.headers["set-cookie"]
        assert "SameSite=strict" in opened.headers["set-cookie"]
        assert page.get("/").status_code == 200
        page.cookies.clear()
        assert page.get(address).status_code == 403
        # A new one is printed, and not one for each request.
        assert page.get(address).status_code == page.get(f"{page.access.static}/view.css").status_code == 403
        assert len(page.said) == 2
        assert page.get(page.said[1]).status_code == 200


def test_an_address_is_useless_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    access = Access(PORT, said.append)
    key = access.new_address().partition("=")[2]
    later: Any = lambda: 1e12  # noqa: E731
    monkeypatch.setattr("promptbench.web.security.time.monotonic", later)
    assert not access.admits(key)
    access.offer()
    assert len(said) == 1


def test_a_page_of_another_start_of_the_server_changes_nothing(viewer: Viewer, judged: Path) -> None:
    headers = {"sec-fetch-site": "same-origin"}
    answer = viewer.post("/nowhere", data={"token": Viewer(judged).access.token}, headers=headers)
    assert answer.status_code == 403
    assert "Nothing was saved" in answer.text
    assert viewer.post("/nowhere", data={"token": viewer.access.token}, headers=headers).status_code == 404
    assert viewer.post("/nowhere", data={"token": viewer.access.token}, headers={"origin": OWN}).status_code == 404
