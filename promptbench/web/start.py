"""Start a run with what the suites offer, see what it would cost, watch it, stop it and resume it."""

from __future__ import annotations

import shlex

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptbench.web.area import Area, is_part, project_of, redirect, render
from promptbench.workflows.judge import start_run
from promptbench.workflows.judge.budgets import describe_estimate
from promptbench.workflows.judge.inspect_run import progress
from promptbench.workflows.judge.run import plan


def offer(request: Request) -> Response:
    """Return the form, or the command and the expected cost of what is chosen in it."""
    project, query = project_of(request), request.query_params
    names = start_run.suites(project)
    suite = query.get("suite") or names[0]
    if is_part(request):
        selection, words = start_run.choose_run(project, suite, request.query_params.multi_items())
        return render(
            request,
            "start_part.html",
            plans=plan(project, selection),
            describe=describe_estimate,
            query=request.url.query,
            command=shlex.join(["promptbench", *words]),
        )
    choices, started = start_run.run_choices(project, suite), start_run.started_runs(project)
    return render(request, "start.html", suites=names, suite=suite, choices=choices, started=started.values())


def one_started(request: Request) -> Response:
    project = project_of(request)
    found, info = start_run.started_run(project, request.path_params["name"])
    far = progress(project, info) if info and not info.finished else None
    template = "started_part.html" if is_part(request) else "started.html"
    response = render(request, template, found=found, info=info, far=far)
    if not found["alive"]:
        response.headers["HX-Refresh"] = "true"
    return response


async def begin(request: Request) -> Response:
    project, suite = project_of(request), request.query_params.get("suite", "")
    _, words = await run_in_threadpool(start_run.choose_run, project, suite, request.query_params.multi_items())
    return redirect(f"/started/{await run_in_threadpool(start_run.start, project, words)}")


async def stop(request: Request) -> Response:
    name = request.path_params["name"]
    return redirect(f"/started/{await run_in_threadpool(start_run.stop, project_of(request), name)}")


async def resume(request: Request) -> Response:
    name = request.path_params["name"]
    return redirect(f"/started/{await run_in_threadpool(start_run.resume, project_of(request), name)}")


AREA = Area(
    reads=[Route("/start", offer), Route("/started/{name}", one_started)],
    writes=[
        Route("/start", begin, methods=["POST"]),
        Route("/started/{name}/stop", stop, methods=["POST"]),
        Route("/started/{name}/resume", resume, methods=["POST"]),
    ],
)
