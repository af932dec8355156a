"""What a module of pages hands to the application, and what a page uses to answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

from jinja2 import Environment
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from promptbench.project import Project
from promptbench.web.security import TOKEN, Access

# What a list can be sorted by, by the name that its address has.
Orders = Mapping[str, Callable[[Any], Any]]


@dataclass(frozen=True, slots=True)
class Area:
    """Pages that belong together.

    `reads` are routes of GET, `writes` of POST, which do not exist with --read-only. `menu` is the text and the path of
    the entry in the menu; None without one.
    """

    reads: Sequence[Route]
    writes: Sequence[Route] = ()
    menu: tuple[str, str] | None = None


@dataclass(frozen=True)
class Server:
    """What all requests share. `say` writes a line to the terminal."""

    open_project: Callable[[], Project]
    access: Access
    templates: Environment
    menu: Sequence[tuple[str, str]]
    read_only: bool
    say: Callable[[str], None]


def server_of(request: Request) -> Server:
    """Return what all requests share."""
    server: Server = request.app.state.server
    return server


def project_of(request: Request) -> Project:
    """Return the project that the page shows, with its settings as they are now."""
    return server_of(request).open_project()


def render(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """Return a page. Every template also gets what base.html needs, `read_only`, and `token_field` for its forms."""
    server = server_of(request)
    text = server.templates.get_template(template).render(
        menu=server.menu,
        path=request.url.path,
        static=server.access.static,
        token=server.access.token,
        token_field=Markup(f'<input type="hidden" name="{TOKEN}" value="{server.access.token}">'),
        read_only=server.read_only,
        **values,
    )
    # Half of a pair of surrogates, as models write it, has no form in UTF-8.
    return HTMLResponse(text.encode("utf-8", "replace"), status)


def is_part(request: Request) -> bool:
    """Return whether htmx asks for a part of the page, which replaces an element."""
    return request.headers.get("hx-request") == "true"


def with_form(answer: Callable[[Request, dict[str, str]], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a write: a plain function of a request and its form, which runs in a thread.

    The guard has checked the size of the form and its token.
    """

    async def endpoint(request: Request) -> Response:
        fields = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        form = {name: values[-1] for name, values in fields.items() if name != TOKEN}
        request.state.form = form
        return await run_in_threadpool(answer, request, form)

    return endpoint


def ordered(items: Sequence[Any], wanted: str, keys: Orders) -> Sequence[Any]:
    """Return the items in the order of an address: by one of the keys, backwards with `-` before its name."""
    key = keys.get(wanted.removeprefix("-"))
    return sorted(items, key=key, reverse=wanted.startswith("-")) if key else items


def redirect(path: str, values: Mapping[str, str] | None = None) -> Response:
    """Return a redirect to a page, after a write. The path is one of the application's own."""
    return RedirectResponse(f"{path}?{urlencode(values)}" if values else path, 303)
