"""`promptbench agree`: how far the judge of a check agrees with people, on record from then on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import AsJson, MaxCalls, MaxCost
from promptbench.core.errors import Exit, InputError

if TYPE_CHECKING:
    from promptbench.api import Agreed


def register(app: typer.Typer) -> None:
    app.command("agreement")(agree)


def agree(
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite's file or folder.")],
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help="Labelled answers: .csv, .xlsx or .jsonl.")
    ] = None,
    write_sheet: Annotated[
        Path | None, typer.Option("--write-sheet", metavar="FILE", help="Write a run's answers as a sheet to label.")
    ] = None,
    criterion: Annotated[
        str | None, typer.Option("--criterion", metavar="TEXT", help="Which check: the start of its 'passes if'.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="The run whose answers are meant; the latest by default.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Ask also about answers that were judged before.")] = False,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    as_json: AsJson = False,
) -> int:
    """Hold the judge of a `rubric` against people's labels. How far they agree is recorded.

    The record, agreement.json beside the suite, decides whether the check counts: commit it.
    """
    from dataclasses import asdict

    from promptbench import api
    from promptbench.cli.output import out, out_json
    from promptbench.cli.progress import Progress

    project = api.Project.open()
    if write_sheet is not None:
        count, known = api.write_sheet(project, suite, write_sheet, run=run)
        some = f"{count}" if count == known else f"{count} of {known}"
        out(f"wrote {some} answers to {write_sheet}: put pass or fail into the column 'label'")
        return Exit.YES
    if labels is None:
        raise InputError(
            "no labels are given", hint="--write-sheet FILE writes answers to label, --labels FILE reads them"
        )
    spending = api.Spending.read(max_cost, max_calls, None)
    with Progress(quiet=False) as progress:
        found = api.agree(
            project,
            suite,
            labels,
            criterion=criterion,
            run=run,
            again=again,
            spending=spending,
            listen=progress.listen,
        )
    if as_json:
        rest = {key: value for key, value in asdict(found).items() if key != "agreement"}
        out_json({"schema_version": 1, **found.agreement.as_dict(), **rest})
    else:
        _print(found)
    return Exit.YES if found.counts else Exit.NO


def _print(found: Agreed) -> None:
    from promptbench.cli.output import out
    from promptbench.report.words import clean, money

    agreement = found.agreement
    judges = ", ".join(f"{judge} (as {', '.join(names)})" for judge, names in agreement.judges.items())
    out(clean(f"{agreement.rubric}: judged by {judges}"))
    table = agreement.counts
    out(f"{'':<14}{'judge: pass':>12}{'judge: fail':>13}")
    out(f"{'person: pass':<14}{table.yes_yes:>12}{table.yes_no:>13}")
    out(f"{'person: fail':<14}{table.no_yes:>12}{table.no_no:>13}")
    kappa = agreement.kappa
    if kappa is not None:
        interval = f"95 % interval {kappa.low:.2f} to {kappa.high:.2f}"
        out(f"kappa {kappa.value:.2f} ({interval}) over {table.total} labelled answers")
    lengths = f"judge {_signed(agreement.judge_length)}, people {_signed(agreement.human_length)}"
    out(f"correlation of pass with the answer's length: {lengths}")
    kept = found.questions - found.calls
    lacks = f", {agreement.without_verdict} answers without verdict" if agreement.without_verdict else ""
    out(f"judges: {found.questions} questions, {kept} of them on record, {money(found.cost)}{lacks}")
    state = "counts from now on" if found.counts else "stays advisory"
    out(clean(f"{found.file} says so: the check {state} ({found.standing})"))


def _signed(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.2f}"
