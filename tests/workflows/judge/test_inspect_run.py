"""The chart of a run's tags, as the page draws it."""

from __future__ import annotations

import re

from promptbench.report.templates import environment
from promptbench.store.run_grid import CaseTally, RunColumn
from promptbench.workflows.judge.inspect_run import CaseInput, Grid, GridCase, GridColumn, by_tag


def test_each_prompt_and_model_has_its_own_bar() -> None:
    sides = [(side, model) for model in ("a", "b") for side in ("champion", "candidate")]
    columns = [GridColumn(RunColumn("r", side, model, side, "triage"), None, 1, 2) for side, model in sides]
    case = GridCase("late", [CaseTally(1, 1, 0, 2, 1)] * 4, "same", frozenset())
    chart = by_tag(Grid(columns, [case]), {"late": CaseInput({}, [], [], ["german"], [], "")})
    drawn = str(environment().get_template("blocks.html").module.chart(chart, 2))  # type: ignore[attr-defined]
    bars = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="24"', drawn)
    assert len({y for _, y, _ in bars}) == len(bars) == 4
    assert len({(x, width) for x, _, width in bars}) == 1
