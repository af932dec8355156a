"""One case of a run: what goes in, what is expected, every attempt, and what became of it in earlier runs."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptbench.report.templates import address
from promptbench.web.area import Area, project_of, render
from promptbench.workflows.judge.inspect_run import GridQuery, grid, inspect_case, page, run_info


def one_case(request: Request) -> Response:
    project, given = project_of(request), request.query_params
    info = run_info(project, request.path_params["run"])
    found = inspect_case(project, info, given.get("name", ""))
    words = {name: given.get(name, "") for name in ("show", "q", "tag", "sort")}
    names = page(
        project, [info], grid(project, [info]), GridQuery(words["show"], words["q"], words["tag"], sort=words["sort"])
    ).names
    number = names.index(found.case.case) if found.case.case in names else None

    def link(to: int) -> str:
        return f"/runs/{info.id}/case?{address({'name': names[to], **words})}"

    return render(
        request,
        "one_case.html",
        info=info,
        found=found,
        back=f"/runs/{info.id}?{address(words)}".removesuffix("?"),
        place=None if number is None else number + 1,
        total=len(names),
        before=link(number - 1) if number else "",
        after=link(number + 1) if number is not None and number + 1 < len(names) else "",
    )


AREA = Area([Route("/runs/{run}/case", one_case)])
