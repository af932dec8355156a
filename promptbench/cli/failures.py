"""`promptbench failures`: what fails in the imported logs and in the newest runs, by cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import AsJson, LoggedModels, Since, Where, call_filter
from promptbench.core.errors import Exit

if TYPE_CHECKING:
    from promptbench.api import Cluster

_ROWS = 40
_ID = 10
"""Letters of a call's id that are enough to name it."""


def register(app: typer.Typer) -> None:
    app.command("failures")(failures)


def failures(
    suite: Annotated[
        Path | None, typer.Argument(metavar="SUITE", help="Run this suite's checks over the logged answers too.")
    ] = None,
    since: Since = None,
    model: LoggedModels = None,
    where: Where = None,
    everything: Annotated[bool, typer.Option("--all", help=f"All clusters, not only the first {_ROWS}.")] = False,
    as_json: AsJson = False,
) -> int:
    """Failing calls of logs and runs, put together by cause.

    The runs are the newest; the largest cluster stands first.
    """
    from promptbench import api
    from promptbench.cli.output import out_json

    wanted = call_filter(False, since, model, where)
    clusters = api.failures(api.Project.open(), suite, wanted)
    shown = clusters if everything else clusters[:_ROWS]
    if as_json:
        total = sum(cluster.count for cluster in clusters)
        rows = [cluster.as_dict() for cluster in shown]
        out_json({"schema_version": 1, "failures": total, "clusters": len(clusters), "rows": rows})
    else:
        _print(clusters, shown)
    return Exit.YES


def _print(clusters: Sequence[Cluster], shown: Sequence[Cluster]) -> None:
    from promptbench.cli.output import out
    from promptbench.core.words import number_of

    out(f"{'calls':>7} {'inputs':>6}  {'newest':<10}  {'what':<9}  {'why':<27}  example")
    for cluster in shown:
        for line in _lines(cluster):
            out(line)
    if len(shown) < len(clusters):
        rest = clusters[len(shown) :]
        calls = sum(cluster.count for cluster in rest)
        more = f"{number_of(len(rest), 'more cluster')} with {number_of(calls, 'call')}"
        out(f"and {more}: --all shows {'it' if len(rest) == 1 else 'them'}")
    total = sum(cluster.count for cluster in clusters)
    out(f"{number_of(total, 'failing call')} in {number_of(len(clusters), 'cluster')}")


def _lines(cluster: Cluster) -> Iterator[str]:
    """A row; what is too long for it goes on below."""
    import textwrap
    from itertools import zip_longest

    from promptbench.report.words import clean

    example = cluster.example
    head = f"{cluster.count:>7,} {len(cluster.inputs):>6,}  {example.time[:10]:<10}  {cluster.tier.value:<9}  "
    named = example.id[:_ID] if example.logged else example.id
    cells = zip_longest(textwrap.wrap(clean(cluster.why), 27), textwrap.wrap(clean(named), 12), fillvalue="")
    for number, (why, name) in enumerate(cells):
        yield f"{' ' * len(head) if number else head}{why:<27}  {name}".rstrip()
