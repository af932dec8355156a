"""Move the labels of a prompt: promote on proof, roll back, retire; what each changes, and its command."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptbench.core.errors import ConflictError, InputError
from promptbench.core.types import Side
from promptbench.project import PRODUCTION
from promptbench.report.diff import line_diff
from promptbench.web.area import Area, form_of, project_of, redirect, render
from promptbench.workflows.judge.inspect_run import run_info
from promptbench.workflows.store.labels import Who, retire, rollback
from promptbench.workflows.store.promote import promote


def change(request: Request) -> Response:
    project, name = project_of(request), request.path_params["name"]
    with project.prompts() as store:
        versions, labels, events = store.versions(name), store.labels(name), store.history(name)
    held, info = {event.to_hash for event in events if event.label == PRODUCTION}, None
    with suppress(InputError), project.recorded() as runs:
        info = runs.run(request.query_params.get("run") or runs.latest(name))
    now = labels.get(PRODUCTION)
    candidates = [item for item in info.variants if item.side is Side.CANDIDATE] if info else []
    return render(
        request,
        "promotion.html",
        name=name,
        now=now,
        earlier=[item for item in reversed(versions) if item.hash in held and item != now],
        info=info,
        new=[(item, list(line_diff(now.source if now else "", item.source))) for item in candidates],
    )


async def move(request: Request) -> Response:
    """Promote, roll back or retire, as the command of the same name."""
    project, name, fields = project_of(request), request.path_params["name"], await form_of(request)
    with project.prompts() as store:
        holder = store.labels(name).get(PRODUCTION) if name in store.prompts() else None
    if (holder.hash if holder else "") != fields.get("base"):
        raise ConflictError(f"{PRODUCTION} of {name} has moved since this page was made", hint="load the page again")
    changes = {
        # The name of a run, and never of a file.
        "promote": lambda who: promote(project, name, run=run_info(project, fields.get("run", "")).id, who=who),
        "rollback": lambda who: rollback(project, name, to=fields.get("to"), who=who),
        "retire": lambda who: retire(project, name, label=PRODUCTION, who=who),
    }
    who = Who(reason=fields.get("reason", "").strip() or None)
    await run_in_threadpool(changes[request.url.path.rpartition("/")[2]], who)
    return redirect(f"/prompts/{quote(name, safe='')}")


AREA = Area(
    reads=[Route("/prompts/{name}/change", change)],
    writes=[
        Route(f"/prompts/{{name}}/{action}", move, methods=["POST"]) for action in ("promote", "rollback", "retire")
    ],
)
