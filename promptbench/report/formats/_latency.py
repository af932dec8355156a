"""Where the time went, as text: a line for each prompt on each model, and its parts by tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptbench.report.formats._table import Line, side, table
from promptbench.report.model import Row, TokenTimes
from promptbench.report.words import clean, duration, tail

_WAITED = 10.0
"""Milliseconds from which waiting in the queue is worth a column: below, it is this machine being busy."""
_LOSE = ("first byte", "queue p50", "p90", "σ", "n")
FOOTNOTE = "~ p99 of fewer than 100 calls: between the two slowest of them"


def lines(rows: Sequence[Row], width: int) -> Iterator[Line]:
    """The table, where it says more than the figures of one model on this machine would."""
    rows = [row for row in rows if row.timed]
    networked = any(row.first_byte_p50_ms is not None for row in rows)
    if not networked and len({row.model for row in rows}) < 2:
        return
    columns = {
        "n": [str(row.timed) for row in rows],
        "p50": [duration(row.p50_ms) for row in rows],
        "p90": [duration(row.p90_ms) for row in rows],
        "p99": [tail(row.p99_ms, few=row.few) for row in rows],
        "σ": [duration(row.deviation_ms) for row in rows],
    }
    if networked:
        columns["first byte"] = [duration(row.first_byte_p50_ms) for row in rows]
    if any((row.queue_p99_ms or 0.0) >= _WAITED for row in rows):
        columns["queue p50"] = [duration(row.queue_p50_ms) for row in rows]
        columns["queue p99"] = [tail(row.queue_p99_ms, few=row.few) for row in rows]
    yield from table("latency", rows, columns, width, lose=_LOSE)
    if any(row.few for row in rows):
        yield FOOTNOTE, "dim"


def by_tokens(rows: Sequence[Row]) -> Iterator[Line]:
    """Lines for each row whose calls differ in size."""
    for row in rows:
        for what, buckets in (("input", row.by_input_tokens), ("output", row.by_output_tokens)):
            if len(buckets) > 1:
                of = " ".join(filter(None, (side(row), row.prompt, "on", row.model)))
                yield clean(f"latency by {what} tokens, {of}"), "dim"
                yield from _buckets(buckets)


def _buckets(buckets: Sequence[TokenTimes]) -> Iterator[Line]:
    heads = ("tokens", "n", "p50", "p90", "p99", "σ")
    cells = [heads, *(_cells(bucket) for bucket in buckets)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  " + "  ".join(f"{cell:>{wide}}" for cell, wide in zip(row, widths, strict=True)), ""


def _cells(bucket: TokenTimes) -> tuple[str, ...]:
    return (
        f"{bucket.least:,}–{bucket.most:,}",
        str(bucket.calls),
        duration(bucket.p50_ms),
        duration(bucket.p90_ms),
        tail(bucket.p99_ms, few=bucket.few),
        duration(bucket.deviation_ms),
    )
