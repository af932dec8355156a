"""The options of commands that make reports, and the way from such a command to its output."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from promptbench.cli.options import AsJson, ExitZero, Format, JsonFormat, Output, Quiet, Verbose

if TYPE_CHECKING:
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project as Project  # noqa: PLC0414 - for the commands
    from promptbench.report.document import Report

    Reports = Sequence[Report] | int
    Lines = Generator[Any, None, int]
else:
    Project = Reports = Lines = Any

_OPTIONS = {"format_": (Format, "terminal"), "as_json": (JsonFormat, False), "output": (Output, None),
            "exit_zero": (ExitZero, False), "quiet": (Quiet, False), "verbose": (Verbose, False)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What a command gets besides its own options: the project, and how its result is shown."""

    project: Project
    rendering: Rendering

    @property
    def quiet(self) -> bool:
        return self.rendering.quiet

    @property
    def as_json(self) -> bool:
        return self.rendering.printed == "json"


def reports(command: Callable[..., Reports], *, exit_zero: bool = False) -> Callable[..., int]:
    """Give a command the options `--format`, `--json`, `--output`, `-q` and `-v`, and print the reports it returns.

    The result is the exit code of the reports, or the number that the command returns instead. With `exit_zero`, the
    command has that option too. `--concurrency` and `--cluster` are settings for every command that has them.
    """
    options = {name: item for name, item in _OPTIONS.items() if exit_zero or name != "exit_zero"}

    @wraps(command)
    def run(**values: Any) -> int:
        from promptbench.cli.rendering import Rendering
        from promptbench.project import Project

        given = {name: values.pop(name) for name in options}
        zero, printed, outputs = given.pop("exit_zero", False), given.pop("format_"), given.pop("output")
        rendering = Rendering.of(printed, outputs, **given)
        project = Project.open(flags={name: values.get(name) for name in ("concurrency", "cluster")})
        found = command(CommandLine(project, rendering), **values)
        return found if isinstance(found, int) else rendering.write(project, found, exit_zero=zero)

    return _with_options(run, options)


def prints(command: Callable[..., Lines]) -> Callable[..., int]:
    """Give a command the option `--json`, and print what it yields: its result as data, then as lines.

    With `--json` only the data is printed. What the command returns is the exit code.
    """

    @wraps(command)
    def run(as_json: bool, **values: Any) -> int:
        from promptbench.cli.output import out, out_json
        from promptbench.project import Project

        found = command(Project.open(), **values)
        data = next(found)
        if as_json:
            out_json({"schema_version": 1, **data})
        while True:
            try:
                line = next(found)
            except StopIteration as end:
                return int(end.value)
            if not as_json:
                out(line)

    return _with_options(run, {"as_json": (AsJson, False)})


def _with_options(run: Callable[..., int], options: Mapping[str, tuple[Any, object]]) -> Callable[..., int]:
    """Return a wrapped command whose signature, which Typer reads, has these options instead of the first argument."""
    whole = signature(run, eval_str=True)
    _, *own = whole.parameters.values()
    more = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in options.items()
    ]
    run.__signature__ = whole.replace(parameters=[*own, *more], return_annotation=int)  # type: ignore[attr-defined]
    run.__annotations__ = {item.name: item.annotation for item in (*own, *more)}
    return run


# For a command that ends with verdicts on prompts.
verdicts = partial(reports, exit_zero=True)
