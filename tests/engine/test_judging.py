from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from promptbench.checks._agreement import Agreement, keep
from promptbench.core.types import Answer, Attempt, AttemptKey, Json, Outcome, Request
from promptbench.engine.plan import Repeats, first_round
from promptbench.engine.runner import Runner
from promptbench.gateway import Gateway
from promptbench.metrics.agreement import Confusion
from promptbench.project.bench import PreparedSuite
from tests.helpers.judging import judged_text, says
from tests.helpers.scripted import FATAL, REJECTED, Scripted
from tests.helpers.suites import HEAD, joined

JUDGE = "openai/judge-1"
SUITE = f"{HEAD}gate: {{repeats: 1}}\nchecks: [{{rubric: {{judge: {JUDGE}, passes if: it is polite}}}}]\ncases:\n"
CASES = "".join(f"  - {{case: c{n}, vars: {{message: '{n}'}}}}\n" for n in range(20))


class Kept:
    """The record of a run, in memory."""

    def __init__(self) -> None:
        self.attempts: dict[AttemptKey, Attempt] = {}
        self.answers: dict[str, Answer] = {}

    def add(self, attempts: Iterable[tuple[Attempt, bool]]) -> None:
        for attempt, _ in attempts:
            self.attempts[attempt.key] = attempt
            self.answers |= {
                item.request_hash: item.answer for item in attempt.judgings if item.answer and item.verdict
            }

    def attempt(self, key: AttemptKey) -> Attempt | None:
        return self.attempts.get(key)

    def judged(self, request_hash: str) -> Answer | None:
        return self.answers.get(request_hash)

    @property
    def outcomes(self) -> set[Outcome]:
        return {attempt.outcome for attempt in self.attempts.values()}


class Echo(Scripted):
    """Answers with the last message."""

    def __init__(self, kept: Kept, only: int = 100) -> None:
        super().__init__([""], 4, 0.001)
        self.kept = kept
        self.only = only
        self.most_open = 0

    async def ask(self, request: Request) -> Answer:
        self.most_open = max(self.most_open, self.calls + 1 - len(self.kept.attempts))
        await super().ask(request)
        return Answer(str(int(request.messages[-1].content.split()[-1]) % self.only), "m")


class Judge(Scripted):
    """Has something against the number 7. Slow, so that the same question could be asked twice."""

    def __init__(self, refuses: str = "") -> None:
        super().__init__([""], 8, 0.01)
        self.texts: list[str] = []
        self.refuses = refuses

    async def ask(self, request: Request) -> Answer:
        await super().ask(request)
        text = judged_text({"messages": [message.as_dict() for message in request.messages]})
        self.texts.append(text)
        if text == self.refuses:
            raise REJECTED
        return Answer(says("fail" if text == "7" else "pass"), "judge-1")


def bench_of(folder: Path) -> PreparedSuite:
    bench, found = joined(folder, SUITE + CASES)
    assert bench is not None, found.errors
    [check] = bench.judged_checks
    keep(folder, Agreement(check.identity, "", {JUDGE: ["judge-1"]}, Confusion(20, 0, 0, 20), 0, ""))
    bench, found = joined(folder, SUITE + CASES)
    assert bench is not None, found.errors
    return bench


def work(
    bench: PreparedSuite,
    model: Scripted,
    judge: Scripted,
    kept: Kept,
    unjudged: Collection[AttemptKey] = (),
    stop: int = -1,
) -> Runner:
    heard: list[object] = []

    def listen(event: object) -> None:
        heard.append(event)
        if len(heard) == stop:
            runner.stop()

    gateway = Gateway({"openai/fake": model, JUDGE: judge}, retries=0, notice=lambda text: None)
    runner = Runner(bench, gateway, kept, listen, unjudged=unjudged)
    done: Mapping[AttemptKey, Json] = {key: None for key in kept.attempts if key not in unjudged}
    asyncio.run(runner.work(first_round(bench, Repeats(1)), done.__contains__))
    return runner


def open_keys(kept: Kept) -> set[AttemptKey]:
    return {key for key, attempt in kept.attempts.items() if attempt.outcome is Outcome.ERRORED}


def test_every_answer_is_judged_and_the_verdict_is_the_outcome(tmp_path: Path) -> None:
    kept, judge = Kept(), Judge()
    work(bench_of(tmp_path), Echo(kept), judge, kept)
    failed = [key.case for key, attempt in kept.attempts.items() if attempt.outcome is Outcome.FAILED]
    assert failed == ["c7"]
    assert len(kept.attempts) == len(judge.texts) == 20
    [judging] = next(iter(kept.attempts.values())).judgings
    assert (judging.judge, judging.verdict, judging.tries) == (JUDGE, "pass", 1)


def test_the_same_answer_is_judged_once_also_while_it_is_judged(tmp_path: Path) -> None:
    kept, judge = Kept(), Judge()
    work(bench_of(tmp_path), Echo(kept, only=2), judge, kept)
    assert sorted(judge.texts) == ["0", "1"]
    assert kept.outcomes == {Outcome.PASSED}


def test_a_death_loses_no_answer_for_want_of_a_judge(tmp_path: Path) -> None:
    kept = Kept()
    model = Echo(kept)
    work(bench_of(tmp_path), model, Judge(), kept)
    assert model.most_open <= 2 * model.concurrency, "each answer is on record before it is judged"


def test_a_judge_that_is_given_up_leaves_answers_to_be_judged(tmp_path: Path) -> None:
    kept, bench = Kept(), bench_of(tmp_path)
    model = Echo(kept)
    runner = work(bench, model, Scripted([FATAL], 8), kept)
    assert JUDGE in runner.down
    assert bench.decisive & runner.down.keys()
    assert kept.outcomes == {Outcome.ERRORED}
    assert all(f"judge {JUDGE}: " in (attempt.error or "") for attempt in kept.attempts.values())
    judge = Judge()
    work(bench, model, judge, kept, open_keys(kept))
    assert model.calls == len(judge.texts) == 20, "the model was not asked again"
    assert kept.outcomes == {Outcome.PASSED, Outcome.FAILED}
    assert all(attempt.tries == 1 for attempt in kept.attempts.values())
    assert not any(attempt.error for attempt in kept.attempts.values())


def test_a_question_that_is_refused_is_about_that_answer_only(tmp_path: Path) -> None:
    kept = Kept()
    runner = work(bench_of(tmp_path), Echo(kept), Judge(refuses="3"), kept)
    assert not runner.down
    [key] = open_keys(kept)
    assert key.case == "c3"
    assert kept.attempts[key].error == f"judge {JUDGE}: too long"


def test_after_a_stop_every_answer_is_kept(tmp_path: Path) -> None:
    kept = Kept()
    model = Echo(kept)
    work(bench_of(tmp_path), model, Judge(), kept, stop=3)
    assert model.calls == len(kept.attempts) <= 20
    assert Outcome.PASSED in kept.outcomes


def test_a_model_that_gives_no_answer_is_not_judged(tmp_path: Path) -> None:
    kept, judge = Kept(), Judge()
    work(bench_of(tmp_path), Scripted([REJECTED], 4), judge, kept)
    assert not judge.texts
    assert {attempt.error for attempt in kept.attempts.values()} == {"too long"}
