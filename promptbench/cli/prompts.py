"""`promptbench prompts` and `get`: list, show, compare and print stored prompts, and their history."""

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from promptbench.cli.labels import moved
from promptbench.cli.options import Actor, AsJson, Lines, Project, Reason, prints, variables
from promptbench.core.canonical import short
from promptbench.core.errors import Exit, InputError
from promptbench.core.words import number_of
from promptbench.report.words import clean

Name = Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt's name in the store.")]
Reference = Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N|@HASH]")]

prompts = typer.Typer(help="List, show and compare prompts, and their history.", no_args_is_help=True)


@prompts.command("list")
@prints
def list_(project: Project) -> Lines:
    """List all prompts with their labels."""
    with project.prompts() as store:
        rows = [(name, store.labels(name), store.versions(name)) for name in store.prompts()]
    numbers = {name: {label: item.number for label, item in labels.items()} for name, labels, _ in rows}
    yield {
        "prompts": [{"prompt": name, "versions": len(versions), "labels": numbers[name]} for name, _, versions in rows]
    }
    for name, _, versions in rows:
        held = ", ".join(f"{label} @{number}" for label, number in numbers[name].items()) or "no label"
        yield f"{name}: {number_of(len(versions), 'version')}; {held}"
    if not rows:
        yield "the store is empty"
    return Exit.YES


@prompts.command("show")
@prints
def show(
    project: Project,
    reference: Reference,
    evidence: Annotated[bool, typer.Option("--evidence", help="Judge its recorded evidence again.")] = False,
) -> Lines:
    """Show one version: its labels, its date and its text.

    `promptbench get` prints the text exactly, for programs.
    """
    from promptbench.cli.output import visible

    if evidence:
        return (yield from _evidence(project, reference))
    with project.prompts() as store:
        version = store.get(reference)
        labels = [label for label, item in store.labels(version.prompt).items() if item.hash == version.hash]
    yield {**asdict(version), "labels": labels}
    yield f"{version.prompt}@{version.number} ({short(version.hash)}) of {version.created[:19]}Z"
    yield f"labels: {', '.join(labels) or 'none'}\n"
    yield visible(version.source).removesuffix("\n")
    return Exit.YES


def _evidence(project: Project, reference: str) -> Lines:
    from promptbench.workflows.store.get import judge_evidence

    name, proof, differences = judge_evidence(project, reference)
    yield {"evidence": proof, "differences": differences}
    if proof is None:
        yield f"{name} has no evidence: it was adopted or forced"
        return Exit.NO
    yield f"{name}: {clean(str(proof['verdict'].get('sentence')))}"
    for suite in proof["suites"]:
        models = ", ".join(model["model"] for model in suite["models"])
        yield clean(f"  suite {suite['suite']}, run {suite['run']}, on {models}")
    yield clean(f"  {len(proof['attempts'])} attempts, {proof['tool']}, {proof['made']}")
    again = "; ".join(differences) if differences else "the same verdict"
    yield clean(f"judged again from the recorded attempts: {again}")
    return Exit.NO if differences else Exit.YES


@prompts.command("label")
@prints
def label(
    project: Project,
    reference: Reference,
    name: Annotated[str, typer.Argument(metavar="LABEL", help="A label of your own, such as canary.")],
    reason: Reason = None,
    actor: Actor = None,
) -> Lines:
    """Point a label of your own to a version.

    Without evidence, so it needs --reason; `production` moves only on evidence.
    """
    from promptbench.workflows.store.labels import Who, set_label

    return (yield from moved(set_label(project, reference, name, who=Who(actor, reason))))


@prompts.command("diff")
def diff(
    old: Reference,
    new: Annotated[str | None, typer.Argument(metavar="NAME@…", help="NAME@production by default.")] = None,
) -> int:
    """Show the difference between two versions. Exit 1 if they differ."""
    import difflib

    from promptbench.cli.output import out, visible
    from promptbench.project import Project

    with Project.open().prompts() as store:
        first = store.get(old)
        second = store.get(new or first.prompt)
    one, other = (f"{version.prompt}@{version.number} ({short(version.hash)})" for version in (first, second))
    lines = difflib.unified_diff(first.source.splitlines(), second.source.splitlines(), one, other, lineterm="")
    text = "\n".join(lines)
    if text:
        out(visible(text))
    return Exit.NO if text else Exit.YES


@prompts.command("history")
@prints
def history(project: Project, prompt: Name) -> Lines:
    """List every event of a prompt, oldest first."""
    from promptbench.workflows.store.get import describe_events

    with project.prompts() as store:
        events, versions = store.history(prompt), store.versions(prompt)
    yield {"prompt": prompt, "events": [asdict(event) for event in events]}
    for lines in describe_events(events, versions):
        yield from map(clean, lines)
    return Exit.YES


def get(
    reference: Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N|@HASH]", help="NAME alone is NAME@production.")],
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=TEXT", help="A value for {{NAME}}; =@FILE reads a file.")
    ] = None,
    format_: Annotated[
        Literal["text", "messages", "openai", "anthropic", "langchain", "json"],
        typer.Option("--format", help="The text, the messages, a request's body, a template, or everything."),
    ] = "text",
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="The model to name in a request's body.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Print a stored prompt, with or without values."""
    from promptbench.cli.output import out, out_json
    from promptbench.project import Project
    from promptbench.workflows.store.get import fetch

    chosen = "json" if as_json else format_
    if model is not None and chosen not in ("openai", "anthropic"):
        raise InputError("--model is for a request's body", hint="add --format openai or --format anthropic")
    given = variables(var or ())
    fetched = fetch(Project.open(), reference)
    if chosen in ("openai", "anthropic"):
        out_json(fetched.body(chosen, given, model=model))
    elif chosen == "langchain":
        out_json(fetched.langchain(given))
    elif chosen == "messages":
        out_json([message.as_dict() for message in fetched.messages(given)])
    elif chosen == "json":
        rendered = {"messages": [item.as_dict() for item in fetched.messages(given)]} if given else {}
        out_json({"schema_version": 1, **fetched.as_dict(), **rendered})
    else:
        turns = fetched.messages(given) if given else ()
        text = "\n\n".join(turn.content if len(turns) == 1 else f"{turn.role}:\n{turn.content}" for turn in turns)
        text = text if given else fetched.version.source
        out(text, end="" if text.endswith("\n") else "\n")
    return Exit.YES
