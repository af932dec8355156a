"""Print a moved label."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from promptbench.cli.reporting import Lines
from promptbench.core.errors import Exit

if TYPE_CHECKING:
    from promptbench.report.model import Promotion


def moved(found: Promotion) -> Lines:
    """Yield what changed and how to undo it."""
    from promptbench.report.document import Document, Report, Section
    from promptbench.report.renderers import plain
    from promptbench.report.words import Target
    from promptbench.workflows.judge.run_report import promotion_blocks

    yield asdict(found)
    report = Report(found.prompt, Document("", [Section(list(promotion_blocks(found)))], ""), dict)
    yield plain.render([report], Target()).removesuffix("\n")
    return Exit.YES
