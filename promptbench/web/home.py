"""The first page: what is in production, how the suites stand, and what needs attention."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptbench.web.area import Area, project_of, render
from promptbench.workflows.upkeep.overview import concerns, overview


def home(request: Request) -> Response:
    project = project_of(request)
    return render(request, "home.html", root=project.settings.root.name, found=overview(project))


def attention(request: Request) -> Response:
    """Return what needs attention, which takes longer than the rest of the page."""
    return render(request, "attention.html", concerns=list(concerns(project_of(request))))


AREA = Area([Route("/", home), Route("/attention", attention)], menu=("Home", "/"))
