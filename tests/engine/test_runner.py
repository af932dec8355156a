from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from promptbench.core.events import AttemptDone, Event
from promptbench.core.types import Answer, Attempt, Outcome, Request
from promptbench.engine.plan import Repeats, first_round
from promptbench.engine.runner import Runner
from promptbench.gateway import Gateway
from promptbench.gateway.slots import A_TURN
from promptbench.project.bench import PreparedSuite
from tests.helpers.scripted import REJECTED, Scripted
from tests.helpers.suites import HEAD, joined

CASES = "".join(f"  - {{case: c{n}, vars: {{message: '{n}'}}, expect: {{team: billing}}}}\n" for n in range(40))
AT_ONCE = 8


class Kept:
    """What is committed, by the case's name."""

    def __init__(self) -> None:
        self.attempts: dict[str, Attempt] = {}

    def add(self, attempts: Iterable[tuple[Attempt, bool]]) -> None:
        self.attempts.update((attempt.key.case, attempt) for attempt, _ in attempts)


class Watched(Scripted):
    """Notes the most calls that were made and are not on record."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(['{"team": "billing"}'], AT_ONCE, 0.002)
        self.kept = kept
        self.most_open = 0

    async def ask(self, request: Request) -> Answer:
        self.most_open = max(self.most_open, self.calls + 1 - len(self.kept.attempts))
        return await super().ask(request)


def bench_of(folder: Path) -> PreparedSuite:
    bench, found = joined(folder, f"{HEAD}gate: {{repeats: 1}}\ncases:\n{CASES}")
    assert bench is not None, found.errors
    return bench


def work(bench: PreparedSuite, provider: Scripted, kept: Kept, stop_after: int | None = None) -> list[Event]:
    heard: list[Event] = []

    def listen(event: Event) -> None:
        assert isinstance(event, AttemptDone)
        assert kept.attempts[event.attempt.key.case] is event.attempt, "committed before anybody hears of it"
        heard.append(event)
        if len(heard) == stop_after:
            runner.stop()

    gateway = Gateway({"openai/fake": provider}, notice=lambda text: None)
    runner = Runner(bench, gateway, kept, listen)
    asyncio.run(runner.work(first_round(bench, Repeats(1)), lambda key: key.case == "c0"))
    return heard


def test_all_that_is_not_done_is_asked_once_scored_and_committed(tmp_path: Path) -> None:
    kept = Kept()
    provider = Watched(kept)
    heard = work(bench_of(tmp_path), provider, kept)
    assert len(heard) == len(kept.attempts) == provider.calls == 39
    assert "c0" not in kept.attempts
    assert {attempt.outcome for attempt in kept.attempts.values()} == {Outcome.PASSED}


def test_a_death_at_any_moment_loses_what_was_in_flight(tmp_path: Path) -> None:
    kept = Kept()
    provider = Watched(kept)
    work(bench_of(tmp_path), provider, kept)
    assert provider.most_at_once == AT_ONCE
    # An answer gives up its place to the next request just before it is committed.
    assert provider.most_open <= AT_ONCE + A_TURN


def test_after_a_stop_what_is_in_flight_is_kept_and_no_more_asked(tmp_path: Path) -> None:
    kept = Kept()
    provider = Watched(kept)
    work(bench_of(tmp_path), provider, kept, stop_after=3)
    assert provider.calls == len(kept.attempts) < 39


def test_what_gets_no_answer_is_errored(tmp_path: Path) -> None:
    kept = Kept()
    work(bench_of(tmp_path), Scripted([REJECTED], AT_ONCE), kept)
    assert {attempt.outcome for attempt in kept.attempts.values()} == {Outcome.ERRORED}
    assert {attempt.error for attempt in kept.attempts.values()} == {"too long"}
