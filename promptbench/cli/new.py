"""`promptbench new case`: add a case to a suite, by options or by questions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import variables
from promptbench.cli.output import ask_text, ask_until, confirm, is_interactive, out, say
from promptbench.core.errors import Exit, InputError, suggest
from promptbench.report.words import clean

if TYPE_CHECKING:
    from promptbench.core.types import Json
    from promptbench.workflows.start.new_case import CaseAuthor, CaseDraft

# Variables that hold what a customer wrote.
_MESSAGES = ("message", "text", "question", "input", "email", "mail", "query", "utterance")

new = typer.Typer(help="Write something new.", no_args_is_help=True)


@new.command("case")
def case(
    suite: Annotated[
        Path | None, typer.Argument(metavar="SUITE", help="The suite's file or folder; by default the only one.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="The name of the case.")] = None,
    var: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME=TEXT", help="A value for {{NAME}}; =@FILE reads a file."),
    ] = None,
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="YAML", help="The expected answer, as under 'expect:'.")
    ] = None,
    never: Annotated[
        list[str] | None, typer.Option("--never", metavar="TEXT", help="A text that must not be in the answer.")
    ] = None,
    check: Annotated[
        list[str] | None, typer.Option("--check", metavar="YAML", help="A check as in a suite: 'contains: refund'.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag of the case.")] = None,
    was: Annotated[
        str | None,
        typer.Option("--was", metavar="TEXT", help="The wrong answer of the model; the case must fail on it."),
    ] = None,
    answer: Annotated[
        str | None, typer.Option("--answer", metavar="TEXT", help="An answer to run the checks on; it is not written.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the case, and write nothing.")] = False,
) -> int:
    """Add a case to a suite. At a terminal it asks for missing options, and shows the case before it writes."""
    from promptbench.project import Project
    from promptbench.workflows.logs.capture import read_capture_options
    from promptbench.workflows.start.new_case import CaseAuthor

    author = CaseAuthor(Project.open(), suite)
    given = variables(var or ())
    if unknown := next((item for item in given if author.variables and item not in author.variables), None):
        hint = suggest(unknown, author.variables, f"the prompt has {', '.join(author.variables)}")
        raise InputError(f"the prompt has no placeholder '{unknown}'", hint=hint)
    options = read_capture_options(should_be=None, expect=expect, checks=check or (), tags=tag or ())
    expected, unwanted = options.expect, tuple(never or ())
    missing = [f"--var {variable}=…" for variable in author.variables if variable not in given]
    missing += [] if expected or unwanted or options.checks or author.has_checks else ["--expect …"]
    interactive = is_interactive() and bool(missing or not name)
    if interactive:
        _ask_variables(given, author)
        expected = expected if expected or options.checks else _ask_expected(author)
        unwanted = unwanted or _ask_unwanted()
        name = name or _ask_name(author.suggested_name(given), author)
    elif missing:
        hint = "`promptbench new case --help` lists the options; at a terminal it asks for them"
        raise InputError(f"missing options: {', '.join(missing)}", hint=hint)
    write = partial(author.draft, name or "", given, expected, unwanted, options.checks, options.tags)
    draft = write(was)
    if draft.twin:
        say(f"warning: the case '{draft.twin}' has the same input")
    if interactive:
        say("")
    out(draft.text, end="")
    if interactive and answer is None and was is None and (wrong := _ask_wrong_answer(draft, author)):
        draft = write(wrong)
        out(draft.text, end="")
    passed = answer is None or _evaluate(draft, author, answer)
    if dry_run and passed:
        return Exit.YES
    where = " and ".join(
        f"{author.folder}/{path.relative_to(author.target.suite.folder).as_posix()}" for path in draft.files
    )
    if not passed or (interactive and not confirm(f"Add it to {where}?", default=True)):
        out("nothing was written")
        return Exit.YES if passed else Exit.NO
    author.save(draft)
    out(f"added '{draft.name}' to {where}")
    out(f"next: promptbench run {author.folder}")
    return Exit.YES


def _ask_variables(values: dict[str, Json], author: CaseAuthor) -> None:
    for name in author.variables:
        if name not in values:
            is_message = len(author.variables) == 1 or name in _MESSAGES
            text = "What did the customer say" if is_message else "What is the value"
            say(f"{'Which image or PDF below the suite' if name in author.files else text}? ({{{{{name}}}}})")
            values[name] = ask_text()


def _ask_unwanted() -> tuple[str, ...]:
    say("What must never be in the answer? Words, with commas between; just Enter: skip.")
    return tuple(word for item in ask_text().split(",") if (word := item.strip()))


def _ask_name(suggested: str, author: CaseAuthor) -> str:
    def read_name(written: str) -> str:
        author.check_name(written or suggested)
        return written or suggested

    say(f"What is the case about? Its name; just Enter: {suggested}")
    return ask_until(read_name)


def _ask_expected(author: CaseAuthor) -> tuple[Json, ...]:
    from promptbench.workflows.start.new_case import choices_of, read_field, read_value

    if not author.fields:
        say("What should have come back? Just Enter: anything that passes the suite's checks.")
        written = ask_text()
        return (read_value(written),) if written else ()
    say("What should have come back? Field by field; just Enter: anything.")
    expected = {}
    for name, schema in author.fields.items():
        choices = ", ".join(choices_of(schema))
        say(f"  {name}, one of {choices}" if choices else f"  {name}")
        value = ask_until(partial(read_field, schema))
        if value is not None:
            expected[name] = value
    return (expected,) if expected else ()


def _ask_wrong_answer(draft: CaseDraft, author: CaseAuthor) -> str | None:
    """Try the checks on an answer of the user, and return it if it is wrong and came back from a model."""
    say("An answer to try the checks on, such as the wrong one? Just Enter: skip.")
    answer = ask_text()
    if not answer or _evaluate(draft, author, answer):
        return None
    return answer if confirm("Did this wrong answer come back? Then the case must fail on it.") else None


def _evaluate(draft: CaseDraft, author: CaseAuthor, answer: str) -> bool:
    """Print the scores of an answer, and return True if it passes."""
    found = author.evaluate(draft, answer)
    for score in found.scores:
        if score.errored:
            out(f"skipped: {score.check}, which needs a model")
        else:
            reason = f": {clean(score.reason)}" if score.reason else ""
            out(f"{'passed' if score.passed else 'failed'}: {score.check}{reason}")
    out("PASS: this answer is good enough" if found.passed else "FAIL: this answer is not good enough")
    return found.passed
