"""`promptbench suite score`: check any text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from promptbench.cli.options import AsJson, variables
from promptbench.core.errors import Exit, InputError


def check(
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
    as_json: AsJson = False,
) -> int:
    """Try checks on a text, without a suite and without a model."""
    from promptbench.cli.output import out, out_json
    from promptbench.project import Project
    from promptbench.report.words import clean
    from promptbench.workflows.start.validate import check_text

    text, values = _text(text_file), variables(var or ())
    checked = check_text(Project.open(), text, checks, accept=accept, variables=values)
    code = Exit.YES if checked.passed else Exit.NO
    if as_json:
        out_json({"schema_version": 1, **checked.as_dict()})
        return code
    if checked.rung is not None:
        steps = ", ".join(f"{repair.name} at {repair.position}" for repair in checked.repairs)
        out(f"format: {checked.rung.value.replace('_', ' ')}{f' ({steps})' if steps else ''}")
    for score in checked.scores:
        part = "" if score.value == score.passed else f" ({score.value:.2f})"
        why = f": {clean(score.reason)}" if score.reason else ""
        out(f"{'passed' if score.passed else 'failed'}: {score.check}{part}{why}")
    passed = sum(score.passed for score in checked.scores)
    out(f"{'PASS' if checked.passed else 'FAIL'}: {passed} of {len(checked.scores)} checks passed")
    return code


def _text(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{'standard input' if str(file) == '-' else file} is not UTF-8 text") from None
