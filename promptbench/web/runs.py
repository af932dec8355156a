"""Runs: the list, one side by side, any two, how far one is, its report and charts; starting, stopping, resuming."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptbench.core.errors import InputError
from promptbench.project import Project
from promptbench.report.templates import address
from promptbench.web.area import Area, Orders, is_part, ordered, project_of, redirect, render, with_form
from promptbench.web.cases import suite_of, suites_of
from promptbench.workflows.judge.budgets import describe_estimate
from promptbench.workflows.judge.compare import Matchup, compare
from promptbench.workflows.judge.inspect_run import (
    FILTERS,
    READING,
    GridQuery,
    by_tag,
    case_inputs,
    grid,
    page,
    progress,
    run_info,
    times_of,
)
from promptbench.workflows.judge.rejudge import gate_run
from promptbench.workflows.judge.run import plan
from promptbench.workflows.judge.run_report import run_report
from promptbench.workflows.judge.start_run import choose_run, control, run_choices, start, started_run, started_runs
from promptbench.workflows.start.explain import terms

_LISTED = 50
_MOST_COLUMNS = 8
_FILTER_OF = {"broken": "worse", "fixed": "better", "unstable": "unstable", "no answer": "errors"}
_ORDERS: Orders = {
    "started": lambda run: run.started,
    "suite": lambda run: run.suite,
    "result": lambda run: run.result or "",
    "candidate": lambda run: run.candidates or "",
}
# What an address may hold of a list of cases, in the order in which it does.
_STATE = ("a", "b", "show", "q", "tag", "group", "diff", "left", "right", "hide", "sort", "page")


def run_list(request: Request) -> Response:
    state, skip = {name: request.query_params.get(name, "") for name in ("suite", "sort")}, _number(request, "skip")
    with project_of(request).recordings() as runs:
        every = runs.grid().verdicts(state["suite"]) if runs else []
        suites = runs.suites() if runs else []
    return render(
        request,
        "runs.html",
        suite=state["suite"],
        sort=state["sort"],
        runs=ordered(every, state["sort"], _ORDERS)[skip : skip + _LISTED],
        suites=suites,
        older=skip + _LISTED if len(every) > skip + _LISTED else None,
        skip=skip,
        link=lambda **changes: f"/runs?{address({**state, **changes})}",
    )


def one_run(request: Request) -> Response:
    project = project_of(request)
    info = run_info(project, request.path_params["run"])
    with project.recorded() as runs:
        others = [item for item in runs.grid().verdicts(info.suite, _LISTED) if item.run != info.id and item.finished]
    values = {
        "info": info,
        "others": others,
        "glossary": _words(info.sentence or ""),
        "far": None if info.finished else progress(project, info),
    }
    return _grid_page(request, "run.html", project, [info.id], f"/runs/{info.id}", values)


def two_runs(request: Request) -> Response:
    project = project_of(request)
    first, second = (request.query_params.get(name, "") for name in ("a", "b"))
    if not (first and second):
        raise InputError("compare needs two runs", hint="open a run, and choose another one to compare it with")
    return _grid_page(request, "compare.html", project, [first, second], "/compare", {})


def verdict_on_two(request: Request) -> Response:
    """Return what the command `compare` says about two runs."""
    project = project_of(request)
    # Names of runs only: the command also takes paths of files.
    words = tuple(run_info(project, request.query_params.get(name, "")).id for name in ("a", "b"))
    found = compare(project, Matchup(words))
    return render(request, "report.html", report=run_report(found), link=_case_link(found.run))


def _grid_page(
    request: Request, template: str, project: Project, names: Sequence[str], path: str, values: dict[str, Any]
) -> Response:
    infos = [run_info(project, name) for name in names]
    given = request.query_params
    state = {name: given.get(name, "") for name in _STATE}
    state["hide"] = " ".join(dict.fromkeys(word for item in given.getlist("hide") for word in item.split()))
    found = grid(project, infos)
    query = GridQuery(
        state["show"], state["q"].strip(), state["tag"], _number(request, "page"), bool(state["group"]), state["sort"]
    )
    shown = page(project, infos, found, query)
    left = [number for number in range(len(found.columns)) if str(number) not in state["hide"].split()]
    bases = [column.base for column in found.columns if column.base is not None]
    pair = [_column(state["left"], bases[0] if bases else 0, found.columns)]
    pair.append(_column(state["right"], _against(found.columns, pair[0]), found.columns))
    # The words of the address that are only what is shown without them.
    state["page"] = "" if shown.page == 1 else str(shown.page)

    def link(**changes: object) -> str:
        words = address({**state, **({} if "page" in changes else {"page": ""}), **changes})
        return f"{path}?{words}" if words else path

    response = render(
        request,
        "matrix.html" if is_part(request) else template,
        **values,
        infos=infos,
        grid=found,
        rows=shown,
        filters=FILTERS,
        state=state,
        columns=left[:_MOST_COLUMNS],
        pair=pair,
        link=link,
        here=path,
        reading=shown.note == READING,
        case_words=address({name: value for name, value in state.items() if name in ("show", "q", "tag", "sort")}),
    )
    if is_part(request):
        response.headers["HX-Push-Url"] = link(page=shown.page if shown.page > 1 else "")
    return response


def _against(columns: Sequence[object], left: int) -> int:
    """Return the first column that is compared with another one, to be shown on the right."""
    based = [number for number, column in enumerate(columns) if getattr(column, "base", None) == left]
    return based[0] if based else min(left + 1, len(columns) - 1)


def _column(written: str, default: int, columns: Sequence[object]) -> int:
    return int(written) if written.isdecimal() and int(written) < len(columns) else default


def _number(request: Request, name: str) -> int:
    written = request.query_params.get(name, "")
    return int(written) if written.isdecimal() and len(written) < 9 else 0


def _words(sentence: str) -> list[tuple[str, str]]:
    """Return the words of the glossary that are in a sentence, with their meanings."""
    return [(it.term, it.meaning) for it in terms() if re.search(rf"\b{re.escape(it.term)}\b", sentence, re.IGNORECASE)]


def pulse(request: Request) -> Response:
    project = project_of(request)
    info = run_info(project, request.path_params["run"])
    response = render(request, "progress.html", info=info, far=progress(project, info))
    if info.finished:
        response.headers["HX-Refresh"] = "true"
    return response


def _case_link(run: str) -> object:
    def link(values: Mapping[str, str]) -> str:
        if "case" in values:
            return f"/runs/{run}/case?{address({'name': values['case']})}"
        return f"/runs/{run}?{address({'show': _FILTER_OF.get(values.get('state', ''), 'failing')})}"

    return link


def whole_report(request: Request) -> Response:
    """Return the report on a run, as `runs report` writes it."""
    found = gate_run(project_of(request), request.path_params["run"])
    return render(request, "report.html", report=run_report(found), link=_case_link(found.run))


def charts(request: Request) -> Response:
    project = project_of(request)
    info = run_info(project, request.path_params["run"])
    if not is_part(request):
        return render(request, "charts.html", info=info)
    report = run_report(gate_run(project, info.id))
    drawn = list(report.charts(times_of(project, info))) if report.charts else []
    tagged = by_tag(grid(project, [info]), case_inputs(project, info))
    return render(request, "charts_part.html", drawn=[*drawn, *([tagged] if tagged else [])])


def offer(request: Request) -> Response:
    """Return the form that starts a run, or the command and the expected cost of what is chosen in it."""
    project, query = project_of(request), request.query_params
    suites = list(suites_of(project))
    suite = query.get("suite") or next(iter(suites), "")
    file = suite_of(project, suite)
    if is_part(request):
        selection, words = choose_run(project, file, query.multi_items())
        return render(
            request,
            "start_part.html",
            plans=plan(project, selection),
            describe=describe_estimate,
            query=request.url.query,
            command=shlex.join(["promptbench", *words]),
        )
    choices, started = run_choices(project, file), started_runs(project)
    chosen = query.multi_items()
    return render(
        request, "start.html", suites=suites, suite=suite, choices=choices, chosen=chosen, started=started.values()
    )


def one_started(request: Request) -> Response:
    project = project_of(request)
    found, info = started_run(project, request.path_params["name"])
    far = progress(project, info) if info and not info.finished else None
    template = "started_part.html" if is_part(request) else "started.html"
    response = render(request, template, found=found, info=info, far=far)
    if not found["alive"]:
        response.headers["HX-Refresh"] = "true"
    return response


def begin(request: Request, _: Mapping[str, str]) -> Response:
    project, query = project_of(request), request.query_params
    _selection, words = choose_run(project, suite_of(project, query.get("suite", "")), query.multi_items())
    return redirect(f"/started/{start(project, words)}")


def steer(request: Request, _: Mapping[str, str]) -> Response:
    resumes = request.url.path.endswith("/resume")
    return redirect(f"/started/{control(project_of(request), request.path_params['name'], resume=resumes)}")


AREA = Area(
    [
        Route("/runs", run_list),
        Route("/runs/{run}", one_run),
        Route("/runs/{run}/progress", pulse),
        Route("/runs/{run}/report", whole_report),
        Route("/runs/{run}/charts", charts),
        Route("/compare", two_runs),
        Route("/compare/report", verdict_on_two),
        Route("/start", offer),
        Route("/started/{name}", one_started),
    ],
    [
        Route("/start", with_form(begin), methods=["POST"]),
        Route("/started/{name}/stop", with_form(steer), methods=["POST"]),
        Route("/started/{name}/resume", with_form(steer), methods=["POST"]),
    ],
    menu=("Runs", "/runs"),
)
