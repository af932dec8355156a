from __future__ import annotations

import json

from hypothesis import given, strategies as st

from promptbench.report.document import Target
from tests.helpers.logs import calls, log
from tests.report import kit
from tests.report.golden import check


def test_golden() -> None:
    check("log.jsonl", kit.rendered("log", [kit.report()], Target()))


def test_one_line_a_call_whatever_the_call_says() -> None:
    text = kit.rendered("log", [kit.report()], Target())
    assert text.encode().decode() == text
    assert text.endswith("\n")
    assert [json.loads(line)["id"] for line in text.split("\n")[:-1]] == [line["id"] for line in kit.report().failures]


@given(st.text(st.sampled_from('a"\\\n\u2028é😀\ud83d\udc00\udfff') | st.characters(exclude_categories=())))
def test_import_reads_what_was_written(text: str) -> None:
    call = {"promptbench": "call/1", "id": "1", "vars": {"message": text}, "answer": f"x{text}"}
    [found] = calls(log(kit.rendered("log", [kit.report(failures=[call])], Target()), "l.jsonl"))
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert (found.variables, found.answer) == ({"message": whole}, f"x{whole}")


def test_no_failing_call_is_an_empty_log() -> None:
    assert kit.rendered("log", [kit.report(failures=())], Target()) == ""
