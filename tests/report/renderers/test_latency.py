"""When the latency table is shown, and that a p99 of few calls is never shown as if it were one of many."""

from __future__ import annotations

import json

import pytest
from rich.cells import cell_len

from promptbench.report.document import Target
from promptbench.report.model import Row
from tests.report import kit

FOOTNOTE = "~ p99 of fewer than 100 calls: between the two slowest of them"
LOCAL = kit.row("triage@7", "champion", "gguf/smollm2-135m")
HOSTED = kit.row("triage@7", "champion", "openai/gpt-5-mini", first_byte_p50_ms=700.0, queue_p99_ms=4100.0)


def shown(*rows: Row, width: int = 80, name: str = "terminal", verbose: bool = True) -> str:
    """The block of the report that starts with the head of the latency table; empty if there is none."""
    text = kit.rendered(name, [kit.passed(rows=rows, flips=[])], Target(width, verbose=verbose))
    return next(
        (block for block in text.split("\n\n") if block.lstrip().startswith(("latency", "| model | latency"))), ""
    )


@pytest.mark.parametrize(
    ("rows", "there"),
    [([LOCAL], True), ([kit.row("x", "candidate", "recorded/openai/gpt-5-mini", timed=0)], False), ([], False)],
    ids=["timed", "recorded", "none"],
)
def test_it_is_in_files_and_on_a_terminal_if_it_is_wanted(rows: list[Row], there: bool) -> None:
    assert bool(shown(*rows)) is there
    assert bool(shown(*rows, name="markdown", verbose=False)) is there
    assert not shown(*rows, verbose=False)


def test_the_queue_is_shown_where_anybody_waited() -> None:
    assert "queue p99" in shown(HOSTED)
    assert "~4.1 s" in shown(HOSTED)
    assert "queue" not in shown(kit.row("a", "candidate", "openai/m", first_byte_p50_ms=9.0, queue_p99_ms=0.3))


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_it_fits_and_keeps_the_p99(width: int) -> None:
    text = shown(HOSTED, LOCAL, width=width)
    assert all(cell_len(line) <= max(width, cell_len(FOOTNOTE)) for line in text.splitlines())
    assert "p99" in text


def test_a_p99_of_few_calls_is_marked() -> None:
    many = kit.row("a", "candidate", "openai/m", first_byte_p50_ms=9.0, timed=100, few=False)
    assert "~2.3 s" in shown(HOSTED)
    assert FOOTNOTE in shown(HOSTED)
    assert "~" not in shown(many)


def test_buckets_are_shown_in_full_and_in_json() -> None:
    sizes = [kit.tokens(0, 15, 12, 900.0), kit.tokens(1024, 2047, 300, 8_000.0)]
    report = kit.report(rows=[kit.row("triage@7", "champion", "openai/m", by_output_tokens=sizes)])
    text = kit.rendered("plain", [report], Target(verbose=True))
    assert "latency by output tokens, production triage@7 on openai/m" in text
    assert [line.split()[:3] for line in text.splitlines() if "–" in line.split(" ")[0]][:2] == [
        ["0–15", "12", "900"],
        ["1,024–2,047", "300", "8.0"],
    ]
    assert "by output tokens" not in kit.rendered("terminal", [report], Target())
    (run,) = json.loads(kit.rendered("json", [report], Target()))["runs"]
    assert [bucket["calls"] for bucket in run["rows"][0]["by_output_tokens"]] == [12, 300]
    assert run["rows"][0]["few"] is True


def test_calls_of_one_size_have_no_buckets() -> None:
    row = kit.row("a", "candidate", "m/n", by_input_tokens=[kit.tokens(0, 15, 60, 10.0)])
    assert "by input tokens" not in kit.rendered("plain", [kit.report(rows=[row])], Target(verbose=True))
