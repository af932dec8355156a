"""`promptbench check`: checks on any text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from promptbench.cli.options import AsJson
from promptbench.core.errors import Exit, InputError


def register(app: typer.Typer) -> None:
    app.command("score")(check)


def check(
    checks: Annotated[
        list[str],
        typer.Option("--with", metavar="CHECK", help="A check as in a suite: 'contains: refund'."),
    ],
    text_file: Annotated[
        Path, typer.Option("--text-file", metavar="FILE", help="The text; standard input by default, or for -.")
    ] = Path("-"),
    accept: Annotated[
        Literal["raw", "extracted", "repaired safe"], typer.Option(help="How far from clean JSON may be.")
    ] = "extracted",
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A variable that a check looks at.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Try checks on a text, without a suite and without a model."""
    from promptbench import api
    from promptbench.cli.output import out, out_json
    from promptbench.report.words import clean

    text, variables = _text(text_file), _variables(var or ())
    checked = api.check_text(api.Project.open(), text, checks, accept=accept, variables=variables)
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
    held = sum(score.passed for score in checked.scores)
    out(f"{'PASS' if checked.passed else 'FAIL'}: {held} of {len(checked.scores)} checks hold")
    return code


def _text(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{'standard input' if str(file) == '-' else file} is not UTF-8 text") from None


def _variables(written: Sequence[str]) -> dict[str, str]:
    pairs = [item.partition("=") for item in written]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise InputError(f"'{name}' is no variable", hint="write it as --var NAME=VALUE")
    return {name: value for name, _, value in pairs}
