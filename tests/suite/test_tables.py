"""Cases as a table, and the table read as cases again: nothing may change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from promptbench.core.errors import Diagnostics
from promptbench.suite.cases import read_case
from promptbench.suite.models import Where
from promptbench.suite.sheets import case_rows
from promptbench.suite.tables import CaseEntry, Fields, fields_of, is_same_data, table_of
from promptbench.tables.delimited import escape_formula, write_csv
from promptbench.tables.writer import Sheet, write_workbook
from promptbench.yaml.marked import parse_line

ODD = [
    "010", "yes", "1e5", "TRUE", "true", "null", "12", "1.10", "12:30", "2026-03-01", "+49 30 1", "=1+1", "'=1", "-x",
    "@a", "[urgent] x", "{name}", '"q"', '"a" b', " x ", "a\n", "\ta", "_x0041_", "a\nb\r\nc", "- x", "\x85", "a,b;c",
    "\ufeff", "x\u2028y", "\x00", "\uffff", "ä€🎈",
]  # fmt: skip
TEXT = st.one_of(st.sampled_from(["", *ODD, "\ud83d"]), st.text(max_size=6))
NAMED = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6))
DATA = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
CHECK = st.one_of(
    st.sampled_from(["contains", "not_contains", "Token F1"]).flatmap(
        lambda name: st.fixed_dictionaries(
            {name: st.one_of(st.none(), NAMED, st.integers(), st.lists(NAMED, max_size=2))},
            optional={"weight": st.sampled_from([0, 1, 2.5]), "reading": st.sampled_from(["loose", "strict"])},
        )
    )
)
CASE = st.fixed_dictionaries(
    {"case": NAMED},
    optional={
        "vars": st.dictionaries(TEXT, DATA, max_size=3),
        "expect": DATA,
        "should be": DATA,
        "was": TEXT,
        "tags": st.lists(NAMED, max_size=3),
        "checks": st.lists(CHECK, max_size=6),
        "threshold": st.sampled_from([0.5, 1, "80%"]),
        "cluster": NAMED,
        "note": NAMED,
        "quarantine": st.fixed_dictionaries({"owner": NAMED, "reason": NAMED, "review by": st.just("2026-12-31")}),
        "messages": st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": NAMED}), max_size=2),
        "origin": st.dictionaries(NAMED, NAMED, max_size=2),
    },
)


def fields(case: dict[str, Any]) -> Fields:
    found = Diagnostics()
    line = parse_line("cases.jsonl", 1, json.dumps(case), found)
    assert line, list(found)
    read = read_case(line.value, Where(line), found)
    assert read, list(found)
    return fields_of(read)


def through(path: Path, entries: list[CaseEntry]) -> list[CaseEntry]:
    """The cases written into a sheet and read again."""
    table = table_of(entries, csv=path.suffix == ".csv")
    if path.suffix == ".csv":
        rows = [[escape_formula(str(cell)) for cell in row] for row in [table.headings, *table.rows]]
        path.write_bytes(write_csv(rows).encode("utf-8-sig"))
    else:
        path.write_bytes(write_workbook([Sheet("cases", table.headings, table.rows)]))
    found = Diagnostics()
    read = []
    for row in case_rows(path, path.name, found):
        assert row, list(found)
        case = read_case(row.value, Where(row), found)
        assert case, list(found)
        read.append(CaseEntry(fields_of(case), row.comment))
    assert not list(found)
    return read


SHEET = st.lists(st.tuples(CASE, st.one_of(st.just(""), NAMED)), min_size=1, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=SHEET)
def test_a_round_trip_by_csv(tmp_path: Path, cases: list[tuple[dict[str, Any], str]]) -> None:
    check_through(tmp_path / "x.csv", cases)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(cases=SHEET)
def test_a_round_trip_by_workbook(tmp_path: Path, cases: list[tuple[dict[str, Any], str]]) -> None:
    check_through(tmp_path / "x.xlsx", cases)


def check_through(path: Path, cases: list[tuple[dict[str, Any], str]]) -> None:
    entries = [CaseEntry(fields(case), comment.replace("\r", "")) for case, comment in cases]
    after = through(path, entries)
    assert len(after) == len(entries)
    for one, other in zip(after, entries, strict=True):
        assert is_same_data(dict(one.fields), dict(other.fields)), (one.fields, other.fields)
        assert one.comment == other.comment


def table(*cases: dict[str, Any], csv: bool = False) -> dict[str, list[Any]]:
    made = table_of([CaseEntry(fields(case)) for case in cases], csv=csv)
    return {heading: [row[index] for row in made.rows] for index, heading in enumerate(made.headings)}


def test_each_name_has_a_column_and_checks_are_in_pairs() -> None:
    found = table(
        {"case": "a", "vars": {"x": "one", "y": 2}, "expect": {"team": "billing"}, "checks": {"contains": "z"}},
        {"case": "b", "vars": {"x": "two"}, "expect": "all", "checks": ["json", {"not-contains": ["p", "q"]}]},
        {"case": "c", "checks": [{"contains": "w", "weight": 2}, "json"], "tags": ["critical", "new"]},
    )
    assert found == {
        "case": ["a", "b", "c"],
        "vars.x": ["one", "two", ""],
        "vars.y": [2, "", ""],
        "expect": ["", "all", ""],
        "expect.team": ["billing", "", ""],
        "check": ["contains", "json", "json"],
        "value": ["z", "", ""],
        "check 2": ["", "not contains", ""],
        "value 2": ["", '["p", "q"]', ""],
        "checks": ["", "", "- contains: w\n  weight: 2"],
        "tags": ["", "", "critical, new"],
        "note": ["", "", ""],
    }


def test_too_many_names_or_invalid_headings_are_in_one_cell() -> None:
    many = table({"case": "a", "vars": {f"v{number}": number for number in range(101)}})
    assert [name for name in many if name.startswith("vars")] == ["vars"]
    odd = table({"case": "a", "vars": {" x": 1}}, {"case": "b", "vars": {"y": 1}})
    assert (odd["vars"], odd["vars.y"]) == (['{" x": 1}', ""], ["", 1])


def test_text_that_looks_like_a_number_is_quoted_in_a_csv_file_only() -> None:
    texts = {f"v{index}": text for index, text in enumerate(["010", "12:30", "2026-03-01", "+1", "1,5", "A-1", "x"])}
    assert [cells[0] for name, cells in table({"case": "a", "vars": texts}, csv=True).items() if "vars" in name] == [
        '"010"', '"12:30"', '"2026-03-01"', '"+1"', '"1,5"', "A-1", "x",
    ]  # fmt: skip
    assert table({"case": "a", "vars": texts})["vars.v0"] == ["010"]


def test_an_error_names_the_case() -> None:
    with pytest.raises(ValueError, match="a sheet cannot hold the case 'a': it holds half a character"):
        table({"case": "a", "checks": [{"contains": "\ud83d", "weight": 2}]})
