from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from promptbench.core.errors import Code, InputError
from promptbench.suite.models import Suite
from tests.helpers.suites import HEAD, loaded, messages, write


def lines(*cases: object) -> str:
    return "".join(json.dumps(case) + "\n" for case in cases)


def suite_of(folder: Path, text: str, file: str | bytes) -> tuple[Suite, list[tuple[Code, str]]]:
    if isinstance(file, str):
        write(folder, {"more.jsonl": file})
    else:
        (folder / "more.jsonl").write_bytes(file)
    suite, found = loaded(folder, HEAD + text)
    assert suite is not None
    return suite, [(item.code, str(item.location)) for item in found]


def test_cases_of_a_file_stand_after_those_of_the_suite(tmp_path: Path) -> None:
    text = "cases:\n  - more.jsonl\n  - case: one\n    vars: {message: Hi}\n"
    file = lines({"case": "two", "vars": {"message": "Ho"}, "expect": {"team": "x"}, "tags": ["critical"]})
    suite, found = suite_of(tmp_path, text, "\ufeff" + file + "\n\n" + lines({"case": "three", "should be": "z"}))
    assert found == []
    assert [suite.cases[name].name for name in ("one", "two", "three")] == ["one", "two", "three"]
    two, three = suite.cases["two"], suite.cases["three"]
    assert (two.variables, two.expect, two.critical) == ({"message": "Ho"}, {"team": "x"}, True)
    assert (three.has_wish, str(three.where.location("should_be"))) == (True, "more.jsonl:4:32")


def test_a_single_file_needs_no_list(tmp_path: Path) -> None:
    suite, found = suite_of(tmp_path, "cases: more.jsonl\n", lines({"case": "a"}).replace("\n", "\r\n"))
    assert found == []
    assert suite.cases["a"].name == "a"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (lines({"case": "a"}, {"case": "b", "expct": 1}), (Code.UNKNOWN_KEY, "more.jsonl:2:15")),
        (lines({"vars": {}}), (Code.MISSING_KEY, "more.jsonl:1:1")),
        (lines({"case": "a", "vars": []}), (Code.WRONG_TYPE, "more.jsonl:1:23")),
        ('{"case": "a"\n', (Code.JSON_SYNTAX, "more.jsonl:1:13")),
        ("[1]\n", (Code.WRONG_TYPE, "more.jsonl:1:1")),
        (lines({"case": "a"}, {"case": "a"}), (Code.DUPLICATE_NAME, "more.jsonl:2:10")),
        (lines({"case": "one"}), (Code.DUPLICATE_NAME, "more.jsonl:1:10")),
        ("\n", (Code.NO_CASES, "suite.yaml:4:9")),
        (b'{"case": "caf\xe9"}\n', (Code.UNREADABLE_FILE, "more.jsonl:1:0")),
    ],
)
def test_what_is_wrong_in_a_file_and_where(file: str | bytes, expected: tuple[Code, str], tmp_path: Path) -> None:
    _, found = suite_of(tmp_path, "cases: [more.jsonl, {case: one}]\n", file)
    assert [(code, location.removesuffix(":0")) for code, location in found] == [
        (expected[0], expected[1].removesuffix(":0"))
    ]


def test_patterns_and_yaml_files(tmp_path: Path) -> None:
    more = {"more/b.yaml": "# by hand\n- case: b\n  expect: {team: x}\n- case: c\n", "more/a.yml": "- case: a\n"}
    write(tmp_path, {**more, "one[1].jsonl": lines({"case": "one"})})
    suite, found = loaded(
        tmp_path, HEAD + "cases: ['one[1].jsonl', '**/*.yml', '**/*.yaml', more/b.yaml, {case: last}]\n"
    )
    assert messages(found) == []
    assert suite is not None
    assert list(suite.cases.numbers) == ["last", "one", "a", "b", "c"]
    assert str(suite.cases["b"].where.location("expect", "team")) == "more/b.yaml:3:18"


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("- case: a\n  expct: 1\n", "more.yaml:2:3", "unknown key 'expct'"),
        ("- a.jsonl\n", "more.yaml:1:3", "a case must be 'name: value' lines, not the text 'a.jsonl'"),
        ("cases: []\n", "more.yaml:1:1", "expected a list of cases"),
        ("- [\n", "more.yaml:1:4", None),
        ("# none\n", "suite.yaml:4:9", "more.yaml has no cases"),
        ("- case: one\n", "more.yaml:1:9", "two cases are named 'one': at suite.yaml:4:28 and more.yaml:1:9"),
    ],
)
def test_what_is_wrong_in_a_yaml_file(text: str, where: str, message: str | None, tmp_path: Path) -> None:
    write(tmp_path, {"more.yaml": text})
    _, found = loaded(tmp_path, HEAD + "cases: ['mo*.yaml', {case: one}]\n")
    assert [str(item.location) for item in found] == [where]
    assert message in (None, *messages(found))


@pytest.mark.parametrize("name", ["nowhere.jsonl", "../more.jsonl", "folder.jsonl", "'no*.yaml'", "'../*.csv'"])
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    _, found = suite_of(tmp_path, f"cases: [{name}]\n", lines({"case": "a"}))
    [(code, location)] = found
    assert code in (Code.FILE_NOT_FOUND, Code.PATH_OUTSIDE, Code.UNREADABLE_FILE, Code.BAD_VALUE)
    assert location == "suite.yaml:4:9"


def test_any_other_text_is_a_case_without_its_name(tmp_path: Path) -> None:
    _, found = loaded(tmp_path, HEAD + "cases: [charged twice]\n")
    [item] = found
    assert item.hint == "write it as '- case: charged twice'"


def test_a_file_full_of_mistakes_is_not_read_to_its_end(tmp_path: Path) -> None:
    write(tmp_path, {"more.jsonl": "x\n" * 100_000})
    _, found = loaded(tmp_path, HEAD + "cases: [more.jsonl]\n")
    assert len(found) == 101
    assert messages(found)[-1] == "more.jsonl has more than 100 problems; the rest of it was skipped"


def test_a_line_that_is_too_long_is_named_and_the_next_one_read(tmp_path: Path) -> None:
    file = lines({"case": "a", "note": "x" * 9_000_000}, {"case": "b"})
    suite, found = suite_of(tmp_path, "cases: [more.jsonl]\n", file)
    assert found == [(Code.TOO_BIG, "more.jsonl")] or found[0][0] is Code.TOO_BIG
    assert suite.cases["b"].name == "b"


@pytest.mark.parametrize("change", ["longer", "gone", "same size"])
def test_a_file_that_changes_meanwhile_is_noticed(change: str, tmp_path: Path) -> None:
    suite, _ = suite_of(tmp_path, "cases: [more.jsonl]\n", lines({"case": "a"}, {"case": "b"}))
    file = tmp_path / "more.jsonl"
    if change == "gone":
        file.unlink()
    else:
        file.write_text(lines({"case": "b"}, {"case": "a"}, *([{"case": "c"}] if change == "longer" else [])))
        os.utime(file, ns=(1, 1))
    with pytest.raises(InputError, match=r"more\.jsonl has changed since this command started"):
        suite.cases["b"]


def test_what_stands_beside_a_check(tmp_path: Path) -> None:
    suite, found = suite_of(
        tmp_path,
        "threshold: 80%\ncases:\n  - case: one\n    threshold: 0.5\n"
        "    checks:\n      - contains: a\n        weight: 2\n"
        "      - reading: loose\n        not contains: b\n      - json\n",
        "",
    )
    assert found == []
    one = suite.cases["one"]
    assert (suite.threshold, one.threshold) == (0.8, 0.5)
    assert [(spec.name, spec.argument, spec.reading, spec.weight) for spec in one.checks] == [
        ("contains", "a", None, 2.0),
        ("not contains", "b", "loose", 1.0),
        ("json", None, None, 1.0),
    ]
    assert str(one.checks[1].where.location(key=True)) == "suite.yaml:12:9"


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("{contains: a, regex: b}", "write one check per '- ' line; 'reading', 'weight' and 'at' may be added to it"),
        ("{weight: 2}", "write one check per '- ' line; 'reading', 'weight' and 'at' may be added to it"),
        ("{contains: a, reading: lose}", "'reading' must be 'strict' or 'loose'"),
        ("{contains: a, weight: much}", "'weight' must be a number of at least 0"),
        ("{contains: a, weight: -1}", "'weight' must be a number of at least 0"),
        ("{contains: a, weight: true}", "'weight' must be a number of at least 0"),
        ("{contains: a, at: [b]}", "'at' must be a path in the answer, such as order.items[0].sku"),
    ],
)
def test_what_may_not_stand_beside_a_check(check: str, message: str, tmp_path: Path) -> None:
    _, found = loaded(tmp_path, HEAD + f"cases:\n  - case: one\n    checks: [{check}]\n")
    assert messages(found) == [message]
