"""The step summary within GitHub's limit, and annotations as the runner reads them."""

from __future__ import annotations

import re

from hypothesis import given, strategies as st

from promptbench.core.errors import Code, Diagnostic, Location, Severity
from promptbench.report.document import Target
from promptbench.report.model import RunReport
from promptbench.report.renderers.github import LIMIT, MOST, errors, workflow_commands
from promptbench.report.renderers.markdown import within
from promptbench.workflows.judge.run_report import run_report
from tests.report import kit
from tests.report.golden import check

Command = tuple[str, dict[str, str], str]


def read(line: str) -> Command:
    """A workflow command by the rules of the runner (`ActionCommand.TryParseV2` and its unescaping)."""
    match = re.fullmatch(r"::([a-z]+)(?: (.*?))?::(.*)", line.lstrip(), re.DOTALL)
    assert match, line
    properties = dict(part.strip().split("=", 1) for part in (match[2] or "").split(",") if part.strip())
    escapes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}

    def plain(text: str, escaped: tuple[str, ...]) -> str:
        return re.sub("|".join(escaped), lambda found: escapes[found[0]], text)

    values = {key: plain(value, tuple(escapes)) for key, value in properties.items()}
    return match[1], values, plain(match[3], ("%0D", "%0A", "%25"))


def read_all(*reports: RunReport, folder: str = "") -> list[Command]:
    text = workflow_commands(list(map(run_report, reports)), folder)
    assert text.endswith("\n")
    return [read(line) for line in text.split("\n")[:-1]]


def test_golden() -> None:
    check("github.md", kit.rendered("github", [kit.report()], Target()))
    check("github-annotations.txt", workflow_commands([run_report(kit.report())]))


def test_a_case_is_annotated_at_its_line() -> None:
    found = {properties["title"]: (level, properties, said) for level, properties, said in read_all(kit.report())}
    level, properties, said = found["broken: markup in the answer (gguf/smollm2-135m)"]
    assert (level, properties["file"], properties["line"]) == ("error", "suites/triage/suite.yaml", "31")
    assert said == f'broken, 3 of 11 tries pass: expected {{"team":"billing"}}, got {kit.MARKUP}'
    assert found['still failing: =HYPERLINK("http://example.com") (gguf/smollm2-135m)'][1]["file"] == "a,b:c.yaml"
    assert read_all(kit.report(), folder="sub/")[1][1]["file"] == "sub/suites/triage/suite.yaml"


def test_a_pass_has_no_error() -> None:
    levels = [level for level, _, _ in read_all(kit.passed())]
    assert levels == ["notice", "warning"]


def test_github_shows_ten_of_a_level_so_the_worst_are_written() -> None:
    failing = [kit.result(f"failing {n}", "still failing", 0, 8) for n in range(40)]
    broken = [kit.result(f"broken {n}", "broken", 0, 8, critical=n == 4) for n in range(5)]
    aside = [kit.result(f"aside {n}", "failing", 0, 1, gated=False) for n in range(30)]
    found = read_all(kit.report(results=[*failing, *aside, *broken]))
    errors = [properties["title"] for level, properties, _ in found if level == "error"]
    assert len(errors) == MOST == sum(level == "warning" for level, _, _ in found)
    assert errors[0] == "triage"
    assert errors[1].startswith("broken: broken 4 ")
    assert [title.split(":")[0] for title in errors[1:]] == ["broken"] * 5 + ["still failing"] * 4
    assert found[-1][2] == "57 more cases are not annotated; the summary and the report have all"


@given(st.sampled_from(["::error::x", "a%0Ab", "a\r\nb", "x,line=1::", kit.ESCAPES]) | st.text())
def test_no_text_is_a_command(text: str) -> None:
    item = kit.result(text, "broken", 0, 1, answer=text, reasons=(f"expect: {text}",), file=text)
    found = read_all(kit.report(sentence=text, suite=text, reproduce=text, results=[item], flips=[]))
    assert len(found) == 2
    assert {key for _, properties, _ in found for key in properties} <= {"file", "line", "title"}
    clean = re.sub("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", text)
    assert found[0][2] == clean + (f"\nagain: {clean}" if text else "")
    assert found[1][1]["title"] == f"broken: {clean} (gguf/smollm2-135m)"


def test_the_summary_keeps_within_what_is_left() -> None:
    many = [kit.result(f"case {n}", "broken", 0, 1, answer="退款 " * 90) for n in range(4_000)]
    report = kit.report(results=many)
    whole = kit.rendered("github", [report], Target()).encode()
    assert LIMIT - 2_000 < len(whole) <= LIMIT
    assert b"_Shortened" in whole[-200:]
    assert len(within([run_report(report)], 10_000).encode()) <= 10_000
    assert within([run_report(report)], 20) == within([run_report(report)], -20) == ""
    assert b"_Shortened" not in kit.rendered("github", [kit.report()], Target()).encode()


def test_errors_are_at_their_locations() -> None:
    locations = [Location("suites/triage/suite.yaml", line, 7) for line in range(1, 31)]
    found = [
        Diagnostic(Code.UNKNOWN_KEY, f"'key {location.line}' is not known", location, "write 'a, b'")
        for location in locations
    ]
    remark = Diagnostic(Code.VACUOUS, "a remark", Location("a.yaml"), severity=Severity.WARNING)
    lines = [read(line) for line in errors("30 errors", [remark, *found], "sub/").splitlines()]
    assert len(lines) == MOST
    assert lines[0] == (
        "error",
        {"file": "sub/suites/triage/suite.yaml", "line": "1", "col": "7", "title": "PB201"},
        "'key 1' is not known\nhint: write 'a, b'",
    )
    assert lines[-1] == ("error", {"title": "promptbench"}, "30 errors")
    assert errors("nothing", (), level="notice") == "::notice title=promptbench::nothing\n"


@given(st.text())
def test_no_error_message_is_a_command(text: str) -> None:
    item = Diagnostic(Code.UNKNOWN_KEY, text, Location(text or "?", 1, 1), text or None)
    lines = errors(text, [item]).split("\n")[:-1]
    assert [read(line)[0] for line in lines] == ["error", "error"]
    assert {key for line in lines for key in read(line)[1]} <= {"file", "line", "col", "title"}
