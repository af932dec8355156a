"""The prompt store: its prompts, the versions of one, its events, the proof of a version, and moving its label."""

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptbench.core.canonical import short
from promptbench.core.errors import ConflictError, InputError
from promptbench.project import PRODUCTION
from promptbench.report.diff import line_diff
from promptbench.web.area import Area, project_of, redirect, render, with_form
from promptbench.workflows.judge.inspect_run import run_info
from promptbench.workflows.store.get import describe_events, judge_evidence
from promptbench.workflows.store.labels import Who, retire, rollback
from promptbench.workflows.store.promote import promote
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
    return render(
        request,
        "prompt.html",
        name=name,
        notes=notes,
        versions=[
            (item, short(item.hash), [label for label, holder in labels.items() if holder.hash == item.hash])
            for item in reversed(versions)
        ],
        events=list(describe_events(reversed(events), versions)),
        proven={event.to_hash for event in events if event.evidence},
        old=old,
        new=new,
        lines=list(line_diff(old.source, new.source)) if old and new else [],
    )


def proof(request: Request) -> Response:
    name = request.path_params["name"]
    version = request.query_params.get("version") or "production"
    reference, evidence, differences = judge_evidence(project_of(request), f"{name}@{version}")
    return render(request, "proof.html", name=name, reference=reference, evidence=evidence, differences=differences)


def change(request: Request) -> Response:
    """Return what a promotion, a rollback and a retirement would change."""
    project, name = project_of(request), request.path_params["name"]
    info = None
    with project.prompts() as store:
        versions, now, events = store.versions(name), store.labels(name).get(PRODUCTION), store.history(name)
    with suppress(InputError), project.recorded() as runs:
        info = runs.run(request.query_params.get("run") or runs.latest(name))
    held = [event.to_hash for event in events if event.label == PRODUCTION]
    earlier = [item for item in reversed(versions) if item.hash in held and item != now]
    return render(request, "promotion.html", name=name, now=now, earlier=earlier, info=info)


def move(request: Request, fields: Mapping[str, str]) -> Response:
    """Promote, roll back or retire, as the command of the same name."""
    project, name = project_of(request), request.path_params["name"]
    with project.prompts() as store:
        holder = store.labels(name).get(PRODUCTION) if name in store.prompts() else None
    if (holder.hash if holder else "") != fields.get("base"):
        now = f"it is @{holder.number} now:\n{holder.source}" if holder else "nothing is in production now"
        raise ConflictError(
            f"{PRODUCTION} of {name} has moved since this page was made", hint=f"nothing was done; {now}"
        )
    who, action = Who(reason=fields.get("reason", "").strip() or None), request.url.path.rpartition("/")[2]
    if action == "promote":
        # The name of a run, and never of a file.
        promote(project, name, run=run_info(project, fields.get("run", "")).id, who=who)
    elif action == "rollback":
        rollback(project, name, to=fields.get("to"), who=who)
    else:
        retire(project, name, label=PRODUCTION, who=who)
    return redirect(f"/prompts/{quote(name, safe='')}")


AREA = Area(
    [
        Route("/prompts", prompt_list),
        Route("/prompts/{name}", one_prompt),
        Route("/prompts/{name}/proof", proof),
        Route("/prompts/{name}/change", change),
    ],
    [
        Route(f"/prompts/{{name}}/{action}", with_form(move), methods=["POST"])
        for action in ("promote", "rollback", "retire")
    ],
    menu=("Prompts", "/prompts"),
)
