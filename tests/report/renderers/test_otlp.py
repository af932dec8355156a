from __future__ import annotations

from promptbench.report.words import Target
from tests.report import kit
from tests.report.golden import check


def test_golden() -> None:
    check("otlp.jsonl", kit.rendered("otlp", [kit.report()], Target()))
