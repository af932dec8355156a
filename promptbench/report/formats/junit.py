"""JUnit XML for CI: a testsuite for each suite and model, a testcase for each case, and one for the verdict.

The file is red exactly where the exit code is not 0: a case that is wrong and does not stop the verdict is `skipped`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.etree import ElementTree as xml

from promptbench.core.errors import Exit
from promptbench.report.formats._cases import decides, details, headline, is_right, judged
from promptbench.report.model import CaseResult, Row, RunReport
from promptbench.report.words import Target

_NOT_XML = re.compile("[^\t\n\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry, or advises against."""
_OUTCOMES = ("failure", "error", "skipped")
_COUNTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def render(reports: Sequence[RunReport], target: Target) -> str:
    root = xml.Element("testsuites", name="promptbench")
    for report in reports:
        _add(root, report.suite, [_verdict(report)], report)
        for model, items in groupby(judged(report), key=lambda item: item.model):
            cases = [_case(item, report) for item in items]
            _add(root, f"{report.suite} on {model}", cases, report, [row for row in report.rows if row.model == model])
    _count(root, [case for suite in root for case in suite.iter("testcase")])
    # The schema knows no such sum at the top.
    del root.attrib["skipped"]
    xml.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml.tostring(root, encoding="unicode")}\n'


def _add(
    root: xml.Element, name: str, cases: Sequence[xml.Element], report: RunReport, rows: Sequence[Row] = ()
) -> None:
    suite = xml.SubElement(root, "testsuite", name=_text(name))
    _count(suite, cases)
    suite.set("timestamp", report.started[:19])
    properties = xml.SubElement(suite, "properties")
    for key, value in _facts(report, rows):
        xml.SubElement(properties, "property", name=_text(key), value=_text(value))
    suite.extend(cases)


def _count(element: xml.Element, cases: Sequence[xml.Element]) -> None:
    found = Counter(child.tag for case in cases for child in case)
    element.set("tests", str(len(cases)))
    for attribute, tag in _COUNTS.items():
        element.set(attribute, str(found[tag]))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")


def _facts(report: RunReport, rows: Sequence[Row]) -> Iterable[tuple[str, str]]:
    if report.run:
        yield "run", report.run
    yield "suite file", report.path
    yield "result", report.result
    for judgement in report.judgements[:1]:
        yield "candidate", f"{judgement.candidate} {judgement.candidate_hash}"
        if judgement.champion:
            yield "champion", f"{judgement.champion} {judgement.champion_hash}"
    for row in rows:
        yield " ".join(filter(None, (row.side, row.prompt, "answers"))), f"{row.passed}/{row.attempts}"


def _verdict(report: RunReport) -> xml.Element:
    """A testcase for what the exit code says."""
    case = xml.Element("testcase", name="verdict", classname=_dotless(report.suite), file=_text(report.path))
    if report.exit == Exit.YES and not report.run:
        # Nothing was asked, which is neither green nor red.
        xml.SubElement(case, "skipped", type=_text(report.result), message=_text(report.sentence))
        return case
    if report.exit == Exit.YES:
        xml.SubElement(case, "system-out").text = _text(report.sentence)
        return case
    tag = "error" if report.exit == Exit.ENVIRONMENT else "failure"
    said = xml.SubElement(case, tag, type=_text(report.result), message=_text(report.sentence))
    said.text = _text("\n".join([report.sentence, *report.errors, *report.unjudged, f"again: {report.reproduce}"]))
    return case


def _case(item: CaseResult, report: RunReport) -> xml.Element:
    case = xml.Element(
        "testcase",
        name=_text(item.case),
        # Some CI takes what is before the last dot for a package.
        classname=f"{_dotless(report.suite)}.{_dotless(item.model)}",
        file=_text(item.file),
    )
    if item.line:
        case.set("line", str(item.line))
    case.set("time", f"{item.provider_ms / 1000:.3f}")
    if is_right(item):
        return case
    counts = decides(item, report)
    tag = ("error" if item.answer is None else "failure") if counts else "skipped"
    message = headline(item) if counts else f"does not decide: {headline(item)}"
    said = xml.SubElement(case, tag, type=_text(item.state), message=_text(message))
    said.text = _text("\n".join(details(item)))
    return case


def _dotless(text: str) -> str:
    return _text(text).replace(".", "_")


def _text(text: str) -> str:
    """A foreign text as XML can carry it; what it cannot carry is marked."""
    return _NOT_XML.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
