"""The prompt store: its prompts, the versions of one with their differences and events, and the proof of a version."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptbench.core.canonical import short
from promptbench.report.diff import line_diff
from promptbench.web.area import Area, project_of, render
from promptbench.workflows.store.get import describe_event, judge_evidence
from promptbench.workflows.upkeep.overview import overview


def prompt_list(request: Request) -> Response:
    return render(request, "prompts.html", prompts=overview(project_of(request)).prompts)


def one_prompt(request: Request) -> Response:
    name, given = request.path_params["name"], request.query_params
    with project_of(request).prompts() as store:
        versions, events, labels = store.versions(name), store.history(name), store.labels(name)
        notes = store.notes()
        held = labels.get("production", versions[-1] if versions else None)
        new = store.get(f"{name}@{given['to']}") if given.get("to") else (versions[-1] if versions else None)
        old = store.get(f"{name}@{given['from']}") if given.get("from") else held
    numbers = {version.hash: version.number for version in versions}
    return render(
        request,
        "prompt.html",
        name=name,
        notes=notes,
        versions=[
            (item, short(item.hash), [label for label, holder in labels.items() if holder.hash == item.hash])
            for item in reversed(versions)
        ],
        events=[list(describe_event(event, numbers)) for event in reversed(events)],
        old=old,
        new=new,
        lines=list(line_diff(old.source, new.source)) if old and new else [],
    )


def proof(request: Request) -> Response:
    name = request.path_params["name"]
    version = request.query_params.get("version") or "production"
    reference, evidence, differences = judge_evidence(project_of(request), f"{name}@{version}")
    return render(request, "proof.html", name=name, reference=reference, evidence=evidence, differences=differences)


AREA = Area(
    [Route("/prompts", prompt_list), Route("/prompts/{name}", one_prompt), Route("/prompts/{name}/proof", proof)],
    menu=("Prompts", "/prompts"),
)
