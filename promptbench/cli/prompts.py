"""`promptbench prompts`: list, show and compare stored prompts, and their history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import Actor, AsJson, Reason
from promptbench.core.canonical import short
from promptbench.core.errors import Exit
from promptbench.core.words import number_of
from promptbench.report.words import clean

if TYPE_CHECKING:
    from promptbench.store.prompts import LabelEvent, Store, Version

Name = Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt's name in the store.")]
Reference = Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N|@HASH]")]

prompts = typer.Typer(help="List, show and compare prompts, and their history.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(prompts, name="prompts")


def _store() -> Store:
    from promptbench.project import Project

    return Project.open().prompts()


@prompts.command("list")
def list_(as_json: AsJson = False) -> int:
    """List all prompts with their labels."""
    from promptbench.cli.output import out, out_json

    with _store() as store:
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

    with _store() as store:
        version = store.get(reference)
        labels = [label for label, item in store.labels(version.prompt).items() if item.hash == version.hash]
        if evidence:
            return _evidence(store, version, as_json=as_json)
    if as_json:
        out_json({"schema_version": 1, **asdict(version), "labels": labels})
        return Exit.YES
    out(f"{version.prompt}@{version.number} ({short(version.hash)}) of {_second(version.created)}")
    out(f"labels: {', '.join(labels) or 'none'}\n")
    out(visible(version.source), end="" if version.source.endswith("\n") else "\n")
    return Exit.YES


def _evidence(store: Store, version: Version, *, as_json: bool) -> int:
    from promptbench.cli.output import out, out_json
    from promptbench.gate.evidence import rejudge

    proofs = [event for event in store.history(version.prompt) if event.to_hash == version.hash and event.evidence]
    if not proofs:
        out(f"{version.prompt}@{version.number} has no evidence: it was adopted or forced")
        return Exit.NO
    proof = store.evidence(str(proofs[-1].evidence))
    try:
        differences = rejudge(proof)
    except ValueError as error:
        out(f"{version.prompt}@{version.number}: {clean(str(error))}")
        return Exit.NO
    if as_json:
        out_json({"schema_version": 1, "evidence": proof, "differences": differences})
        return Exit.NO if differences else Exit.YES
    out(f"{version.prompt}@{version.number}: {clean(str(proof['verdict'].get('sentence')))}")
    for suite in proof["suites"]:
        models = ", ".join(model["model"] for model in suite["models"])
        out(clean(f"  suite {suite['suite']}, run {suite['run']}, on {models}"))
    out(clean(f"  {len(proof['attempts'])} attempts, {proof['tool']}, {proof['made']}"))
    again = "; ".join(differences) if differences else "the same verdict"
    out(clean(f"judged again from the recorded attempts: {again}"))
    return Exit.NO if differences else Exit.YES


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

    with _store() as store:
        first = store.get(old)
        second = store.get(new or first.prompt)
    lines = difflib.unified_diff(
        first.source.splitlines(), second.source.splitlines(), _named(first), _named(second), lineterm=""
    )
    text = "\n".join(lines)
    if text:
        out(visible(text))
    return Exit.NO if text else Exit.YES


def _named(version: Version) -> str:
    return f"{version.prompt}@{version.number} ({short(version.hash)})"


@prompts.command("history")
def history(prompt: Name, as_json: AsJson = False) -> int:
    """List every event of a prompt, oldest first."""
    from promptbench.cli.output import out, out_json

    with _store() as store:
        events = store.history(prompt)
        numbers = {version.hash: version.number for version in store.versions(prompt)}
    if as_json:
        out_json({"schema_version": 1, "prompt": prompt, "events": [asdict(event) for event in events]})
        return Exit.YES
    for event in events:
        for line in _lines(event, numbers):
            out(clean(line))
    return Exit.YES


def _lines(event: LabelEvent, numbers: dict[str, int]) -> Iterator[str]:
    yield f"{_second(event.at)}  {_merged(event) if event.merged else _moved(event, numbers)}"
    if event.reason:
        yield f"  reason: {event.reason}"
    if event.evidence:
        yield f"  evidence: {short(event.evidence)}"


def _moved(event: LabelEvent, numbers: dict[str, int]) -> str:
    before = f"@{numbers[event.from_hash]} → " if event.from_hash in numbers else ""
    after = f"@{event.to_number}" if event.to_number else "nothing"
    return f"{event.kind.replace('_', ' ')}  {event.label or 'all labels'}: {before}{after}  by {event.actor}"


def _merged(event: LabelEvent) -> str:
    branch = event.origin
    renumbered = f" is @{event.to_number}" if event.to_number != branch.to_number else ""
    version = f"@{branch.to_number} of another branch{renumbered}"
    done = f"{branch.kind.replace('_', ' ')} {branch.label or 'all labels'}, by {branch.actor}"
    return f"merged: {version if event.to_number else 'another branch'}, there {done}"


def _second(at: str) -> str:
    return f"{at[:19]}Z"
