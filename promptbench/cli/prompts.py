"""`promptbench prompts`: list, show and compare stored prompts, and their history."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from promptbench.cli.options import Actor, AsJson, Reason
from promptbench.core.canonical import short
from promptbench.core.errors import Exit
from promptbench.core.words import number_of
from promptbench.report.words import clean

Name = Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt's name in the store.")]
Reference = Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N|@HASH]")]

prompts = typer.Typer(help="List, show and compare prompts, and their history.", no_args_is_help=True)


@prompts.command("list")
def list_(as_json: AsJson = False) -> int:
    """List all prompts with their labels."""
    from promptbench.cli.output import out, out_json
    from promptbench.project import Project

    with Project.open().prompts() as store:
        rows = [(name, store.labels(name), store.versions(name)) for name in store.prompts()]
    if as_json:
        data = [
            {
                "prompt": name,
                "versions": len(versions),
                "labels": {label: item.number for label, item in labels.items()},
            }
            for name, labels, versions in rows
        ]
        out_json({"schema_version": 1, "prompts": data})
        return Exit.YES
    for name, labels, versions in rows:
        held = ", ".join(f"{label} @{item.number}" for label, item in labels.items()) or "no label"
        out(f"{name}: {number_of(len(versions), 'version')}; {held}")
    if not rows:
        out("the store is empty")
    return Exit.YES


@prompts.command("show")
def show(
    reference: Reference,
    evidence: Annotated[bool, typer.Option("--evidence", help="Judge its recorded evidence again.")] = False,
    as_json: AsJson = False,
) -> int:
    """Show one version: its labels, its date and its text.

    `promptbench get` prints the text exactly, for programs.
    """
    from promptbench.cli.output import out, out_json, visible
    from promptbench.project import Project

    if evidence:
        return _evidence(reference, as_json=as_json)
    with Project.open().prompts() as store:
        version = store.get(reference)
        labels = [label for label, item in store.labels(version.prompt).items() if item.hash == version.hash]
    if as_json:
        out_json({"schema_version": 1, **asdict(version), "labels": labels})
        return Exit.YES
    out(f"{version.prompt}@{version.number} ({short(version.hash)}) of {version.created[:19]}Z")
    out(f"labels: {', '.join(labels) or 'none'}\n")
    out(visible(version.source), end="" if version.source.endswith("\n") else "\n")
    return Exit.YES


def _evidence(reference: str, *, as_json: bool) -> int:
    from promptbench.cli.output import out, out_json
    from promptbench.project import Project
    from promptbench.workflows.store.get import judge_evidence

    name, proof, differences = judge_evidence(Project.open(), reference)
    if proof is None:
        out(f"{name} has no evidence: it was adopted or forced")
    elif as_json:
        out_json({"schema_version": 1, "evidence": proof, "differences": differences})
    else:
        out(f"{name}: {clean(str(proof['verdict'].get('sentence')))}")
        for suite in proof["suites"]:
            models = ", ".join(model["model"] for model in suite["models"])
            out(clean(f"  suite {suite['suite']}, run {suite['run']}, on {models}"))
        out(clean(f"  {len(proof['attempts'])} attempts, {proof['tool']}, {proof['made']}"))
        again = "; ".join(differences) if differences else "the same verdict"
        out(clean(f"judged again from the recorded attempts: {again}"))
    return Exit.NO if differences or proof is None else Exit.YES


@prompts.command("label")
def label(
    reference: Reference,
    name: Annotated[str, typer.Argument(metavar="LABEL", help="A label of your own, such as canary.")],
    reason: Reason = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> int:
    """Point a label of your own to a version.

    Without evidence, so it needs --reason; `production` moves only on evidence.
    """
    from promptbench.cli.moved import show as show_moved
    from promptbench.project import Project
    from promptbench.workflows.store.labels import Who, set_label

    moved = set_label(Project.open(), reference, name, who=Who(actor, reason))
    return show_moved(moved, as_json=as_json)


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
def history(prompt: Name, as_json: AsJson = False) -> int:
    """List every event of a prompt, oldest first."""
    from promptbench.cli.output import out, out_json
    from promptbench.project import Project, unverified
    from promptbench.workflows.store.get import describe_event

    with Project.open().prompts() as store:
        events = store.history(prompt)
        numbers = {item.hash: f"{item.number}{unverified(item.content)}" for item in store.versions(prompt)}
    if as_json:
        out_json({"schema_version": 1, "prompt": prompt, "events": [asdict(event) for event in events]})
        return Exit.YES
    for event in events:
        for line in describe_event(event, numbers):
            out(clean(line))
    return Exit.YES
