"""`promptbench new case`: add a case to a suite, by questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.core.diagnostics import suggest
from promptbench.core.errors import Exit, InputError

if TYPE_CHECKING:
    from promptbench.core.types import Json
    from promptbench.engine.prepare.evaluate import Evaluation
    from promptbench.workflows.start.new_case import CaseAuthor, Draft, Field

new = typer.Typer(help="Write something new.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(new, name="new")


@new.callback()
def _group() -> None:
    """Write something new."""


@new.command("case")
def case(
    suite: Annotated[
        Path | None, typer.Argument(metavar="SUITE", help="The suite's file or folder; the only one by default.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="What the case is about.")] = None,
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=TEXT", help="What goes in for {{NAME}} of the prompt.")
    ] = None,
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="YAML", help="What should come back, as under 'expect:'.")
    ] = None,
    never: Annotated[
        list[str] | None, typer.Option("--never", metavar="TEXT", help="What must never be in the answer.")
    ] = None,
    check: Annotated[
        list[str] | None, typer.Option("--check", metavar="YAML", help="A check as in a suite: 'contains: refund'.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag of the case.")] = None,
    was: Annotated[
        str | None,
        typer.Option("--was", metavar="TEXT", help="The wrong answer that came back; the case fails on it."),
    ] = None,
    answer: Annotated[
        str | None, typer.Option("--answer", metavar="TEXT", help="An answer to try the checks on; it is not kept.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the case, and write nothing.")] = False,
) -> int:
    """Add a case to a suite. At a terminal it asks for missing options, and shows the case before it writes."""
    from promptbench.cli.asking import confirm, is_interactive
    from promptbench.cli.output import out, say
    from promptbench.project import Project
    from promptbench.workflows.logs.capture import read_capture_options
    from promptbench.workflows.start.new_case import CaseAuthor, Draft

    author = CaseAuthor(Project.open(), suite)
    wanted = read_capture_options(should_be=None, expect=expect, checks=check or (), tags=tag or ())
    draft = Draft(
        name=name or "",
        variables=_variables(var or (), author.variables),
        expect=wanted.expect,
        never=tuple(never or ()),
        checks=wanted.checks,
        tags=wanted.tags,
        was=was,
    )
    asks = is_interactive() and not _says_all(draft, author)
    draft = _asked(draft, author) if asks else _complete(draft, author)
    author.check(draft)
    if same := author.same_input(draft):
        say(f"warning: the case '{same}' has the same input")
    if asks:
        say("")
    out(author.text(draft), end="")
    if asks:
        say("")
    if asks and answer is None and was is None:
        draft = _tried(draft, author)
    elif answer is not None and not _show(author.tried(draft, answer)):
        out("nothing was written")
        return Exit.NO
    if dry_run:
        return Exit.YES
    if asks and not confirm(f"Add it to {author.shown}?", default=True):
        out("nothing was written")
        return Exit.YES
    author.add(draft)
    out(f"added '{draft.name}' to {author.shown}")
    out(f"next: promptbench run {author.folder}")
    return Exit.YES


def _variables(written: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    found = {}
    for item in written:
        name, equals, text = item.partition("=")
        if not (name and equals):
            raise InputError(f"invalid --var '{item}'", hint="write it as --var NAME=TEXT")
        if names and name not in names:
            hint = suggest(name, names, f"the prompt has {', '.join(names)}")
            raise InputError(f"the prompt has no placeholder '{name}'", hint=hint)
        found[name] = text
    return found


def _says_all(draft: Draft, author: CaseAuthor) -> bool:
    """Return whether the options are complete."""
    return bool(draft.name) and not _missing(draft, author)


def _missing(draft: Draft, author: CaseAuthor) -> list[str]:
    missing = [f"--var {name}=…" for name in author.variables if name not in draft.variables]
    if not (draft.expect or draft.never or draft.checks or author.has_checks):
        missing.append("--expect …")
    return missing


def _complete(draft: Draft, author: CaseAuthor) -> Draft:
    """Return the options without asking. Raise InputError if something is missing."""
    if missing := _missing(draft, author):
        raise InputError(
            f"missing options: {', '.join(missing)}",
            hint="`promptbench new case --help` lists the options; at a terminal it asks for them",
        )
    return draft if draft.name else replace(draft, name=author.suggested_name(draft.variables))


_SAID = ("message", "text", "question", "input", "email", "mail", "query", "utterance")


def _asked(draft: Draft, author: CaseAuthor) -> Draft:
    """Return the options, completed by questions at the terminal."""
    from promptbench.cli.asking import read_text, read_valid
    from promptbench.cli.output import say

    values = dict(draft.variables)
    names = [name for name in author.variables if name not in values]
    for name in names:
        said = len(author.variables) == 1 or name in _SAID
        say(f"What did the customer say? ({{{{{name}}}}})" if said else f"What goes in for {{{{{name}}}}}?")
        values[name] = read_text()
    draft = replace(draft, variables=values)
    if not (draft.expect or draft.checks):
        draft = replace(draft, expect=_asked_expect(author))
    if not draft.never:
        say("What must never be in the answer? Words, with commas between; just Enter: skip.")
        draft = replace(draft, never=tuple(word for item in read_text().split(",") if (word := item.strip())))
    if not draft.name:
        suggested = author.suggested_name(values)
        say(f"What is the case about? Its name; just Enter: {suggested}")

        def named(written: str) -> str:
            author.check_name(written or suggested)
            return written or suggested

        draft = replace(draft, name=read_valid(named))
    return draft


def _asked_expect(author: CaseAuthor) -> tuple[Json, ...]:
    """Ask for the expected answer, field by field if it has fields."""
    from promptbench.cli.asking import read_text, read_valid
    from promptbench.cli.output import say
    from promptbench.workflows.start.new_case import as_data

    if not author.fields:
        say("What should have come back? Just Enter: what the suite's checks let pass.")
        written = read_text()
        return (as_data(written),) if written else ()
    say("What should have come back? Field by field; just Enter: anything.")
    expected = {}
    for field in author.fields:
        say(f"  {field.name}" + (f", one of {', '.join(field.choices)}" if field.choices else ""))
        said = read_valid(partial(_as_written, field))
        if said is not None:
            expected[field.name] = said
    return (expected,) if expected else ()


def _as_written(field: Field, text: str) -> Json:
    return field.read(text) if text else None


def _tried(draft: Draft, author: CaseAuthor) -> Draft:
    """Run the checks on a pasted answer; a wrong one may be kept in the case as the logged answer."""
    from promptbench.cli.asking import confirm, read_text
    from promptbench.cli.output import out, say

    say("An answer to try the checks on, such as the wrong one? Just Enter: skip.")
    answer = read_text()
    if not answer or _show(author.tried(draft, answer)):
        return draft
    if not confirm("Did this wrong answer come back? Then the case must fail on it."):
        return draft
    kept = replace(draft, was=answer)
    author.check(kept)
    out(author.text(kept), end="")
    return kept


def _show(found: Evaluation) -> bool:
    """Print the scores, and return whether the answer passes."""
    from promptbench.cli.output import out
    from promptbench.report.words import clean

    for score in found.scores:
        if score.errored:
            out(f"skipped: {score.check}, which needs a model")
        else:
            why = f": {clean(score.reason)}" if score.reason else ""
            out(f"{'passed' if score.passed else 'failed'}: {score.check}{why}")
    out("PASS: this answer is good enough" if found.passed else "FAIL: this answer is not good enough")
    return found.passed
