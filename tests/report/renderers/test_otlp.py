from __future__ import annotations

from promptbench.report.document import Target
from tests.helpers.logs import calls, log
from tests.report import kit
from tests.report.golden import check


def test_golden() -> None:
    text = kit.rendered("otlp", [kit.report()], Target())
    check("otlp.jsonl", text)
    *found, half = calls(log(text), "otlp")
    assert [call.answer for call in found] == [kit.MARKUP, kit.ESCAPES, kit.WIDE]
    assert half.answer == "half a pair: \ufffd and \ufffd"
