"""JUnit XML for CI: a testsuite for each suite and model, a testcase for each case, and one for the verdict.

The file is red exactly if the exit code is not 0: a case that is wrong without deciding the verdict is `skipped`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as xml

from promptbench.core.errors import Exit
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Report
from promptbench.report.model import CaseResult, SkippedCase
from promptbench.report.renderers._cases import decides, details, headline, is_right, judged
from promptbench.report.words import Target

# What XML 1.0 cannot carry, or advises against.
_NOT_XML = re.compile("[^\t\n\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(reports: Sequence[Report], target: Target) -> str:
    root = xml.Element("testsuites", name="promptbench")
    for report in reports:
        _add(root, report.name, [_verdict(report), *(_skipped(item, report) for item in report.skipped)], report)
        for model, items in groupby(judged(report), key=lambda item: item.model):
            _add(root, f"{report.name} on {model}", [_case(item, report) for item in items], report)
    _count(root, [case for suite in root for case in suite.iter("testcase")])
    # The schema does not have this sum at the top.
    del root.attrib["skipped"]
    xml.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml.tostring(root, encoding="unicode")}\n'


def _add(root: xml.Element, name: str, cases: Sequence[xml.Element], report: Report) -> None:
    suite = xml.SubElement(root, "testsuite", name=_text(name))
    _count(suite, cases)
    if report.started:
        suite.set("timestamp", report.started[:19])
    facts = {"run": report.run, "suite file": report.path, "result": report.result, **report.properties}
    if known := {key: value for key, value in facts.items() if value}:
        properties = xml.SubElement(suite, "properties")
        for key, value in known.items():
            xml.SubElement(properties, "property", name=_text(key), value=_text(value))
    suite.extend(cases)


def _count(element: xml.Element, cases: Sequence[xml.Element]) -> None:
    found = Counter(child.tag for case in cases for child in case)
    element.set("tests", str(len(cases)))
    for attribute, tag in {"failures": "failure", "errors": "error", "skipped": "skipped"}.items():
        element.set(attribute, str(found[tag]))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")


def _verdict(report: Report) -> xml.Element:
    case = xml.Element("testcase", name="verdict", classname=_dotless(report.name))
    if report.path:
        case.set("file", _text(report.path))
    sentence = report.document.verdict
    if report.exit == Exit.YES and report.collection and not report.run:
        # No model was called, which is neither green nor red.
        xml.SubElement(case, "skipped", type=_text(report.result), message=_text(sentence))
    elif report.exit == Exit.YES:
        xml.SubElement(case, "system-out").text = _text(sentence)
    else:
        element = xml.SubElement(
            case,
            "error" if report.exit == Exit.ENVIRONMENT else "failure",
            type=_text(report.result),
            message=_text(sentence),
        )
        again = [f"again: {report.command}"] if report.command else []
        element.text = _text("\n".join([sentence, *report.problems, *again]))
    return case


def _case(item: CaseResult, report: Report) -> xml.Element:
    # Some CI servers take what is before the last dot for a package.
    package = f"{_dotless(report.name)}.{_dotless(item.model)}"
    case = xml.Element("testcase", name=_text(item.case), classname=package, file=_text(item.file))
    if item.line:
        case.set("line", str(item.line))
    case.set("time", f"{item.provider_ms / 1000:.3f}")
    if is_right(item):
        return case
    counts = decides(item, report)
    message = headline(item) if counts else f"does not decide: {headline(item)}"
    element = xml.SubElement(
        case,
        ("error" if item.answer is None else "failure") if counts else "skipped",
        type=_text(item.state),
        message=_text(message),
    )
    element.text = _text("\n".join(details(item)))
    return case


def _skipped(item: SkippedCase, report: Report) -> xml.Element:
    case = xml.Element(
        "testcase",
        name=_text(item.case),
        classname=_dotless(report.name),
        file=_text(item.file),
        line=str(item.line),
        time="0.000",
    )
    xml.SubElement(case, "skipped", message=_text(item.reason))
    return case


def _dotless(text: str) -> str:
    return _text(text).replace(".", "_")


def _text(text: str) -> str:
    # Return a foreign text as XML can carry it, with � for what it cannot.
    return _NOT_XML.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


SPEC = ReportFormatSpec(render)
