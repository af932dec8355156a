from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from promptbench.core.events import AttemptDone, Event, Notice
from promptbench.core.types import Answer, Attempt, Outcome, Request
from promptbench.engine.attempts import Attempts
from promptbench.engine.plan import Repeats, Task, first_round
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.runner import Engine
from promptbench.gateway import Gateway
from promptbench.gateway.model_state import PER_TURN
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

    async def complete(self, request: Request) -> Answer:
        self.most_open = max(self.most_open, self.calls + 1 - len(self.kept.attempts))
        return await super().complete(request)


def prepared_of(folder: Path) -> PreparedSuite:
    prepared, found = joined(folder, f"{HEAD}gate: {{repeats: 1}}\ncases:\n{CASES}")
    assert prepared is not None, found.errors
    return prepared


def work(prepared: PreparedSuite, provider: Scripted, kept: Kept, stop_after: int | None = None) -> list[Event]:
    heard: list[Event] = []

    def listen(event: Event) -> None:
        if isinstance(event, Notice):
            return
        assert isinstance(event, AttemptDone)
        assert kept.attempts[event.attempt.key.case] is event.attempt, "committed before anybody hears of it"
        heard.append(event)
        if len(heard) == stop_after:
            engine.stop()

    with Engine(Gateway({"openai/fake": provider}, notice=lambda text: None)) as engine:
        attempts = Attempts(prepared, engine, kept, listen)
        tasks = attempts.open(first_round(prepared, Repeats(1)), lambda key: key.case == "c0")
        engine.run(tasks, attempts, attempts.workers)
    return heard


def test_all_that_is_not_done_is_asked_once_scored_and_committed(tmp_path: Path) -> None:
    kept = Kept()
    provider = Watched(kept)
    heard = work(prepared_of(tmp_path), provider, kept)
    assert len(heard) == len(kept.attempts) == provider.calls == 39
    assert "c0" not in kept.attempts
    assert {attempt.outcome for attempt in kept.attempts.values()} == {Outcome.PASSED}


def test_a_death_at_any_moment_loses_what_was_in_flight(tmp_path: Path) -> None:
    kept = Kept()
    provider = Watched(kept)
    work(prepared_of(tmp_path), provider, kept)
    assert provider.most_at_once == AT_ONCE
    # An answer gives up its place to the next request just before it is committed.
    assert provider.most_open <= AT_ONCE + PER_TURN


def test_after_a_stop_what_is_in_flight_is_kept_and_no_more_asked(tmp_path: Path) -> None:
    kept = Kept()
    provider = Watched(kept)
    work(prepared_of(tmp_path), provider, kept, stop_after=3)
    assert provider.calls == len(kept.attempts) < 39


def test_what_gets_no_answer_is_errored_and_not_asked_of_every_case(tmp_path: Path) -> None:
    kept = Kept()
    work(prepared_of(tmp_path), Scripted([REJECTED], AT_ONCE), kept)
    assert 10 <= len(kept.attempts) <= 10 + AT_ONCE
    assert {attempt.outcome for attempt in kept.attempts.values()} == {Outcome.ERRORED}
    assert {attempt.error for attempt in kept.attempts.values()} == {"too long"}


def test_ctrl_c_between_two_runs_stops_as_in_one() -> None:
    provider = Scripted(["fine"])
    with Engine(Gateway({"openai/fake": provider}, notice=lambda text: None)) as engine:
        raise KeyboardInterrupt
    assert engine.stopped
    assert provider.closed == 1


def test_memory_holds_a_short_queue_and_never_the_plan(tmp_path: Path) -> None:
    prepared, kept, drawn = prepared_of(tmp_path), Kept(), 0
    provider = Watched(kept)

    def tasks() -> Iterator[Task]:
        nonlocal drawn
        for task in first_round(prepared, Repeats(1)):
            drawn += 1
            assert drawn - len(kept.attempts) <= 4 * AT_ONCE
            yield task

    with Engine(Gateway({"openai/fake": provider}, notice=lambda text: None)) as engine:
        attempts = Attempts(prepared, engine, kept)
        engine.run(tasks(), attempts, attempts.workers)
    assert drawn == len(kept.attempts) == 40
