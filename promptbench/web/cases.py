"""The cases of the suites: the list of one suite, and the form in which a case is written, checked, tried and saved."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptbench.core.errors import ConflictError, InputError, NothingSelected
from promptbench.core.words import number_of
from promptbench.project import Project
from promptbench.report.templates import address
from promptbench.web.area import Area, Orders, is_part, ordered, project_of, redirect, render, with_form
from promptbench.workflows.judge.budgets import Spending, describe_estimate
from promptbench.workflows.judge.inspect_run import state_of
from promptbench.workflows.judge.suite_session import try_case
from promptbench.workflows.start.explain import check_pages
from promptbench.workflows.start.new_case import CaseAuthor, CaseDraft, search_cases

_LISTED = 100
_NOT_OF_THE_CASE = ("suite", "name", "base", "more", "model", "cost", "go")  # Other fields of the form.
_ORDERS: Orders = {
    "name": lambda case: case.name.casefold(),
    "input": lambda case: str([*case.variables.values()]).casefold(),
    "expected": lambda case: str(case.expect) if case.has_expect else "",
    "tags": lambda case: case.tags,
}
_MAX_CALLS = 10  # of one try: retries, turns, steps and judges count


def suites_of(project: Project) -> dict[str, Path]:
    """Return the files of the project's suites by the folder that pages name them by."""
    with suppress(NothingSelected):
        return {project.shown(file.parent): file for file in project.suite_files(())}
    return {}


def suite_of(project: Project, name: str) -> Path:
    """Return the file of a suite. Raise InputError if it is unknown: a page names no other files."""
    if name not in (suites := suites_of(project)):
        raise InputError(f"suite '{name}' not found" if name else "no suite yet; `promptbench init` writes one")
    return suites[name]


def case_list(request: Request) -> Response:
    project, given = project_of(request), request.query_params
    suites = list(suites_of(project))
    state = {name: given.get(name, "") for name in ("suite", "q", "tag", "sort")}
    state["suite"] = state["suite"] or next(iter(suites), "")
    skip = int(given["skip"]) if given.get("skip", "").isdecimal() and len(given["skip"]) < 9 else 0
    file = suite_of(project, state["suite"]) if suites else None
    found = search_cases(project, file, state["q"].strip(), state["tag"]) if file else None
    return render(
        request,
        "cases_part.html" if is_part(request) else "cases.html",
        suites=suites,
        state=state,
        found=found,
        cases=ordered(found.cases, state["sort"], _ORDERS)[skip : skip + _LISTED] if found else (),
        skip=skip,
        most=_LISTED,
        saved=given.get("saved") or given.get("deleted", ""),
        deleted="deleted" in given,
        link=lambda **changes: f"/cases?{address({**state, **changes})}",
    )


def edit(request: Request) -> Response:
    """Return the form of a case, or of a new one."""
    forms, given = _forms(request, request.query_params), request.query_params
    if given.get("name") and given["name"] not in forms.known:
        raise InputError(f"case '{given['name']}' not found", hint="it may have been renamed; the list has all")
    return _form(request, forms, {**given, "base": forms.base(forms.known.get(given.get("name", "")))})


def check(request: Request, given: Mapping[str, str]) -> Response:
    """Return what is wrong with a form, at its fields, and what it would change."""
    forms = _forms(request, given)
    return _form(request, forms, given, _read(forms, given))


def save(request: Request, given: Mapping[str, str]) -> Response:
    forms = _forms(request, given, kept=False)
    draft = _read(forms, given)
    if draft.errors:
        return _form(request, forms, given, draft, 400)
    try:
        forms.save(draft, given.get("base", ""))
    except ConflictError:
        # Saved again, it replaces what is in the file now.
        return _form(request, forms, {**given, "base": forms.base(draft.old)}, draft, 409)
    return redirect("/cases", {"suite": forms.folder, "saved": draft.name})


def remove(request: Request, given: Mapping[str, str]) -> Response:
    """Return what it changes to delete a case, or with `go` delete it."""
    forms, name = _forms(request, given, kept=False), given.get("name", "")
    files = forms.without(name)
    if "go" in given:
        forms.write(files, forms.known[name], given.get("base", ""))
        return redirect("/cases", {"suite": forms.folder, "deleted": name})
    base, diff = forms.base(forms.known[name]), forms.target.diff(files)
    return render(
        request, "case_removal.html", suite=forms.folder, name=name, base=base, diff=diff, shown=forms.target.shown
    )


def trial(request: Request, given: Mapping[str, str]) -> Response:
    """Return what one try of a case would take, or with `go` its result."""
    forms, go = _forms(request, given), "go" in given
    draft = _read(forms, given)
    if draft.built is None or draft.errors:
        raise InputError("the case has errors", hint="the form shows each at its field")
    spending = Spending.read(given.get("cost") or None if go else None, _MAX_CALLS, None)
    file, model = forms.target.file, given.get("model", "")
    expected, attempt, reason = try_case(project_of(request), file, draft.built, model, spending, dry_run=not go)
    return render(
        request,
        "case_trial.html",
        expected=[f"{number_of(it.calls, 'call')} to {name}{describe_estimate(it)}" for name, it in expected.items()],
        priced=all(item.cost is not None for item in expected.values()),
        attempt=attempt,
        reason=reason,
        most=_MAX_CALLS,
        go=go,
    )


def _forms(request: Request, given: Mapping[str, str], *, kept: bool = True) -> CaseAuthor:
    """Return the author of a suite's cases. If `kept`, it is that of the last request, until a file of it changes."""
    project = project_of(request)
    file = suite_of(project, given.get("suite", ""))
    return _author(project.settings.root, file, state_of(file)) if kept else CaseAuthor(project, file, validate=False)


@lru_cache(maxsize=1)
def _author(root: Path, file: Path, state: tuple[int, int]) -> CaseAuthor:
    return CaseAuthor(Project.open(root), file, validate=False)


def _read(forms: CaseAuthor, given: Mapping[str, str]) -> CaseDraft:
    written = {name: text for name, text in given.items() if name not in _NOT_OF_THE_CASE}
    return forms.read(forms.known.get(given.get("name", "")), written)


def _form(
    request: Request, forms: CaseAuthor, given: Mapping[str, str], draft: CaseDraft | None = None, status: int = 200
) -> Response:
    """Return the page with the form, or its messages. With a draft, it has what was `given`, and what is wrong."""
    old = forms.known.get(given.get("name", ""))
    fields = forms.form(old, sum(item.startswith("=check") for item in given) + 2 * ("more" in given))
    if draft:
        fields = [replace(item, value=given.get(item.name, "")) for item in fields]
    problems = draft.problems if draft else {}
    headings = {item.heading for item in fields}
    return render(
        request,
        "case_check_part.html" if is_part(request) else "case_form.html",
        status,
        base=given.get("base", ""),
        name=given.get("name", ""),
        suite=forms.folder,
        shown=forms.target.shown,
        old=old,
        draft=draft,
        fields=fields,
        problems=problems,
        others=[item for heading, found in problems.items() if heading not in headings for item in found],
        diff=forms.target.diff(draft.files) if draft else "",
        command=forms.command(draft) if draft else "",
        checks=check_pages(),
        models=[model.name for model in forms.target.suite.models],
        conflict=status == 409,
    )


AREA = Area(
    [Route("/cases", case_list), Route("/cases/edit", edit)],
    [
        Route("/cases/edit", with_form(save), methods=["POST"]),
        Route("/cases/check", with_form(check), methods=["POST"]),
        Route("/cases/remove", with_form(remove), methods=["POST"]),
        Route("/cases/try", with_form(trial), methods=["POST"]),
    ],
    menu=("Cases", "/cases"),
)
