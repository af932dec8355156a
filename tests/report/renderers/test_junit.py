"""JUnit XML as CI reads it: checked by a schema, read by a parser that is not ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import xmlschema
from hypothesis import given, strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from promptbench.core.errors import Exit
from promptbench.report.document import Target
from promptbench.report.model import RunReport
from tests.report import kit
from tests.report.golden import check

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))
ANY = st.text(alphabet=st.characters(exclude_categories=()))


def parsed(*reports: RunReport) -> dict[tuple[str, str], TestCase]:
    """The testcases by their suite and name, once the schema has found nothing."""
    text = kit.rendered("junit", reports, Target())
    SCHEMA.validate(text)
    xml = JUnitXml.fromstring(text.encode())
    cases = {(str(suite.name), str(case.name)): case for suite in xml for case in suite}
    assert len(cases) == xml.tests == sum(suite.tests for suite in xml)
    kinds = [type(item) for case in cases.values() for item in case.result]
    assert (kinds.count(Failure), kinds.count(Error)) == (xml.failures, xml.errors)
    return cases


def red(*reports: RunReport) -> bool:
    return any(isinstance(item, (Failure, Error)) for case in parsed(*reports).values() for item in case.result)


def test_golden() -> None:
    check("junit.xml", kit.rendered("junit", [kit.report()], Target()))


def test_a_case_says_what_was_expected_and_what_came() -> None:
    case = parsed(kit.report())["triage on gguf/smollm2-135m", "markup in the answer"]
    [failure] = case.result
    assert isinstance(failure, Failure)
    assert case.classname == "triage.gguf/smollm2-135m"
    assert (case._elem.get("file"), case._elem.get("line")) == ("suites/triage/suite.yaml", "31")
    assert failure.type == "broken"
    assert f'expected {{"team":"billing"}}, got {kit.MARKUP}' in failure.message
    assert failure.text.splitlines()[:3] == [
        "at suites/triage/suite.yaml:31",
        'expected: {"team":"billing"}',
        f"got: {kit.MARKUP}",
    ]


def test_a_provider_failure_is_an_error_and_what_does_not_decide_is_skipped() -> None:
    cases = parsed(kit.report())
    kinds = {name: [type(item) for item in case.result] for (_, name), case in cases.items() if "any-column" not in _}
    assert kinds["nobody answered"] == [Error]
    assert kinds["once only"] == [Skipped]
    assert kinds["INC-2031"] == []
    others = [case for (suite, _), case in cases.items() if "any-column" in suite or "python" in suite]
    assert [[type(item) for item in case.result] for case in others] == [[Skipped], [Skipped]]


@pytest.mark.parametrize(
    ("result", "code", "kind"),
    [
        ("PASS", Exit.YES, None),
        ("FAIL", Exit.NO, Failure),
        ("INCONCLUSIVE", Exit.INCONCLUSIVE, Failure),
        ("NO VERDICT", Exit.ENVIRONMENT, Error),
        ("SHARD", Exit.YES, None),
    ],
)
def test_the_file_is_red_where_the_exit_code_is_not_0(result: str, code: Exit, kind: type | None) -> None:
    report = kit.report(result=result, exit=code)
    assert red(report) is (code != 0)
    assert red(kit.passed(suite="other"), report) is (code != 0)
    verdict = parsed(report)["triage", "verdict"]
    assert [type(item) for item in verdict.result] == ([kind] if kind else [])


def test_a_verdict_without_a_failing_case_is_red_too() -> None:
    assert red(kit.report(results=()))
    assert not red(kit.passed(results=()))


@given(ANY)
def test_any_text_gives_a_valid_file(text: str) -> None:
    item = kit.result(
        text, "broken", 0, 3, model=text, answer=text, expected=text, reasons=(f"expect: {text}",), file=text
    )
    report = kit.report(suite=text, sentence=text, path=text, reproduce=text, errors=[text], results=[item], flips=[])
    cases = parsed(report)
    assert len(cases) == 2
    carried = "".join(re.findall(r"[ -~]", text))
    [failure] = next(case for (_, name), case in cases.items() if name != "verdict" or len(cases) == 1).result
    assert carried in "".join(re.findall(r"[ -~]", failure.text))


def test_a_huge_answer_is_cut() -> None:
    item = kit.result("large", "broken", 0, 1, answer="x" * 50_000_000, reasons=("json: no JSON",))
    text = kit.rendered("junit", [kit.report(results=[item])], Target())
    assert len(text) < 20_000
    assert "49,996,000 more characters" in text
