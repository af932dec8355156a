"""Review answers and generated cases one by one; what reviewers agree on; right answers as expected ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptbench.core.canonical import digest
from promptbench.core.errors import ConflictError, InputError
from promptbench.project import Project
from promptbench.web.area import Area, project_of, redirect, render, with_form
from promptbench.web.cases import suite_of, suites_of
from promptbench.workflows.judge.inspect_run import inspect_case, run_info
from promptbench.workflows.start.new_case import expect_answer
from promptbench.workflows.start.sheet import import_sheet
from promptbench.workflows.store.labels import DEFAULT_WHO, actor_of
from promptbench.workflows.trust import reviews


def _open(
    request: Request, given: Mapping[str, str]
) -> tuple[Project, Path, dict[str, str], Sequence[reviews.ReviewItem], str]:
    """Return project, suite, what every address of a review says, what is reviewed, and whether that are cases."""
    project, state = project_of(request), {name: given.get(name, "").strip() for name in ("suite", "reviewer", "sheet")}
    state["suite"] = state["suite"] or next(iter(suites_of(project)), "")
    state["reviewer"] = state["reviewer"] or actor_of(project, DEFAULT_WHO)
    file = suite_of(project, state["suite"])
    items = reviews.review_items(project, file, state["sheet"])
    return project, file, state, items, "case" if state["sheet"] else "answer"


def review(request: Request) -> Response:
    """Return what the reviewer has not marked yet and comes next, or what has the given number."""
    given = request.query_params
    project, file, state, items, about = _open(request, given)
    marks = reviews.read_marks(file.parent, about)
    own = {(mark.case, mark.answer, mark.model): mark for mark in marks if mark.reviewer == state["reviewer"]}
    undecided = [number for number, item in enumerate(items) if item[:3] not in own]
    later = [number for number in undecided if number > _number(given, "last")]
    number = _number(given, "n") if given.get("n") else next(iter(later or undecided), 0)
    item = items[number] if number < len(items) else None
    return render(
        request,
        "review.html",
        suites=list(suites_of(project)),
        sheets=reviews.review_sheets(project, file),
        state=state,
        about=about,
        total=len(items),
        left=len(undecided),
        number=number,
        last=given.get("last", ""),
        item=item,
        base=digest(list(item[:3])) if item else "",
        mark=own.get(item[:3]) if item else None,
        found=inspect_case(project, run_info(project, item.run), item.case) if item and item.run else None,
        pairs=reviews.compare_reviewers(marks),
        numbers={item.case: at for at, item in reversed([*enumerate(items)])},
    )


def _number(given: Mapping[str, str], name: str) -> int:
    return int(given[name]) if given.get(name, "").isdecimal() and len(given[name]) < 9 else -1


def _shown(items: Sequence[reviews.ReviewItem], given: Mapping[str, str]) -> reviews.ReviewItem:
    """Return what a form is about. Raise ConflictError if there is another run or sheet in its place by now."""
    found = items[_number(given, "n")] if items and _number(given, "n") < len(items) else None
    if found is None or digest(list(found[:3])) != given.get("base"):
        now = f"in its place is now '{found.case}': {found.answer or ''}" if found else "nothing is in its place now"
        raise ConflictError("this is not the newest run or sheet any more", hint=f"nothing was saved; {now}")
    return found


def mark(request: Request, given: Mapping[str, str]) -> Response:
    _, file, state, items, _ = _open(request, given)
    item, label, note, right = _shown(items, given), *(given.get(name, "") for name in ("label", "note", "should be"))
    reviews.mark_item(file.parent, item, label, state["reviewer"], note=note, should_be=right)
    return redirect("/review", {**state, ("n" if label == "withdrawn" else "last"): given["n"]})


def take(request: Request, given: Mapping[str, str]) -> Response:
    """Add the accepted cases of a review sheet to the suite."""
    project, file, state, _, _ = _open(request, given)
    done = import_sheet(project, project.settings.root / state["sheet"], file)
    return render(request, "review_taken.html", state=state, done=done)


def expect(request: Request, given: Mapping[str, str]) -> Response:
    """Show the suite in which a case expects what the reviewer says, or with the `hash` of its files write it."""
    project, file, state, items, about = _open(request, given)
    item = _shown(items, given)
    marks = [it for it in reviews.read_marks(file.parent, about) if it.reviewer == state["reviewer"]]
    own = next((it for it in marks if (it.case, it.answer, it.model) == item[:3]), None)
    if own is None:
        raise InputError(f"{state['reviewer']} has not marked this answer")
    author, draft = expect_answer(project, file, own)
    if "hash" in given:
        author.save(draft, given["hash"])
        return redirect("/cases", {"suite": author.folder, "saved": draft.name})
    return render(request, "review_expect.html", state=state, given=given, author=author, draft=draft)


AREA = Area(
    reads=[Route("/review", review)],
    writes=[
        Route("/review", with_form(mark), methods=["POST"]),
        Route("/review/expect", with_form(expect), methods=["POST"]),
        Route("/review/take", with_form(take), methods=["POST"]),
    ],
    menu=("Review", "/review"),
)
