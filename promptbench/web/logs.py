"""The imported calls: failures by cause, single calls, a case from a call with its proof, and what is fixed by now."""

import shlex
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptbench.core.call_filter import CallFilter, parse_since
from promptbench.core.errors import ConflictError, InputError, NothingSelected
from promptbench.project import Selection
from promptbench.report.templates import address
from promptbench.web.area import Area, Orders, is_part, ordered, project_of, redirect, render, with_form
from promptbench.web.cases import suite_of, suites_of
from promptbench.workflows.judge.budgets import Spending, describe_estimate
from promptbench.workflows.logs.capture import CaptureReport, capture, read_capture_options
from promptbench.workflows.logs.failures import find_failures, log_files, select_by_id, select_for_replay
from promptbench.workflows.logs.replay import replay, replay_answers, replay_report

_LISTED = 100
_ORDERS: Orders = {
    "why": lambda it: it.example.why,
    "calls": lambda it: it.count,
    "inputs": lambda it: len(it.inputs),
    "newest": lambda it: it.example.time or "",
}
_FAILED = CallFilter(failed=True)


def log_list(request: Request) -> Response:
    """Return the failures by cause, or the calls one by one."""
    project, given = project_of(request), request.query_params
    state = {name: given.get(name, "").strip() for name in ("show", "suite", "q", "model", "since", "sort")}
    skip = int(given["skip"]) if given.get("skip", "").isdecimal() and len(given["skip"]) < 9 else 0
    models = (f"*{state['model']}*",) if state["model"] else ()
    text, clusters, calls = state["q"].lower(), [], []
    try:
        since = parse_since(state["since"]) if state["since"] else None
    except ValueError as error:
        raise InputError(f"'since': {error}", hint="write a date, or an age such as 7d") from None
    if state["show"]:
        with project.recordings() as runs:
            wanted = CallFilter(failed=state["show"] == "failed", since=since, models=models)
            matching = (it for it in (runs.calls().find(wanted) if runs else ()) if text in repr(it.call).lower())
            calls = list(islice(matching, skip, skip + _LISTED + 1))
    else:
        with suppress(NothingSelected):
            file = suite_of(project, state["suite"]) if state["suite"] else None
            clusters = find_failures(project, file, CallFilter(since=since, models=models))
    return render(
        request,
        "logs_part.html" if is_part(request) else "logs.html",
        suites=list(suites_of(project)),
        state=state,
        clusters=ordered(
            [it for it in clusters if text in f"{it.example.why} {it.example.input} {it.example.answer}".lower()],
            state["sort"],
            _ORDERS,
        ),
        calls=calls[:_LISTED],
        skip=skip,
        more=len(calls) > _LISTED,
        most=_LISTED,
        link=lambda **changes: f"/logs?{address({**state, **changes})}",
    )


def one_call(request: Request, given: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """Return the page of a call, with what is `given` for a case; by default what its address says."""
    given = given or request.query_params
    project = project_of(request)
    [kept] = select_by_id(project, [request.path_params["id"]])
    return render(
        request,
        "call.html",
        status,
        kept=kept,
        given={name: given.get(name, "") for name in ("suite", "expect", "should_be", "check", "tag")},
        suites=list(suites_of(project)),
        conflict=status == 409,
    )


def _capture(request: Request, given: Mapping[str, str], *, dry_run: bool) -> tuple[CaptureReport, str]:
    """Capture a call, or only return what that would do; and the command that does the same."""
    project, suite = project_of(request), given.get("suite", "")
    calls = select_by_id(project, [request.path_params["id"]])
    written = {name: given.get(name, "").strip() for name in ("expect", "should_be", "check", "tag")}
    options = read_capture_options(
        should_be=written["should_be"] or None,
        expect=written["expect"] or None,
        checks=[written["check"]] if written["check"] else [],
        tags=[tag for item in written["tag"].split(",") if (tag := item.strip())],
    )
    found = capture(project, suite_of(project, suite), calls, options, dry_run=dry_run, base=given.get("base", ""))
    flags = [(name, value) for name, value in written.items() if name != "tag"] + [("tag", tag) for tag in options.tags]
    words = [word for name, value in flags if value for word in (f"--{name.replace('_', '-')}", value)]
    return found, shlex.join(["promptbench", "capture", suite, calls[0].id, *words])


def preview(request: Request) -> Response:
    """Return the case that a call would become, and why its logged answer fails it."""
    found, command = _capture(request, request.query_params, dry_run=True)
    return render(request, "capture.html", found=found, command=command, given=request.query_params)


def make_case(request: Request, given: Mapping[str, str]) -> Response:
    try:
        found, _ = _capture(request, given, dry_run=False)
    except ConflictError:
        return one_call(request, given, 409)
    for refused in found.refused:
        raise InputError(refused.reason, hint=refused.hint or None)
    [name] = [item.name for item in found.captured] or [case for _, case in found.known]
    return redirect("/cases", {"suite": given["suite"], "saved": name})


def rescored(request: Request) -> Response:
    """Return which logged failures pass the checks of a suite by now; no model is called."""
    project = project_of(request)
    calls = select_for_replay(project, log_files(None, {}, ""), _FAILED)
    report = replay_answers(project, suite_of(project, request.query_params.get("suite", "")), calls)
    return render(request, "report.html", report=report, link=lambda values: "")


def replayed(request: Request, given: Mapping[str, str]) -> Response:
    """Return what it would take to send the logged failures again, or with `go` what the candidate fixes of them."""
    project, suite, go = project_of(request), given.get("suite", ""), "go" in given
    calls, expected = given.get("calls", ""), dict[str, Any]()
    if go and not calls.isdecimal():
        raise InputError(f"expected a number of calls, got '{calls}'")
    command = ["promptbench", "replay", suite, "--ask", "--failed-only"]
    report = replay(
        project,
        Selection(paths=(suite_of(project, suite),)),
        select_for_replay(project, log_files(None, {}, ""), _FAILED),
        command=command,
        spending=Spending.read(given.get("cost") or None, int(calls) if go else None, None),
        announce=lambda failures, estimates: expected.update(estimates),
        listen=lambda event: None,
        dry_run=not go,
    )
    if report:
        link = f"/runs/{report.run}"
        return render(request, "report.html", report=replay_report(report), link=lambda values: link)
    return render(
        request,
        "replay.html",
        suite=suite,
        command=shlex.join(command),
        expected=[f"{it.calls:,} calls to {name}{describe_estimate(it)}" for name, it in expected.items()],
        calls=sum(item.calls for item in expected.values()),
        priced=all(item.cost is not None for item in expected.values()),
    )


AREA = Area(
    [
        Route("/logs", log_list),
        Route("/logs/replay", rescored),
        Route("/logs/calls/{id}", one_call),
        Route("/logs/calls/{id}/case", preview),
    ],
    [
        Route("/logs/calls/{id}/case", with_form(make_case), methods=["POST"]),
        Route("/logs/replay", with_form(replayed), methods=["POST"]),
    ],
    menu=("Logs", "/logs"),
)
