"""`promptbench suite`: how far a suite itself can be trusted."""

from __future__ import annotations

import typer

from promptbench.cli.agree import agree
from promptbench.cli.calibrate import calibrate
from promptbench.cli.check import check
from promptbench.cli.mutate import mutate

suite = typer.Typer(help="Test the tests: score, mutate, calibrate, agreement.", no_args_is_help=True)
suite.command("score")(check)
suite.command("mutate")(mutate)
suite.command("calibrate")(calibrate)
suite.command("agreement")(agree)
