"""A run in full, with as many cases as wanted, made while it is read; some of its texts try to get out of the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from promptbench.core.protocols import PastRow
from promptbench.report.model import AttemptRow, CaseAttempts, Explored, PromptText, RunReport
from tests.report import kit

MODEL = "gguf/smollm2-135m"
OWN = "python/classifier.py:classify"
OUT_OF_PAGE = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
STATES = ("still passing", "still passing", "fixed", "still failing", "broken", "unstable")
TEAMS = ("billing", "delivery", "technical", "other")
HOSTILE = (OUT_OF_PAGE, kit.MARKUP, kit.ESCAPES, kit.RIGHT_TO_LEFT, kit.SURROGATE, "a\x00b\x0c\u2028c", "<!--<script>")


@dataclass(frozen=True)
class Again:
    """Made anew each time that it is read, as from a record."""

    make: Callable[[], Iterator[CaseAttempts]]

    def __iter__(self) -> Iterator[CaseAttempts]:
        return self.make()


def attempt(number: int, prompt: str, model: str, repeat: int, *, passed: bool) -> AttemptRow:
    team = TEAMS[number % 4] if passed else TEAMS[(number * 7 + repeat) % 4 - 1]
    answer = json.dumps({"team": team, "reason": f"The message {number} speaks of {team}, not of anything else."})
    milliseconds = 400.0 + (number * 7919 + repeat * 104_729) % 2000
    return AttemptRow(
        prompt=prompt,
        model=model,
        repeat=repeat,
        counted=repeat < 1,
        outcome="passed" if passed else "failed",
        answer=answer if passed else f"```json\n{answer}\n```",
        rung="raw" if passed else "extracted",
        repairs=[] if passed else ["code fence"],
        reasons=[] if passed else [f"expect: team is not {team!r}"],
        error=None,
        fallback=None,
        tries=1,
        cached=False,
        provider_ms=milliseconds if prompt else milliseconds / 10_000,
        queue_ms=0.4,
        input_tokens=200 + number % 300 if prompt else None,
        output_tokens=30 + number % 40 if prompt else None,
        cost=0.0003 if prompt else 1e-9,
        started="2026-11-24T09:30:12.000Z",
    )


def case(number: int) -> CaseAttempts:
    state = STATES[number % len(STATES)]
    ours, theirs = state in ("still passing", "fixed"), state in ("still passing", "broken", "unstable")
    message = f"Hello, this is customer {number}. Something is wrong with my order A-{number:05}, please help me soon."
    name = f"case {number:05}"
    if number < len(HOSTILE):
        name = message = HOSTILE[number]
    system = "You sort messages of customers. Answer with JSON. " + "Think of what the team can do about it. " * 20
    return CaseAttempts(
        case=name,
        number=number,
        tags=[("captured", "critical", "german")[number % 3]],
        critical=number % 3 == 1,
        states={MODEL: state, OWN: "passing" if number % 5 else "failing"},
        variables={"message": message},
        expected=[{"team": TEAMS[number % 4]}],
        was=[f'{{"team": "{TEAMS[number % 3]}",}}'] if number % 9 == 0 else [],
        asked={
            kit.CHAMPION: [("user", system + message)],
            kit.CANDIDATE: [("system", system), ("user", message)],
        },
        attempts=[
            *(attempt(number, kit.CHAMPION, MODEL, repeat, passed=theirs) for repeat in range(1 if ours else 3)),
            *(attempt(number, kit.CANDIDATE, MODEL, repeat, passed=ours) for repeat in range(1 if ours else 3)),
            attempt(number, "", OWN, 0, passed=number % 5 > 0),
        ],
    )


def past(number: int) -> PastRow:
    return PastRow(
        run=f"2026110{number}-093012-ab1{number}",
        started=f"2026-11-0{number}T09:30:12.000Z",
        result="FAIL" if number < 4 else "PASS",
        prompt="triage.few-shot",
        side="candidate",
        model=MODEL,
        answered=60,
        passed=40 + 3 * number,
        read=60,
        well_formed=58,
        mean_ms=900.0,
        cost=0.02,
    )


def explored(cases: int) -> Explored:
    return Explored(
        prompts=[
            PromptText("triage@7", "champion", kit.CHAMPION, f"Sort it.\n{{{{message}}}}\n{OUT_OF_PAGE}\n"),
            PromptText("triage.few-shot", "candidate", kit.CANDIDATE, "Sort it, as JSON.\n{{message}}\n<b>&amp;\n"),
        ],
        cases=Again(lambda: map(case, range(cases))),
        history=[past(number) for number in range(1, 6)],
    )


def report(cases: int = 60) -> RunReport:
    """The hostile report of the kit with all its attempts."""
    return kit.report(explored=explored(cases), cases=cases)
