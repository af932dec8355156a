"""The report on failing calls, grouped by cause."""

from __future__ import annotations

from collections.abc import Sequence

from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.report.document import Document, Report, Section, TableBlock, TableColumn
from promptbench.workflows.logs.failures import Cluster

ROWS = 40
# Letters of a call's id that are enough to name it.
_ID = 10


def failures_report(clusters: Sequence[Cluster], *, everything: bool = False) -> Report:
    """Return the report on these clusters; only the first ones unless `everything` is wanted."""
    shown, rest = (clusters, ()) if everything else (clusters[:ROWS], clusters[ROWS:])
    columns = [
        TableColumn("calls"),
        TableColumn("inputs", drop=1),
        TableColumn("newest", numeric=False, drop=2),
        TableColumn("kind", numeric=False, wrap=True),
        TableColumn("why", numeric=False, wrap=True),
        TableColumn("example", numeric=False, wrap=True),
    ]
    note = ""
    if rest:
        calls = number_of(sum(cluster.count for cluster in rest), "call")
        more = f"{number_of(len(rest), 'more cluster')} with {calls}"
        note = f"and {more}: --all shows {'it' if len(rest) == 1 else 'them'}"
    total = sum(cluster.count for cluster in clusters)
    verdict = f"{number_of(total, 'failing call')} in {number_of(len(clusters), 'cluster')}"
    table = TableBlock(columns, list(map(_row, shown)), "Failing calls", note=note)
    data: dict[str, Json] = {"failures": total, "clusters": len(clusters), "rows": [item.as_dict() for item in shown]}
    return Report("failures", Document("", [Section([table])] if shown else [], verdict), lambda: data)


def _row(cluster: Cluster) -> tuple[str, ...]:
    example = cluster.example
    return (
        f"{cluster.count:,}",
        f"{len(cluster.inputs):,}",
        example.time[:10],
        cluster.tier.value,
        cluster.why,
        example.id[:_ID] if example.logged else example.id,
    )
