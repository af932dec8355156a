"""`promptbench suite`: how far a suite itself can be trusted."""

from __future__ import annotations

from importlib import import_module

import typer

suite = typer.Typer(help="Test the tests: mutate, calibrate, agreement, score.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    for name in ("check", "mutate", "calibrate", "agree"):
        import_module(f"promptbench.cli.{name}").register(suite)
    app.add_typer(suite, name="suite")
