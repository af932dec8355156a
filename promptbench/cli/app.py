"""The application and its error boundary: every way in which a command can end becomes an exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import typer

from promptbench import __version__
from promptbench.cli.output import coloured, out, say, visible
from promptbench.core.errors import Exit, PromptbenchError
from promptbench.core.secrets import Secrets
from promptbench.report.diagnostics import render

app = typer.Typer(
    name="promptbench",
    help="Regression tests for prompts: replay failing calls, judge candidates, promote what passes.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS = (
    "init",
    "new",
    "import",
    "failures",
    "capture",
    "sheet",
    "replay",
    "run",
    "validate",
    "calibrate",
    "gate",
    "rescore",
    "compare",
    "bench",
    "report",
    "runs",
    "repairs",
    "mutate",
    "agree",
    "adopt",
    "promote",
    "rollback",
    "retire",
    "prompts",
    "get",
    "store",
    "check",
    "explain",
    "schema",
    "doctor",
)

for _name in COMMANDS:
    import_module(f"promptbench.cli.{_name}").register(app)


def _version(wanted: bool) -> None:
    if wanted:
        out(f"promptbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and leave.", callback=_version, is_eager=True
    ),
) -> None:
    pass


@cache
def _commands() -> typer.core.TyperGroup:
    """The tree of commands, built once: in tests a process runs thousands of them."""
    tree = typer.main.get_command(app)
    assert isinstance(tree, typer.core.TyperGroup)
    return tree


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Never raises, never prints a traceback."""
    try:
        code = _commands().main(list(arguments), prog_name="promptbench", standalone_mode=False)
        return int(code or Exit.YES)
    except typer.TyperException as error:
        say(f"error: {error.format_message()}")
        say("hint: `promptbench --help` lists the commands, `promptbench COMMAND --help` their options")
        return Exit.INPUT
    except PromptbenchError as error:
        return _explained(error)
    except (KeyboardInterrupt, typer.Abort):
        say("stopped")
        return Exit.INTERRUPTED
    except Exception:  # noqa: BLE001 - whatever it is, the user gets a line and not a traceback
        return _bug(arguments)


def _explained(error: PromptbenchError) -> Exit:
    if error.diagnostics:
        say(render(error.diagnostics, colour=coloured(sys.stderr)))
    say(f"error: {visible(error.message)}")
    if error.hint:
        say(f"hint: {visible(error.hint)}")
    return error.exit


def _bug(arguments: Sequence[str]) -> Exit:
    """Our mistake: the trace goes to a file, with nothing secret in it, and the user gets one line."""
    words = [f"promptbench {__version__} {' '.join(arguments)}", f"Python {sys.version}", sys.platform, ""]
    text = Secrets(os.environ).mask("\n".join(words) + traceback.format_exc())
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="replace", prefix="promptbench-", suffix=".txt", delete=False
        ) as file:
            file.write(text)
        where = f"the trace is in {Path(file.name)}"
    except OSError:
        where = "and the trace could not be written"
    last = text.strip().splitlines()[-1]
    say(f"error: this is a bug in promptbench, not in your files: {last}")
    say(f"hint: {where}; please report it with that file")
    return Exit.BUG
