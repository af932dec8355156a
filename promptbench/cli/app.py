"""The application and its error boundary, where each end of a command becomes an exit code."""

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from promptbench import __version__
from promptbench.cli.completion import VARIABLE, prepare
from promptbench.cli.output import out, say, show, start_command, visible
from promptbench.core.errors import Exit, PromptbenchError
from promptbench.core.secrets import Secrets


class _Commands(typer.core.TyperGroup):
    """The top of the command tree: `--help` lists the commands by panel."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        for panel, names in PANELS.items():
            with formatter.section(panel):
                limit = formatter.width - 6 - width
                formatter.write_dl(
                    [(f"{name:<{width}}", self.commands[name].get_short_help_str(limit)) for name in names]
                )


# The commands as `--help` shows them. The panels are the folders of `workflows/` and the sections of the guides.
PANELS = {
    "Start": ("init", "models", "new", "validate", "explain", "docs", "schema", "sheet", "generate"),
    "Judge": ("run", "compare", "ablate", "suggest"),
    "Logs": ("import", "failures", "capture", "replay"),
    "Store": ("adopt", "promote", "rollback", "retire", "prompts", "get", "export", "store"),
    "Trust": ("suite", "repairs"),
    "Measure": ("bench",),
    "Upkeep": ("view", "runs", "doctor"),
}
# Commands of 0.1 under today's names. They still work, with a warning.
RENAMED = {
    "agree": "suite agreement",
    "calibrate": "suite calibrate",
    "check": "suite score",
    "gate": "runs gate",
    "mutate": "suite mutate",
    "report": "runs report",
    "rescore": "runs rescore",
}

# Commands and options of 0.1 that are gone, with what to do instead.
REMOVED = {
    "store export": "copy prompt_store/text/PROMPT into the other project",
    "store import": "copy prompt_store/text/PROMPT into this project; the next command checks and imports it",
    "validate --fix": "each diagnostic says what to write",
    "validate --diff": "each diagnostic says what to write",
    "bench --trace": "use --rate N, with --arrivals poisson or constant",
}

# Each command is a function, and each group an object, in the module of its name or in one of these.
_MODULES = {
    **dict.fromkeys(("adopt", "promote", "rollback", "retire"), "labels"),
    **dict.fromkeys(("import", "failures", "capture"), "logs"),
    **dict.fromkeys(("explain", "docs", "schema"), "reference"),
    "get": "prompts",
}
_NAMES = [name for names in PANELS.values() for name in names]


def _version(wanted: bool) -> None:
    if wanted:
        out(f"promptbench {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", callback=_version, is_eager=True
    ),
) -> None:
    pass


@cache
def command_tree(*names: str) -> typer.core.TyperGroup:
    """Return the tree of these commands, or of all if they are unknown.

    Building all of them takes longer than most of them run. In tests a process runs thousands of command lines.
    """
    app = typer.Typer(
        name="promptbench",
        help="Regression tests for prompts: replay failing calls, judge candidates, promote what passes.",
        cls=_Commands,
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in [name for name in names if name in _NAMES] or _NAMES:
        command = vars(import_module(f"promptbench.cli.{_MODULES.get(name, name)}"))[
            "import_" if name == "import" else name
        ]
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    tree = typer.main.get_command(app)
    assert isinstance(tree, typer.core.TyperGroup)
    return tree


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Never raise, never print a traceback."""
    try:
        start_command(arguments)
        words = _complete(arguments)
        tree = command_tree(*words[:1])
        if os.environ.get(VARIABLE):
            prepare(tree, os.environ)
        code = tree.main(words, prog_name="promptbench", standalone_mode=False)
        return int(code or Exit.YES)
    except SystemExit as ended:  # of the options for shell completion
        return int(ended.code or Exit.YES)
    except typer.TyperException as error:
        for removed, instead in REMOVED.items():
            if set(removed.split()) <= {word.partition("=")[0] for word in arguments}:
                say(f"error: `promptbench {removed}` was removed\nhint: {instead}")
                return Exit.INPUT
        message, hint = (
            " ".join(error.format_message().replace("Value error, ", "").split()),
            f"`{getattr(getattr(error, 'ctx', None), 'command_path', 'promptbench COMMAND')} --help` lists the options",
        )
        if message.startswith("No such command"):
            message, hint = _unknown_command(arguments)
        say(f"error: {message}\nhint: {hint}")
        return Exit.INPUT
    except PromptbenchError as error:
        if error.diagnostics:
            say(show(error.diagnostics, sys.stderr))
        say(f"error: {visible(error.message)}")
        if error.hint:
            say(f"hint: {visible(error.hint)}")
        return error.exit
    except (KeyboardInterrupt, typer.Abort):
        say("stopped")
        return Exit.INTERRUPTED
    except Exception:  # noqa: BLE001 - the user gets a line, not a traceback
        return _bug(arguments)


def _complete(arguments: Sequence[str]) -> list[str]:
    """Return a command line with today's names; a group without a command and without a default gets `--help`."""
    words = list(arguments)
    if words and words[0] in RENAMED:
        say(f"warning: `promptbench {words[0]}` is now `promptbench {RENAMED[words[0]]}`")
        words[:1] = RENAMED[words[0]].split()
    group = command_tree(*words[:1])
    for word in words:
        command = group.commands.get(word)
        if not isinstance(command, typer.core.TyperGroup):
            return words
        group = command
    return [*words, "--help"] if group.no_args_is_help else words


def _unknown_command(arguments: Sequence[str]) -> tuple[str, str]:
    """Return an error that names the unknown command, and a hint with the commands that may be meant."""
    known = list(_names(command_tree()))
    words = [word for word in arguments if not word.startswith("-")]
    group = words[:1] if words[:1] in known else []
    word = words[len(group)] if len(words) > len(group) else ""
    # It may be the name of a command in other groups, such as `list`.
    meant = [names for names in known if names[-1] == word]
    close = get_close_matches(word, [names[-1] for names in known if names[:-1] == group], n=2)
    meant = meant or [[*group, name] for name in close]
    hint = " or ".join(f"`{' '.join(['promptbench', *names])}`" for names in meant)
    lists = f"`{' '.join(['promptbench', *group, '--help'])}` lists the commands"
    return f"unknown command '{word}'", f"did you mean {hint}?" if hint else lists


def _names(group: typer.core.TyperGroup, *outer: str) -> Iterator[list[str]]:
    for name, command in group.commands.items():
        yield [*outer, name]
        if isinstance(command, typer.core.TyperGroup):
            yield from _names(command, *outer, name)


def _bug(arguments: Sequence[str]) -> Exit:
    # The trace goes to a file, without secrets, and the user gets one line.
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
