from __future__ import annotations

import re
import shlex
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st
from rich.cells import cell_len

from promptbench.core.errors import Exit
from promptbench.report.document import Target
from promptbench.report.model import CheckChange, LogSummary, Promotion, RunReport
from tests.report import kit
from tests.report.golden import check

_SGR = re.compile(r"\x1b\[[0-9;]*m")
COMMANDS = ("again: ", "read it: ", "undo it: ", "promote it: ")
"""Lines that stay whole, so that they can be copied."""

FIRST = "PASS: the first version is above its floors: answers 100 %"
HOLDS = "PASS: nothing to promote, this is the prompt in production, and it holds: answers 100 %"
NOTHING = "NO VERDICT: no model uses the prompt, so there is nothing to judge it on"
REPORTS = {
    "full": kit.report(),
    "passed": kit.passed(),
    "initial": kit.passed(
        judgements=[kit.judgement("triage.prompt", champion=None, mode="initial", sentence=FIRST)],
        sentence=FIRST,
        rows=[kit.row("triage", "candidate", "gguf/smollm2-135m")],
        flips=[
            kit.flip("a", "failing", None, kit.side(2, 3, "no", "equals: expected 'yes', got 'no'")),
            kit.flip("b", "failing", None, kit.side(0, 1, "", "equals: expected 'yes', got ''")),
        ],
        promotion=Promotion(
            "triage", "production", 1, kit.CANDIDATE, None, "promptbench retire triage --label production --reason '…'"
        ),
    ),
    "same": kit.passed(
        judgements=[kit.judgement("triage@7", mode="same", sentence=HOLDS)],
        sentence=HOLDS,
        rows=[kit.row("triage@7", "champion", "gguf/smollm2-135m")],
        flips=[],
        promotion=None,
    ),
    "empty": kit.report(
        judgements=[],
        rows=[],
        flips=[],
        log=None,
        comparisons=[],
        notes=[],
        result="NO VERDICT",
        sentence=NOTHING,
        exit=Exit.ENVIRONMENT,
    ),
}


REPORTS["flips"] = kit.passed(
    judgements=[kit.judgement("triage.few-shot.prompt", mode="comparison", champion="triage@7")],
    result="FAIL",
    exit=Exit.NO,
    rows=[kit.row("triage@7", "A", "gguf/smollm2-135m"), kit.row("triage.few-shot", "B", "gguf/smollm2-135m")],
    flips=[
        *(
            kit.flip(
                f"INC-{n}",
                "broken",
                kit.side(3, 3, '{"team": "billing", "reason": "an invoice"}', interval=(0.29, 1.0)),
                kit.side(0, 3, f'{{"team": "team {n}", "reason": "an invoice"}}', "expect: team", interval=(0.0, 0.71)),
                cause="expect: team is …, not …",
            )
            for n in range(9)
        ),
        kit.flip(
            "prose",
            "still failing",
            kit.side(0, 1, "no"),
            kit.side(0, 1, "It is for billing.", "json: no JSON"),
            cause="JSON: prose",
            expected='{"team":"billing"}',
        ),
        *(
            kit.flip(
                f"late {n}",
                "still failing",
                kit.side(0, 1, "no"),
                kit.side(0, 1, '{"why": "late", "team": "other"}', "expect: team is 'other', not 'delivery'"),
                cause="expect: team is …, not …",
                expected='{"team":"delivery"}',
            )
            for n in range(300)
        ),
        kit.flip("a fix", "fixed", kit.side(0, 1, '{"team": "none"}'), kit.side(1, 1, '{"team": "other"}')),
    ],
    checks=[CheckChange("expect", "gguf/smollm2-135m", 1, 9), CheckChange("json", "gguf/smollm2-135m", 0, 1)],
    left_out={"changed since": ["hello"], "new": ["a", "b"]},
    promotion=None,
)


@pytest.mark.parametrize("name", REPORTS)
def test_golden(name: str) -> None:
    check(f"terminal-{name}.txt", kit.rendered("terminal", [REPORTS[name]], Target(80)))


def test_everything_when_it_is_wanted() -> None:
    few = replace(REPORTS["flips"], flips=[*REPORTS["flips"].flips[:12], REPORTS["flips"].flips[-1]])
    shown = kit.rendered("terminal", [few], Target(80, verbose=True))
    check("terminal-verbose.txt", shown)
    assert "--verbose" not in shown
    whole = kit.rendered("terminal", [REPORTS["flips"]], Target(80, verbose=True))
    assert all(flip.case in whole for flip in REPORTS["flips"].flips)
    assert whole.count("expected → B: ") == 300


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("name", REPORTS)
def test_lines_fit(name: str, width: int) -> None:
    for line in kit.rendered("terminal", [REPORTS[name]], Target(width)).splitlines():
        assert cell_len(line) <= width or line.lstrip().startswith(COMMANDS), line


@pytest.mark.parametrize("name", REPORTS)
def test_colour_is_all_that_colour_adds(name: str) -> None:
    coloured = kit.rendered("terminal", [REPORTS[name]], Target(80, colour=True))
    assert _SGR.search(coloured)
    stripped = [line.rstrip() for line in _SGR.sub("", coloured).splitlines()]
    assert stripped == kit.rendered("terminal", [REPORTS[name]], Target(80)).splitlines()


@pytest.mark.parametrize("name", REPORTS)
def test_it_ends_with_the_verdict(name: str) -> None:
    report = REPORTS[name]
    text = kit.rendered("terminal", [report], Target(80))
    assert " ".join(text.rsplit("\n\n", 1)[1].split("\n")).strip().endswith(report.sentence)
    assert kit.rendered("plain", [report], Target(80)).splitlines()[-1] == report.sentence


def hostile(text: str) -> RunReport:
    """`text` wherever a report has a text."""
    return kit.report(
        suite=text,
        sentence=f"FAIL: {text}",
        reproduce=shlex.join(["promptbench", "run", text]),
        notes=[text],
        comparisons=[text],
        rows=[kit.row(text, "candidate", text, repairs={text: 1}, rungs={"none": 2}), kit.row(text, text, "m/n")],
        judgements=[kit.judgement(text, sentence=text), kit.judgement(text, champion=text, sentence=text)],
        flips=[
            kit.flip(
                name, state, side, kit.side(1, 2, text, text), model=text, cause=text, expected=expected, notes=[text]
            )
            for state in ("broken", "fixed", "no answer")
            for name, side, expected in ((text, None, None), ("other", kit.side(0, 2, f"{text} {text} no"), text * 2))
        ],
        checks=[CheckChange(text, text, 1, 1)],
        left_out={text: [text]},
        errors=[text],
        advisory=[text],
        unjudged=[text],
        waits=[text],
        log=LogSummary(1, 1, [text], text),
        promotion=Promotion("triage", "production", 2, kit.CANDIDATE, 1, "promptbench rollback", [text], text),
    )


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from([kit.ESCAPES, kit.MARKUP, kit.LINES, kit.WIDE, kit.RIGHT_TO_LEFT, kit.SURROGATE, kit.LONG, ""])
    | st.text(alphabet=st.characters(exclude_categories=()))
)
def test_no_text_gets_out(text: str) -> None:
    report = [hostile(text)]
    shown = kit.rendered("terminal", report, Target(80))
    for whole in (
        shown,
        kit.rendered("terminal", report, Target(40, verbose=True)),
        kit.rendered("plain", report, Target()),
    ):
        assert all(char.isprintable() or char == "\n" for char in whole)
        assert whole.encode()
    for line in shown.splitlines():
        assert cell_len(line) <= 80 or line.lstrip().startswith(COMMANDS)


def test_plain_text_has_a_line_for_each_thing() -> None:
    shown = kit.rendered("plain", [REPORTS["full"]], Target(40)).splitlines()
    assert kit.rendered("plain", [REPORTS["full"]], Target(40, colour=True)).splitlines() == shown
    report = REPORTS["full"]
    assert {*report.comparisons, *report.notes, report.sentence} <= {*shown}
    assert not {*report.waits} & {*shown}
    assert {*report.waits} <= {*kit.rendered("plain", [report], Target(verbose=True)).splitlines()}
    assert not re.search("[\u2500-\u259f]", "".join(shown))  # boxes


def test_several_suites_end_with_one_sentence() -> None:
    good, bad = REPORTS["passed"], REPORTS["full"]
    open_ = kit.passed(suite="late", result="INCONCLUSIVE", exit=Exit.INCONCLUSIVE)
    ends = [
        ((good, good), "PASS: 2 of 2 suites pass"),
        ((good, bad), "FAIL: 1 of 2 suites passes; triage FAIL"),
        ((open_, bad, good), "FAIL: 1 of 3 suites passes; late INCONCLUSIVE, triage FAIL"),
        ((open_, open_), "INCONCLUSIVE: 0 of 2 suites pass; late INCONCLUSIVE, late INCONCLUSIVE"),
    ]
    for reports, end in ends:
        for name in ("terminal", "plain"):
            assert kit.rendered(name, reports, Target(80)).splitlines()[-1] == end


def test_a_failure_has_the_command_that_makes_it_again() -> None:
    report = kit.passed(
        reproduce="promptbench run suites/triage --case 'a*' --tag x --shard 1/2",
        flips=[kit.flip(name, "failing", None, kit.side(0, 1, "no")) for name in ("it's", "[urgent] late")],
    )
    command = "again: promptbench run suites/triage"
    first, second = """ --case 'it'"'"'s'""", " --case '[[]urgent] late'"
    assert f"  {command}{first}{second}" in kit.rendered("terminal", [report], Target(40)).splitlines()


def test_green_is_what_is_right() -> None:
    def shown(state: str, expected: str | None = None) -> str:
        sides = kit.side(0, 1, "one two old"), kit.side(0, 1, "one two new")
        report = kit.passed(flips=[kit.flip("a", state, *sides, expected=expected)])
        return kit.rendered("terminal", [report], Target(80, colour=True, verbose=True)).replace("\x1b[0m", "")

    red, green, yellow = (f"\x1b[{number}m" for number in (31, 32, 33))
    assert f"{green}[-old-]{red}{{+new+}}" in shown("broken")
    assert f"{red}[-old-]{green}{{+new+}}" in shown("fixed")
    assert f"{yellow}[-old-]{yellow}{{+new+}}" in shown("still failing")
    assert f"{green}[-right-]{red}{{+new+}}" in shown("still failing", "one two right")


def test_what_is_said_of_every_case_is_said_once() -> None:
    json = "not JSON: There is no JSON object or array in the text"
    flips = [
        kit.flip(
            f"case {n}", "failing", None, kit.side(0, 1, "no", f"json: {json}", f"expect: {json}", "x: y"), cause="c"
        )
        for n in range(3)
    ]
    shown = kit.rendered("terminal", [kit.passed(flips=flips)], Target(80))
    assert f"  3 cases: json: {json}\n" in shown
    assert shown.count(json) == 1
    assert shown.count("x: y") == 3


def test_markup_is_text() -> None:
    shown = kit.rendered("terminal", [kit.report()], Target(80, colour=True))
    assert "candidate: [red]not red[/] [/] [link=https://example.com]here[/link] :smile:" in shown


def test_every_model_and_every_figure_is_there() -> None:
    lines = kit.rendered("terminal", [kit.report()], Target(90)).splitlines()
    for row in kit.report().rows:
        assert any(line.startswith(row.model) for line in lines)
    assert sum("unknown" in line for line in lines) == 2
    assert sum(line.endswith("$0") for line in lines) == 1
    assert [line.split()[:2] for line in lines if line.startswith("  production")] == [["production", "triage@7"]] * 2


def test_a_narrow_terminal_keeps_the_names_apart() -> None:
    lines = kit.rendered("terminal", [kit.report()], Target(60)).splitlines()
    assert any(line.startswith("  candidate") and "shot" in line for line in lines)


def test_details_have_a_limit_and_the_rest_is_named() -> None:
    flips = [kit.flip(f"case {n}", "still failing", None, kit.side(0, 1, "no")) for n in range(5_000)]
    shown = kit.rendered("terminal", [kit.report(flips=flips)], Target(80))
    assert shown.count("candidate: ") == 10
    assert "and 4990 more: case 10, case 11" in shown.replace("\n ", "")
    assert len(shown.splitlines()) < 100
    assert "4,990 cases not shown in full: --verbose" in shown


def test_answers_from_the_cache_have_their_column() -> None:
    nothing = {"p50_ms": None, "p99_ms": None, "cost": 0.0, "cost_per_1000": None}
    rows = [
        kit.row("triage@7", "champion", "p/m", cached=60, **nothing),
        kit.row("triage", "candidate", "p/m", cached=12),
        kit.row("", "baseline", "python/own.py:f"),
    ]
    head, _, all_kept, some, _, none = kit.rendered("terminal", [kit.passed(rows=rows)], Target(100)).splitlines()[2:8]
    assert head.split() == ["side", "prompt", "answers", "format", "$/1,000", "cached"]
    assert all_kept.split()[-2:] == ["–", "60"]
    assert some.split()[-2:] == ["$0.310", "12"]
    assert none.endswith("$0.310")
    assert "cached" not in kit.rendered("terminal", [kit.passed()], Target(100))
