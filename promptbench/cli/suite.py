"""`promptbench suite`: how far a suite itself can be trusted."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from promptbench.cli.options import (
    Cases,
    CommandLine,
    Concurrency,
    First,
    Lines,
    MaxCalls,
    MaxCost,
    MaxMinutes,
    Models,
    Project,
    Reports,
    Sample,
    Seed,
    Suites,
    Tags,
    prints,
    reports,
    variables,
)
from promptbench.core.errors import Exit, InputError
from promptbench.core.subset import Subset

suite = typer.Typer(help="Test the tests: score, mutate, calibrate, agreement.", no_args_is_help=True)


@suite.command("score")
@prints
def check(
    project: Project,
    checks: Annotated[
        list[str],
        typer.Option("--with", metavar="CHECK", help="A check as in a suite: 'contains: refund'."),
    ],
    text_file: Annotated[
        Path, typer.Option("--text-file", metavar="FILE", help="The text; standard input by default.")
    ] = Path("-"),
    accept: Annotated[
        Literal["raw", "extracted", "repaired safe"], typer.Option(help="The lowest rung that counts as readable.")
    ] = "extracted",
    var: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME=TEXT", help="A variable that checks use; @FILE reads a file."),
    ] = None,
) -> Lines:
    """Try checks on a text, without a suite and without a model."""
    from promptbench.report.words import clean
    from promptbench.workflows.start.validate import check_text

    text, values = _text(text_file), variables(var or ())
    checked = check_text(project, text, checks, accept=accept, variables=values)
    yield checked.as_dict()
    if checked.rung is not None:
        steps = ", ".join(f"{repair.name} at {repair.position}" for repair in checked.repairs)
        yield f"format: {checked.rung.value.replace('_', ' ')}{f' ({steps})' if steps else ''}"
    for score in checked.scores:
        part = "" if score.value == score.passed else f" ({score.value:.2f})"
        why = f": {clean(score.reason)}" if score.reason else ""
        yield f"{'passed' if score.passed else 'failed'}: {score.check}{part}{why}"
    passed = sum(score.passed for score in checked.scores)
    yield f"{'PASS' if checked.passed else 'FAIL'}: {passed} of {len(checked.scores)} checks passed"
    return Exit.YES if checked.passed else Exit.NO


def _text(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{'standard input' if str(file) == '-' else file} is not UTF-8 text") from None


@suite.command("mutate")
@reports
def mutate(
    command: CommandLine,
    suites: Suites = None,
    case: Cases = None,
    tag: Tags = None,
    first: First = None,
    sample: Sample = None,
    seed: Seed = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Break the passing answers of this run. By default, the latest."),
    ] = None,
    at_least: Annotated[
        str | None,
        typer.Option("--at-least", metavar="SHARE", help="Exit with 1 if a suite kills fewer, such as 90%."),
    ] = None,
) -> Reports:
    """Break good answers, and show what no check notices. Calls no model."""
    from promptbench.project import Selection
    from promptbench.workflows.trust.mutate import mutate as run_mutations

    selection = Selection(
        paths=tuple(suites or ()),
        cases=tuple(case or ()),
        tags=tuple(tag or ()),
        subset=Subset(first, sample, seed),
    )
    found = run_mutations(command.project, selection, run=run, at_least=at_least)
    return [found]


@suite.command("calibrate")
@reports
def calibrate(
    command: CommandLine,
    suites: Suites = None,
    model: Models = None,
    case: Cases = None,
    tag: Tags = None,
    first: First = None,
    sample: Sample = None,
    seed: Seed = None,
    repeats: Annotated[
        int | None,
        typer.Option("--repeats", min=1, max=50, help="Tries for each side; by default the gate's maximum."),
    ] = None,
    concurrency: Concurrency = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: MaxMinutes = None,
) -> Reports:
    """Report flaky cases, and the false alarms they cause.

    The prompt in production runs as both sides. Later runs mention the flaky cases. The same command resumes an
    interrupted calibration.
    """
    from promptbench.cli.progress import Progress
    from promptbench.project import Selection
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.trust.calibrate import calibrate as run_calibration, calibration_report

    selection = Selection(
        paths=tuple(suites or ()),
        models=tuple(model or ()),
        cases=tuple(case or ()),
        tags=tuple(tag or ()),
        subset=Subset(first, sample, seed),
    )
    spending = Spending.read(max_cost, max_calls, max_minutes)
    with Progress(quiet=command.quiet) as progress:
        found = run_calibration(command.project, selection, repeats=repeats, spending=spending, listen=progress.listen)
    return [calibration_report(found)]


@suite.command("agreement")
@reports
def agree(
    command: CommandLine,
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
        str | None,
        typer.Option("--run", metavar="RUN", help="The labelled run; the latest by default."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Judge again what was judged before.")] = False,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
) -> Reports:
    """Measure a judge's agreement with human labels.

    The record, agreement.json next to the suite, decides if the check counts: commit it.
    """
    from promptbench.cli.output import out
    from promptbench.cli.progress import Progress
    from promptbench.workflows.judge.budgets import Spending
    from promptbench.workflows.trust.agree import agree as measure_agreement, write_sheet as write_label_sheet

    if write_sheet is not None:
        count, known = write_label_sheet(command.project, suite, write_sheet, run=run)
        some = f"{count}" if count == known else f"{count} of {known}"
        out(f"wrote {some} answers to {write_sheet}: put pass or fail into the column 'label'")
        return Exit.YES
    if labels is None:
        raise InputError(
            "--labels is missing", hint="--write-sheet FILE writes answers to label, --labels FILE reads them"
        )
    spending = Spending.read(max_cost, max_calls, None)
    with Progress(quiet=command.quiet) as progress:
        found = measure_agreement(
            command.project,
            suite,
            labels,
            criterion=criterion,
            run=run,
            again=again,
            spending=spending,
            listen=progress.listen,
        )
    return [found]
