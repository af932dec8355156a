"""A report with everything in it that a report can have, and with texts that try to get out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from promptbench.core.errors import Exit
from promptbench.core.types import Answer, Attempt, AttemptKey, Json, ModelRef, Outcome, Score, Usage
from promptbench.metrics.latency import TokenTimes
from promptbench.report.document import Report, Target
from promptbench.report.model import (
    CaseResult,
    FlipRow,
    Judgement,
    LogSummary,
    Promotion,
    Row,
    RunReport,
    SideResult,
)
from promptbench.report.renderers import plugins
from promptbench.workflows.judge.run_report import run_report


def rendered(name: str, results: Sequence[RunReport | Report], target: Target) -> str:
    """Render reports, or those on runs, in a format."""
    reports = [item if isinstance(item, Report) else run_report(item) for item in results]
    return str(plugins.load(name).render(reports, target))


CANDIDATE = "sha256:" + "c" * 64
CHAMPION = "sha256:" + "0" * 64

MARKUP = "[red]not red[/] [/] [link=https://example.com]here[/link] :smile:"
ESCAPES = "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x1b[0m \x9b31m \x08\x08 \r overwritten"
LINES = 'first line\nsecond line\r\n\tthird "line"\n'
WIDE = "请求退款 · 返金のご依頼 · 환불 요청 · " * 4
RIGHT_TO_LEFT = "safe \u202egnp.exe\u202c \u2066isolated\u2069 שלום"
LONG = '{"team": "billing", "reason": "' + "because of the invoice " * 215 + '"}'
SURROGATE = "half a pair: \ud83d and \udc00"

RUNGS = {"raw": 0, "extracted": 0, "repaired_safe": 0, "repaired_risky": 0, "none": 0}


def row(prompt: str, side: str, model: str, **changes: Json) -> Row:
    plain = Row(
        prompt=prompt,
        side=side,
        model=model,
        gated=side != "baseline",
        attempts=60,
        passed=60,
        errored=0,
        well_formed=60,
        rungs={**RUNGS, "raw": 60},
        p50_ms=812.4,
        p99_ms=2300.0,
        mean_ms=900.0,
        deviation_ms=301.5,
        queue_p50_ms=0.4,
        input_tokens=21_000,
        output_tokens=1_200,
        cost=0.0186,
        cost_per_1000=0.31,
        repairs={},
        timed=60,
        few=True,
        p90_ms=1150.0,
        queue_p99_ms=0.9,
    )
    return replace(plain, **changes)


def tokens(least: int, most: int, calls: int, p50_ms: float) -> TokenTimes:
    return TokenTimes(least, most, calls, calls < 100, p50_ms, p50_ms * 1.5, p50_ms * 3, p50_ms / 4)


def side(
    passed: int, attempts: int, answer: str | None = None, *reasons: str, interval: tuple[float, float] | None = None
) -> SideResult:
    return SideResult(passed, attempts, answer, reasons, interval)


def flip(
    case: str,
    state: str,
    champion: SideResult | None,
    candidate: SideResult,
    *,
    model: str = "gguf/smollm2-135m",
    **changes: Json,
) -> FlipRow:
    plain = FlipRow(model, case, state, critical=False, logged=False, champion=champion, candidate=candidate)
    return replace(plain, **changes)


def result(case: str, state: str, passed: int, attempts: int, **changes: Json) -> CaseResult:
    """A case with the judged candidate."""
    plain = CaseResult(
        case=case,
        model="gguf/smollm2-135m",
        gated=True,
        prompt="triage.few-shot",
        side="candidate",
        judged=True,
        state=state,
        critical=False,
        logged=False,
        tags=(),
        file="suites/triage/suite.yaml",
        line=12,
        expected='{"team":"billing"}',
        attempts=attempts,
        passed=passed,
        errored=0,
        answer='{"team": "billing"}',
        reasons=(),
        error=None,
        rung="raw",
        provider_ms=2437.2,
        cost=None,
    )
    return replace(plain, **changes)


def results() -> list[CaseResult]:
    """A result in every state, with hostile texts; a model that is not judged, and one without a prompt."""
    failing = ("must not contain: the answer contains 'sorry'",)
    large = "openai/gpt-5-mini-2026-08-07-with-a-name-longer-than-any-column"
    return [
        result("charged twice", "passing", 11, 11, side="champion", prompt="triage@7", judged=False),
        result("charged twice", "still passing", 11, 11, tags=("billing", "=1+1")),
        result("INC-2031", "fixed", 8, 8, critical=True, logged=True, tags=("captured", "critical")),
        result(
            "markup in the answer",
            "broken",
            3,
            11,
            answer=MARKUP,
            reasons=(f"expect: the answer is '{MARKUP}'",),
            line=31,
        ),
        result("escapes in the answer", "broken", 0, 11, answer=ESCAPES, reasons=(f"expect: $.team is '{ESCAPES}'",)),
        result("lines | bars in the answer", "still failing", 1, 8, answer=LINES, reasons=failing, critical=True),
        result("请求退款 " * 12, "still failing", 0, 8, answer=WIDE, expected=None, reasons=failing, rung=None),
        result(RIGHT_TO_LEFT, "unstable", 7, 11, answer=RIGHT_TO_LEFT, reasons=failing),
        result("half a pair", "unstable", 8, 11, answer=SURROGATE, reasons=failing, critical=True, cost=0.0021),
        result(
            '=HYPERLINK("http://example.com")', "still failing", 0, 8, answer="=cmd|'/C calc'!A0", file="a,b:c.yaml"
        ),
        result("a very long answer", "broken", 0, 11, answer=LONG * 10, reasons=(f"json schema: {LONG} is too long",)),
        result("nobody answered", "no answer", 0, 0, answer=None, errored=8, error="the server answered 500", line=0),
        result("once only", "not reproduced", 5, 8, answer="no", reasons=failing),
        result("charged twice", "failing", 0, 1, model=large, gated=False, answer="100 % wrong\r\n::error::mine"),
        result(
            "charged twice",
            "failing",
            0,
            1,
            model="python/own.py:classify",
            gated=False,
            judged=False,
            prompt="",
            side="baseline",
            answer="delivery",
            reasons=("expect: $.team is 'delivery', not 'billing'",),
        ),
    ]


def judgement(candidate: str, **changes: Json) -> Judgement:
    plain = Judgement(
        candidate, CANDIDATE, "triage@7", CHAMPION, "champion", "FAIL", "FAIL: a case is broken", {}, None
    )
    return replace(plain, **changes)


def report(**changes: Json) -> RunReport:
    """Two candidates, three models and a baseline, every state of a case, and hostile texts in all of them."""
    rows = [
        row(
            "triage@7",
            "champion",
            "gguf/smollm2-135m",
            passed=41,
            well_formed=52,
            rungs={**RUNGS, "raw": 44, "extracted": 8, "none": 8},
            cost_per_1000=None,
            cost=None,
        ),
        row(
            "triage.few-shot",
            "candidate",
            "gguf/smollm2-135m",
            passed=57,
            errored=1,
            attempts=59,
            well_formed=59,
            rungs={**RUNGS, "raw": 51, "extracted": 5, "repaired_safe": 2, "repaired_risky": 1},
            repairs={"trailing comma": 2, "single quotes": 1},
            cost_per_1000=None,
            cost=None,
        ),
        row(
            "triage@7",
            "champion",
            "openai/gpt-5-mini-2026-08-07-with-a-name-longer-than-any-column",
            p50_ms=12_345.6,
            p90_ms=20_000.0,
            p99_ms=65_000.0,
            first_byte_p50_ms=11_900.0,
            queue_p50_ms=40.0,
            queue_p99_ms=70_200.0,
            timed=400,
            few=False,
            cost_per_1000=1234.5,
            by_input_tokens=[tokens(256, 511, 400, 12_345.6)],
            by_output_tokens=[tokens(0, 15, 12, 900.0), tokens(16, 31, 300, 8_000.0), tokens(32, 63, 88, 20_000.0)],
        ),
        row(
            "triage.few-shot",
            "candidate",
            "openai/gpt-5-mini-2026-08-07-with-a-name-longer-than-any-column",
            passed=59,
            cost_per_1000=0.00042,
        ),
        row(
            "",
            "baseline",
            "python/classifier.py:classify",
            attempts=20,
            passed=13,
            well_formed=None,
            rungs={},
            p50_ms=0.02,
            p90_ms=0.2,
            p99_ms=0.4,
            timed=20,
            queue_p99_ms=0.0,
            cost_per_1000=0.0,
            cost=0.0,
            input_tokens=None,
            output_tokens=None,
        ),
        row(
            "triage.few-shot",
            "candidate",
            "http/nobody-answers",
            attempts=0,
            passed=0,
            errored=20,
            well_formed=None,
            rungs={},
            p50_ms=None,
            p99_ms=None,
            mean_ms=None,
            deviation_ms=None,
            queue_p50_ms=None,
            queue_p99_ms=None,
            p90_ms=None,
            timed=0,
            cost=None,
            cost_per_1000=None,
        ),
    ]
    failing = "must not contain: the answer contains 'sorry'"
    flips = [
        flip("INC-2031", "fixed", side(0, 8, "{", "json: no JSON"), side(8, 8, "{}"), critical=True, logged=True),
        flip("charged twice, and the second time in another currency than the first", "fixed", side(1, 8), side(8, 8)),
        flip(
            "markup in the answer",
            "broken",
            side(11, 11, "{}"),
            side(3, 11, MARKUP, f"equals: expected 'billing', got '{MARKUP}'"),
        ),
        flip(
            "escapes in the answer",
            "broken",
            side(11, 11, "{}"),
            side(0, 11, ESCAPES, f"equals: got '{ESCAPES}'", "second reason", "third reason"),
        ),
        flip("lines in the answer", "still failing", side(0, 8, "no"), side(1, 8, LINES, failing), critical=True),
        flip(
            "请求退款 " * 12,
            "still failing",
            side(0, 8, "no"),
            side(0, 8, WIDE, f"contains: '退款' is missing in {WIDE}"),
        ),
        flip(RIGHT_TO_LEFT, "unstable", side(11, 11, "{}"), side(7, 11, RIGHT_TO_LEFT, failing)),
        flip("half a pair", "unstable", side(11, 11, "{}"), side(8, 11, SURROGATE, failing), critical=True),
        flip("a very long answer", "failing", None, side(0, 1, LONG, f"json schema: at $.reason: {LONG} is too long")),
        flip("nobody answered", "no answer", side(0, 0), side(0, 0)),
        flip("once only", "not reproduced", side(5, 8, "no", failing), side(8, 8, "{}")),
        *(
            flip(
                f"refund {n}",
                "still failing",
                side(0, 8, "no"),
                side(0, 8, "no", failing),
                model="openai/gpt-5-mini-2026-08-07-with-a-name-longer-than-any-column",
            )
            for n in range(1, 13)
        ),
    ]
    sentence = (
        "FAIL: 2 cases broken: 'markup in the answer', 'escapes in the answer'; format 94.6 % is below the floor of "
        "95.0 % (2 of 16 reproduced failures fixed) (on gguf/smollm2-135m)"
    )
    counts = {"fixed": 2, "broken": 2, "still failing": 14, "still passing": 9, "unstable": 2, "not reproduced": 1}
    full = RunReport(
        run="r-20261124-093012-ab12",
        suite="triage",
        path="suites/triage/suite.yaml",
        prompt="triage",
        started="2026-11-24T09:30:12.000Z",
        result="FAIL",
        sentence=sentence,
        exit=Exit.NO,
        cases=30,
        judgements=[
            Judgement(
                "triage.few-shot.prompt",
                CANDIDATE,
                "triage@7",
                CHAMPION,
                "champion",
                "FAIL",
                sentence,
                {**counts, "no answer": 1, "failing": 0},
                0.25,
            ),
            Judgement(
                "triage.short.prompt",
                "sha256:" + "d" * 64,
                "triage@7",
                CHAMPION,
                "champion",
                "FAIL",
                "FAIL: none of 16 failures is fixed",
                {},
                None,
            ),
        ],
        rows=rows,
        flips=flips,
        log=LogSummary(12, 9, ["INC-2033", "INC-2040", "INC-2041"], "gguf/smollm2-135m"),
        comparisons=[
            "python/classifier.py:classify beside gguf/smollm2-135m: answers 65 % to 97 %, 40,000 times as fast"
        ],
        waits=["openai/gpt-5-mini: waiting in the queue took longer than the model: p99 queue 70.2 s, model 65.0 s"],
        errors=["openai/gpt-5-mini: 3 × the server answered 500: [bold]try later[/]"],
        notes=["suites/triage/triage.few-shot.prompt:12:3: the variable 'customer' is used nowhere [bold]really[/]"],
        reproduce="promptbench run suites/triage --prompt suites/triage/triage.few-shot.prompt --tag 'needs care'",
        results=results(),
        failures=[
            {
                "promptbench": "call/1",
                "id": "0123456789ab",
                "vars": {"message": LINES},
                "answer": text,
                "failed": failing,
            }
            for text in (MARKUP, ESCAPES, WIDE, SURROGATE)
        ],
        calls=[
            (
                {
                    "prompt": "triage",
                    "vars": {"message": text, "n": 3, "of": [1.5, None, {"a": True}]},
                    "messages": [{"role": "user", "content": text}],
                    "params": {"temperature": 0, "weights": text},
                    "latency_ms": 812.4,
                    "tags": [text],
                    "models": {"": ModelRef("azure_openai", "gpt-5-mini")},
                },
                Attempt(
                    AttemptKey(CANDIDATE, "openai/gpt-5-mini", text, 0),
                    Outcome.FAILED,
                    CHAMPION,
                    Answer(text, text, finish_reason="stop", usage=Usage(20, 4)),
                    scores=(Score("contains", passed=False, value=0.0, reason=text),),
                    started="2026-11-27T10:00:00.123Z",
                ),
            )
            for text in (MARKUP, ESCAPES, WIDE, SURROGATE)
        ],
        proof={
            "schema_version": 1,
            "prompt": "triage",
            "candidate": CANDIDATE,
            "champion": CHAMPION,
            "verdict": {"result": "FAIL", "sentence": sentence, "initial": False},
            "suites": [{"suite": "triage", "cases": ["请求退款", SURROGATE]}],
            "attempts": [{"case": SURROGATE, "k": k, "outcome": "failed"} for k in range(3)],
        },
        promotion=None,
    )
    return replace(full, **changes)


def passed(**changes: Json) -> RunReport:
    """A small and good one: one candidate, one model, a promotion."""
    sentence = (
        "PASS: 2 of 2 failures fixed, none of 9 guards broken; among cases like these that excludes a break rate above "
        "28 %, 20 more would make it 10 %; format 100 %"
    )
    good = report(
        result="PASS",
        sentence=sentence,
        exit=Exit.YES,
        cases=11,
        judgements=[
            Judgement(
                "triage.few-shot.prompt",
                CANDIDATE,
                "triage@7",
                CHAMPION,
                "champion",
                "PASS",
                sentence,
                {"fixed": 2, "still passing": 9},
                0.25,
            )
        ],
        rows=[
            row(
                "triage@7",
                "champion",
                "gguf/smollm2-135m",
                attempts=11,
                passed=9,
                well_formed=10,
                rungs={**RUNGS, "raw": 9, "none": 2},
            ),
            row(
                "triage.few-shot",
                "candidate",
                "gguf/smollm2-135m",
                attempts=11,
                passed=11,
                well_formed=11,
                rungs={**RUNGS, "raw": 11},
            ),
        ],
        flips=[
            flip("INC-2031", "fixed", side(0, 1, "{", "json: no JSON"), side(1, 1, "{}"), logged=True),
            flip("INC-2033", "fixed", side(0, 1, "{", "json: no JSON"), side(1, 1, "{}"), logged=True),
        ],
        results=[
            result("INC-2031", "fixed", 1, 1, logged=True),
            result("refund", "still passing", 1, 1),
            result("late parcel", "still failing", 0, 1, answer="no", reasons=("json: no JSON",)),
        ],
        log=LogSummary(2, 2, [], "gguf/smollm2-135m"),
        waits=[],
        comparisons=[],
        notes=[],
        promotion=Promotion("triage", "production", 8, CANDIDATE, 7, "promptbench rollback triage --to 7 --reason '…'"),
    )
    return replace(good, **changes)


def unasked() -> RunReport:
    """One whose models could not be asked for want of a key."""
    sentence = "NO VERDICT: not asked, because OPENAI_API_KEY is not set; the files are sound"
    judged = judgement("triage.few-shot.prompt", mode="unasked", result="NO VERDICT", sentence=sentence)
    return passed(
        run="", result="NO VERDICT", sentence=sentence, judgements=[judged], rows=[], flips=[], results=[], log=None,
        promotion=None,
    )  # fmt: skip
