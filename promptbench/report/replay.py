"""What a replay of logged calls shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from promptbench.core.errors import Exit
from promptbench.core.types import Json
from promptbench.report.words import clean

_NAMED = 10


@dataclass(slots=True)
class LoggedModel:
    """The logged answers of one model: how many, how many fail now, and these by their rung of the format ladder."""

    model: str
    answers: int = 0
    failing: int = 0
    rungs: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class RescoreReport:
    """The logged answers by the checks of now. `checks` counts the answers that fail each; `passing` are calls' ids."""

    path: str
    models: Sequence[LoggedModel]
    checks: Mapping[str, int]
    passing: Sequence[str]
    left_out: Mapping[str, int]

    def as_dict(self) -> dict[str, Json]:
        models = [
            {"model": item.model, "answers": item.answers, "failing": item.failing, "rungs": dict(item.rungs)}
            for item in self.models
        ]
        return {"schema_version": 1, "asked": False, **asdict(replace(self, models=())), "models": models}

    def lines(self) -> Iterator[str]:
        """The report as text."""
        answers, failing = (sum(getattr(item, name) for item in self.models) for name in ("answers", "failing"))
        width = max(len("model"), *(len(clean(item.model)) for item in self.models))
        yield f"{'model':<{width}}  answers  fail now  of these by format"
        for item in sorted(self.models, key=lambda item: -item.failing):
            rungs = ", ".join(f"{count} {rung.replace('_', ' ')}" for rung, count in item.rungs.most_common())
            line = f"{clean(item.model) or '?':<{width}}  {item.answers:>7}  {item.failing:>8}  {rungs or '–'}"
            yield line
        if self.checks:
            yield "failing checks: " + ", ".join(f"{clean(name)} {count}" for name, count in self.checks.items())
        if self.passing:
            yield f"passing all checks now: {_named(self.passing)}"
        yield from _left_out(self.left_out)
        verb = "fails" if failing == 1 else "fail"
        yield f"{failing} of {answers} logged answers {verb} the checks of {self.path}; no model was asked"


@dataclass(frozen=True, slots=True)
class ReplayedCase:
    """One logged input, asked again. `other_models` are those that failed in the log and were not asked now;
    `reproduced_on` is on how many of the models the prompt in production fails.
    """

    case: str
    calls: Sequence[str]
    state: str
    by_model: Mapping[str, str]
    other_models: Sequence[str]
    reproduced_on: int


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Logged failures, asked again of champion and candidate. `passing_now` are calls that fail no check any more."""

    path: str
    run: str
    candidate: str
    champion: str | None
    models: Sequence[str]
    cases: Sequence[ReplayedCase]
    passing_now: int
    left_out: Mapping[str, int]
    no_verdict: str | None

    @property
    def exit(self) -> Exit:
        if self.no_verdict:
            return Exit.ENVIRONMENT
        return Exit.NO if self.count("still failing") or self.count("no answer") else Exit.YES

    def count(self, state: str) -> int:
        """The logged failures, not the inputs, that are in a state."""
        return sum(len(item.calls) for item in self.cases if item.state == state)

    def as_dict(self) -> dict[str, Json]:
        states = ("fixed", "still failing", "not reproduced", "no answer")
        counts = {state.replace(" ", "_"): self.count(state) for state in states}
        return {"schema_version": 1, "asked": True, "counts": counts, "sentence": self.sentence, **asdict(self)}

    @property
    def sentence(self) -> str:
        """The result."""
        if self.no_verdict:
            return self.no_verdict
        total = sum(len(item.calls) for item in self.cases)
        failures = f"of {total} logged {'failure' if total == 1 else 'failures'}"
        fixed, still = self.count("fixed"), self.count("still failing")
        if self.champion is None:
            parts = [f"{failures} {self.candidate} passes {fixed}", f"fails {still}"]
        else:
            verb = "is" if fixed == 1 else "are"
            parts = [f"{failures} {fixed} {verb} fixed by {self.candidate}", f"{still} still failing"]
            parts.append(f"{self.count('not reproduced')} not reproduced by {self.champion}")
        silent = self.count("no answer")
        return clean(", ".join([*parts, *([f"{silent} without an answer"] if silent else [])]))

    def lines(self) -> Iterator[str]:
        """The report as text, the sentence last."""
        for model in self.models:
            states = Counter(item.by_model[model] for item in self.cases)
            yield f"{clean(model)}: " + ", ".join(f"{count} {state}" for state, count in states.most_common())
        for state in ("still failing", "not reproduced", "no answer"):
            names = [item.case for item in self.cases if item.state == state]
            if names:
                yield f"{state}: {_named(names)}"
        for item in self.cases:
            if item.other_models:
                others = ", ".join(map(clean, item.other_models))
                where = f"{item.reproduced_on} of {len(self.models)} {'model' if len(self.models) == 1 else 'models'}"
                yield f"'{clean(item.case)}' failed on {others}, which is not asked here: reproduced on {where}"
        if self.passing_now:
            answers = "answer passes" if self.passing_now == 1 else "answers pass"
            yield f"{self.passing_now} logged {answers} all checks now"
        yield from _left_out(self.left_out)
        yield "this is not the whole suite, so nothing can be promoted by it"
        yield self.sentence


def _left_out(reasons: Mapping[str, int]) -> Iterator[str]:
    for why, count in reasons.items():
        yield f"left out: {count} {'call' if count == 1 else 'calls'}: {clean(why)}"


def _named(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"'{clean(name)}'" for name in names[:_NAMED]) + rest
