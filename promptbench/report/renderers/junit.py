"""JUnit XML for CI: a testsuite for each suite and model, a testcase for each case, and one for the verdict.

The file is red exactly if the exit code is not 0: a case that is wrong without deciding the verdict is `skipped`.
"""

import re
from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import groupby
from typing import Any
from xml.etree import ElementTree

from junitparser import Attr, Error, Failure, IntAttr, JUnitXml, Skipped, TestCase, TestSuite

from promptbench.core.errors import Exit
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Report, Target
from promptbench.report.model import CaseResult, SkippedCase
from promptbench.report.renderers._cases import decides, details, headline, is_right, judged

# What XML 1.0 cannot carry, or advises against.
_NOT_XML = re.compile("[^\t\n\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Case(TestCase):
    """A testcase with its location."""

    file = Attr()
    line = IntAttr()


def render(reports: Sequence[Report], target: Target) -> str:
    xml: Any = JUnitXml("promptbench")
    for report in reports:
        xml.append(
            _suite(report.name, [_verdict(report), *(_skipped(item, report) for item in report.skipped)], report)
        )
        for model, items in groupby(judged(report), key=lambda item: item.model):
            xml.append(_suite(f"{report.name} on {model}", (_case(item, report) for item in items), report))
    xml.update_statistics()
    # The schema does not have this sum at the top.
    del xml._elem.attrib["skipped"]
    ElementTree.indent(xml._elem)
    file = BytesIO()
    xml.write(file)
    return f"{file.getvalue().decode()}\n"


def _suite(name: str, cases: Iterable[TestCase], report: Report) -> TestSuite:
    suite = TestSuite(_text(name))
    if report.started:
        suite.timestamp = report.started[:19]
    facts = {"run": report.run, "suite file": report.path, "result": report.result, **report.properties}
    for key, value in facts.items():
        if value:
            suite.add_property(_text(key), _text(value))
    suite.add_testcases(list(cases))
    return suite


def _made(name: str, package: str, file: str, line: int = 0, seconds: float = 0.0) -> _Case:
    case = _Case(_text(name), package, round(seconds, 3))
    if file:
        case.file = _text(file)
    if line:
        case.line = line
    return case


def _outcome(kind: type[Error | Failure | Skipped], message: str, state: str, text: str = "") -> Any:
    outcome = kind(_text(message))
    if state:
        outcome.type = _text(state)
    if text:
        outcome.text = _text(text)
    return outcome


def _verdict(report: Report) -> _Case:
    case, sentence = _made("verdict", _dotless(report.name), report.path), report.document.verdict
    if report.exit == Exit.YES and report.collection and not report.run:
        # No model was called, which is neither green nor red.
        case.result = [_outcome(Skipped, sentence, report.result)]
    elif report.exit == Exit.YES:
        case.system_out = _text(sentence)
    else:
        again = [f"again: {report.command}"] if report.command else []
        kind = Error if report.exit == Exit.ENVIRONMENT else Failure
        case.result = [_outcome(kind, sentence, report.result, "\n".join([sentence, *report.problems, *again]))]
    return case


def _case(item: CaseResult, report: Report) -> _Case:
    # Some CI servers take what is before the last dot for a package.
    package = f"{_dotless(report.name)}.{_dotless(item.model)}"
    case = _made(item.case, package, item.file, item.line, item.provider_ms / 1000)
    if not is_right(item):
        counts = decides(item, report)
        kind = (Error if item.answer is None else Failure) if counts else Skipped
        message = headline(item) if counts else f"does not decide: {headline(item)}"
        case.result = [_outcome(kind, message, item.state, "\n".join(details(item)))]
    return case


def _skipped(item: SkippedCase, report: Report) -> _Case:
    case = _made(item.case, _dotless(report.name), item.file, item.line)
    case.result = [_outcome(Skipped, item.reason, "")]
    return case


def _dotless(text: str) -> str:
    return _text(text).replace(".", "_")


def _text(text: str) -> str:
    # Return a foreign text as XML can carry it, with � for what it cannot.
    return _NOT_XML.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


SPEC = ReportFormatSpec(render)
