"""Questions to whoever sits at the terminal. They go to stderr, and ^C leaves without an answer."""

from __future__ import annotations

import sys

import typer


def somebody_is_there() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, *, default: str | None = None) -> str:
    """A line of text; `default` stands for an empty one."""
    answer: str = typer.prompt(question, default=default, err=True, prompt_suffix=" ", show_default=bool(default))
    return answer.strip()


def confirm(question: str, *, default: bool = False) -> bool:
    """Yes or no."""
    return bool(typer.confirm(question, default=default, err=True))
