from __future__ import annotations

import json

from promptbench.report.words import Target
from tests.report import kit
from tests.report.golden import check


def test_golden() -> None:
    check("log.jsonl", kit.rendered("log", [kit.report()], Target()))


def test_one_line_a_call_whatever_the_call_says() -> None:
    text = kit.rendered("log", [kit.report()], Target())
    assert text.encode().decode() == text
    assert [json.loads(line) for line in text.split("\n")[:-1]] == kit.report().failures
    assert text.endswith("\n")


def test_no_failing_call_is_an_empty_log() -> None:
    assert kit.rendered("log", [kit.report(failures=())], Target()) == ""
