"""The application of `promptbench view`: its pages, and what all of them share.

How to add pages:

1. Write a module in `promptbench/web/`, named after what is shown, with functions from a request to a response, and
   `AREA = Area(reads=[Route("/things", things)], menu=("Things", "/things"))`. Add it to `AREAS` below.
   Use plain functions, not coroutines: they run in a thread, and may read files and the stores.
2. Call a workflow for everything that is shown, and return `render(request, "things.html", name=value)`. The template
   is in `templates/`, begins with `{% extends "base.html" %}` and fills the blocks `title` and `main`. A name that
   nobody gave is an error. `blocks` has tables, charts, word diffs and verdicts.
   Everything is escaped; there is never a reason for `|safe`.
3. State is in the address: a filter is a form with the method get, a page of a list is a link. If `is_part(request)`,
   htmx wants only the element that it replaces.

How to add a write, such as saving a form:

1. Add `writes=[Route("/things", with_form(save), methods=["POST"])]` to the area. With `--read-only` these
   routes do not exist, so a template shows the form only `{% if not read_only %}`.
2. The form is `<form method="post">` with `{{ token_field }}` in it; requests of htmx carry the token
   by themselves. The guard has checked host, origin, size and token before the function is called.
3. `save` is a function of the request and the fields of the form, and calls a workflow. It writes nothing itself, and
   returns `redirect(path)`.
4. A form that changes a file has the hash of the text that it was made from as a hidden field `base`
   (`core.canonical.digest_text`). The workflow compares it under its lock, and raises ConflictError if the file has
   changed since; the page then answers 409, and shows both.

Errors that promptbench raises on purpose become pages with the message, the hint and the diagnostics.
"""

import os
import traceback
from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from promptbench.core.errors import Exit, PromptbenchError
from promptbench.core.secrets import Secrets
from promptbench.project import Project
from promptbench.report.diagnostics import render as as_text
from promptbench.report.templates import environment
from promptbench.web import case, cases, home, logs, prompts, review, runs
from promptbench.web.area import Server, is_part, render, server_of
from promptbench.web.security import Access, Guard

AREAS = (home.AREA, runs.AREA, case.AREA, cases.AREA, logs.AREA, review.AREA, prompts.AREA)

_STATUS = {Exit.INPUT: 400, Exit.NOTHING: 404, Exit.CONFLICT: 409, Exit.ENVIRONMENT: 503}


def create_app(
    open_project: Callable[[], Project], access: Access, *, read_only: bool = False, say: Callable[[str], None] = print
) -> Guard:
    """Return the application, behind its guard.

    Args:
        open_project: opens the project anew for each request, so that changed settings count at once.
        access: who may talk to it.
        read_only: True if no route changes anything.
        say: prints a line in the terminal.
    """
    routes = [
        *(route for area in AREAS for route in area.reads),
        *(route for area in AREAS for route in (() if read_only else area.writes)),
        Mount(access.static, StaticFiles(packages=[("promptbench", "web/static"), ("promptbench", "report/assets")])),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={PromptbenchError: _explain, HTTPException: _refuse, Exception: _report_bug},
    )
    app.state.server = Server(
        open_project=open_project,
        access=access,
        templates=environment("web/templates"),
        menu=[area.menu for area in AREAS if area.menu],
        read_only=read_only,
        say=say,
    )
    return Guard(app, access)


def _explain(request: Request, error: Exception) -> Response:
    assert isinstance(error, PromptbenchError)
    status = 404 if error.exit is Exit.INPUT and request.method != "POST" else _STATUS.get(error.exit, 500)
    found = Secrets(os.environ).mask(as_text(error.diagnostics)) if error.diagnostics else ""
    # Whoever was too late still has what they wrote.
    sent = getattr(request.state, "form", {}) if status == 409 else {}
    return _page(request, status, error.message, error.hint or "", found, sent)


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = {404: "There is no such page", 405: "This page cannot be written to"}.get(error.status_code, error.detail)
    return _page(request, error.status_code, what, "")


def _report_bug(request: Request, error: Exception) -> Response:
    trace = Secrets(os.environ).mask("".join(traceback.format_exception(error)))
    last = trace.strip().splitlines()[-1]
    server_of(request).say(f"{trace}error: this is a bug in promptbench, not in your files: {last}")
    return _page(request, 500, "This is a bug in promptbench, not in your files", "The terminal shows the trace.", last)


def _page(
    request: Request, status: int, message: str, hint: str, found: str = "", sent: Mapping[str, str] = {}
) -> Response:
    template = "error_part.html" if is_part(request) else "error.html"
    return render(request, template, status, message=message, hint=hint, found=found, sent=sent)
