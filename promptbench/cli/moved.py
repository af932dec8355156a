"""Print a moved label."""

from __future__ import annotations

from dataclasses import asdict

from promptbench.cli.output import out_json
from promptbench.core.errors import Exit
from promptbench.report.model import Promotion


def show(moved: Promotion, *, as_json: bool) -> Exit:
    """Print what changed and how to undo it."""
    from promptbench.cli.output import out
    from promptbench.report.document import Document, Report, Section
    from promptbench.report.renderers import plain
    from promptbench.report.words import Target
    from promptbench.workflows.judge.run_report import promotion_blocks

    if as_json:
        out_json({"schema_version": 1, **asdict(moved)})
        return Exit.YES
    report = Report(moved.prompt, Document("", [Section(list(promotion_blocks(moved)))], ""), dict)
    out(plain.render([report], Target()), end="")
    return Exit.YES
