"""Options that several commands share, and the way from a command that makes reports to its output."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial, wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptbench.core.call_filter import CallFilter, Condition, parse_since
from promptbench.core.errors import InputError
from promptbench.core.files import FileValue

if TYPE_CHECKING:
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project as Project  # noqa: PLC0414 - for the commands
    from promptbench.report.document import Report

    Reports = Sequence[Report] | int
    Lines = Generator[Any, None, int]
else:
    Project = Reports = Lines = Any

Suites = Annotated[
    list[Path] | None,
    typer.Argument(metavar="SUITE", help="Suite files or folders. Default: all below suites/."),
]
Prompts = Annotated[
    list[Path] | None, typer.Option("--prompt", metavar="FILE", help="Candidate, in place of the suite's.")
]
Models = Annotated[list[str] | None, typer.Option("--model", metavar="PROVIDER/NAME", help="Only these models.")]
Cases = Annotated[
    list[str] | None, typer.Option("--case", metavar="NAME", help="Only these cases; * matches any text.")
]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Only cases with one of these tags.")]
First = Annotated[int | None, typer.Option("--first", metavar="N", min=1, help="Only the first N of those selected.")]
Sample = Annotated[
    int | None, typer.Option("--sample", metavar="N", min=1, help="Only a random sample of N of those selected.")
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="S", help="Another sample; by default 0.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="The name of a run or its first characters, or `latest`.")]
Shard = Annotated[
    str | None,
    typer.Option("--shard", metavar="I/N", help="Run only this part of the cases; merge the parts with `runs merge`."),
]
JsonFormat = Annotated[bool, typer.Option("--json", help="Short for --format json.")]


def _format(last: str) -> Any:
    what = f"What to print: terminal, plain, json, junit, html, github, csv{last}."
    return typer.Option("--format", metavar="FORMAT", help=what)


Format = Annotated[str, _format(" or markdown")]
RunFormat = Annotated[str, _format(", markdown, log, otlp or evidence")]
Output = Annotated[
    list[str] | None,
    typer.Option("--output", metavar="FORMAT=FILE", help="Also write the report to a file; can be repeated."),
]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="Exit 0 also on FAIL and INCONCLUSIVE.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show everything, every case in full.")]
Actor = Annotated[
    str | None, typer.Option("--actor", metavar="WHO", help="The actor, if neither CI nor git names one.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="The reason, recorded in the prompt's history.")
]
Label = Annotated[str, typer.Option("--label", metavar="LABEL", help="The label that moves.")]
Concurrency = Annotated[int | None, typer.Option(help="Concurrent requests to one model.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", metavar="local|ADDRESS", help="Use a Dask cluster for local and Python models, or to score."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; print only the verdict.")]
MaxCost = Annotated[
    str | None, typer.Option("--max-cost", metavar="DOLLARS", help="Stop before the cost exceeds this, such as $2.")
]
MaxCalls = Annotated[int | None, typer.Option("--max-calls", min=1, help="Stop after this many calls.")]
MaxMinutes = Annotated[float | None, typer.Option("--max-minutes", min=0, help="Stop after this many minutes.")]
FailedOnly = Annotated[bool, typer.Option("--failed-only", help="Only calls that failed.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="Only calls since a time: 2026-11-01, 7d or 24h.")
]
LoggedModels = Annotated[
    list[str] | None, typer.Option("--model", metavar="NAME", help="Only calls of these models; * matches any text.")
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="CONDITION", help="Only records with a field: metadata.team=eu, latency_ms>900."),
]

Columns = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="FIELD=COLUMN", help="The column of a table with a field: answer=reply_text."),
]
LogModel = Annotated[str, typer.Option("--log-model", metavar="NAME", help="The model of logged calls that name none.")]


def columns_of(written: Sequence[str] | None) -> dict[str, str]:
    """Return field to column. Raise InputError if one is invalid."""
    pairs = [item.partition("=") for item in written or ()]
    for name, equals, column in pairs:
        if not (name and equals and column):
            raise InputError(f"invalid --map '{name}'", hint="write it as --map answer=reply_text")
    return {name.strip(): column for name, _, column in pairs}


def time_of(option: str, written: str) -> datetime:
    """Return the time that an option means. Raise InputError if it is invalid."""
    try:
        return parse_since(written)
    except ValueError:
        hint = f"write {option} 2026-11-01, or 7d, or 24h"
        raise InputError(f"{option}: expected a time, got '{written}'", hint=hint) from None


def call_filter(
    failed: bool, since: str | None, models: Sequence[str] | None, where: Sequence[str] | None
) -> CallFilter:
    """Return the filter for logged calls that the options mean. Raise InputError if one is invalid."""
    limit = time_of("--since", since) if since else None
    conditions = []
    for written in where or ():
        try:
            conditions.append(Condition.parse(written))
        except ValueError as error:
            hint = "write it as --where field=value; also !=, ~ for a part of a text, < and >"
            raise InputError(f"'{written}' is not a valid condition: {error}", hint=hint) from None
    return CallFilter(failed=failed, since=limit, models=tuple(models or ()), conditions=tuple(conditions))


def variables(written: Sequence[str]) -> dict[str, Any]:
    """Return the values of `--var NAME=TEXT` and `--var NAME=@FILE`, an image or PDF as a `FileValue`.

    Raise InputError if one is invalid.
    """
    found: dict[str, Any] = {}
    for item in written:
        name, equals, text = item.partition("=")
        if not (name and equals):
            raise InputError(
                f"'{item}' is not a valid variable", hint="write it as --var NAME=TEXT or --var NAME=@FILE"
            )
        if name in found:
            raise InputError(f"--var {name} is given twice")
        found[name] = text
        if not text.startswith("@"):
            continue
        try:
            path = Path(text[1:])
            found[name] = FileValue.of(path, text[1:]) or path.read_text(encoding="utf-8-sig")
        except OSError as error:
            hint = "put a value that begins with @ into a file"
            raise InputError(f"cannot read {text[1:]}: {error.strerror}", hint=hint) from None
        except UnicodeDecodeError:
            raise InputError(f"{text[1:]} is not UTF-8 text, nor an image (PNG, JPEG, GIF, WebP) or a PDF") from None
    return found


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


def reports(command: Callable[..., Reports], *, exit_zero: bool = False, of_run: bool = False) -> Callable[..., int]:
    """Give a command the options `--format`, `--json`, `--output`, `-q` and `-v`, and print the reports it returns.

    The result is the exit code of the reports, or the number that the command returns instead. With `exit_zero`, the
    command has that option too. Without `of_run`, the formats that hold what only a run has are refused before the
    command begins. `--concurrency` and `--cluster` are settings for every command that has them.
    """
    options = {
        name: (RunFormat, "terminal") if of_run and name == "format_" else item
        for name, item in _OPTIONS.items()
        if exit_zero or name != "exit_zero"
    }

    @wraps(command)
    def run(**values: Any) -> int:
        from promptbench.cli.rendering import Rendering
        from promptbench.project import Project

        given = {name: values.pop(name) for name in options}
        zero, printed, outputs = given.pop("exit_zero", False), given.pop("format_"), given.pop("output")
        rendering = Rendering.of(printed, outputs, of_run=of_run, **given)
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


# For a command that ends with verdicts on prompts, and for one whose reports are of a run.
verdicts = partial(reports, exit_zero=True)
run_verdicts = partial(verdicts, of_run=True)
