from __future__ import annotations

import csv
import io
from dataclasses import fields

from hypothesis import given, strategies as st

from promptbench.report.document import Target
from promptbench.report.model import CaseResult
from tests.report import kit
from tests.report.golden import check


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_golden() -> None:
    check("report.csv", kit.rendered("csv", [kit.report()], Target()))


def test_a_row_for_each_case_prompt_and_model() -> None:
    found = rows(kit.rendered("csv", [kit.report(), kit.passed()], Target()))
    assert len(found) == len(kit.results()) + 3
    assert list(found[0]) == ["run", "suite", "result", *(field.name for field in fields(CaseResult))]
    first = found[0]
    assert (first["result"], first["state"], first["passed"], first["judged"]) == ("FAIL", "passing", "11", "false")
    assert found[1]["tags"] == "billing; =1+1"


def test_no_cell_is_a_formula() -> None:
    for row in rows(kit.rendered("csv", [kit.report()], Target())):
        assert not any(value.startswith(("=", "+", "-", "@", "\t", "\n")) for value in row.values())


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_stays_in_its_cell(text: str) -> None:
    item = kit.result(text, "broken", 0, 1, answer=text, reasons=(text, text), model=text, expected=text)
    [row] = rows(kit.rendered("csv", [kit.report(suite=text, results=[item])], Target()))
    assert None not in row
    assert row["state"] == "broken"
    assert row["answer"].removeprefix("'").isascii() or row["answer"]


def test_a_cell_fits_a_spreadsheet_and_pythons_reader() -> None:
    item = kit.result("large", "broken", 0, 1, answer='"' * 1_000_000)
    [row] = rows(kit.rendered("csv", [kit.report(results=[item])], Target()))
    assert len(row["answer"]) < 32_767
