"""Search for better versions of a prompt with GEPA: a model rewrites messages after reading what the checks say.

GEPA (Agrawal et al. 2026, ICLR) decides which version is rewritten and which one is kept; here is what it calls. It is
seeded, writes no files, and every answer is on record, so the same search takes the same course again without a call:
that is how an interrupted one resumes.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from promptbench.checks._context import strings
from promptbench.core.canonical import digest
from promptbench.core.errors import Code, Diagnostics, EnvironmentFailure, InputError
from promptbench.core.events import AttemptDone, Listener, MoreWanted
from promptbench.core.types import Answer, Attempt, Json, Judging, Message, ModelRef, Outcome, Request, failures
from promptbench.engine.plan import Task
from promptbench.engine.prepare.lint.windows import static_text
from promptbench.engine.prepare.options import StoredPrompt
from promptbench.engine.prepare.prepared_suite import PreparedSuite, Variant
from promptbench.engine.scoring import judge_requests_of, score_attempt
from promptbench.prompts.parser import FRONT, parse_prompt
from promptbench.prompts.prompt import Prompt, Template
from promptbench.text.templates import all_tags, literals
from promptbench.workflows.judge.recorded_calls import RecordedCalls
from promptbench.yaml.source import Source

# What the model is told that rewrites a message; GEPA fills in the two names in angle brackets.
_TASK = """\
This message is sent to a language model. {{name}} in it is a placeholder, for a value of each call:
```
<curr_param>
```

These are values, the model's answers, and what the checks of the answers say:

<side_info>

Write a better version of the message, with which answers to values that nobody has seen yet pass the checks too.
- Write general rules, as few as possible. A version that repeats a value or an expected answer is thrown away.
- Keep every placeholder as it is, and add none.
- It must not be much longer than it is now.
Write the whole new message between two lines of ```, and nothing else."""
# A prompt that shares this many words in a row with a case may give its answer away; of a shorter text, all its words.
_WORDS, _FEWEST_WORDS = 5, 4
# Scripts without spaces, from U+2E80 on, have about one word per character.
_WORD = re.compile(r"[^\W\u2e80-\U0010ffff]+|[\u2e80-\U0010ffff]")
# Characters, some 100 tokens, that a version may always have: half as much again of a short prompt is too few.
_ALWAYS_ALLOWED = 400


class _Halted(BaseException):
    """The end of the calls, or an error of ours. Not an Exception, because GEPA logs those and continues."""


class TriedVersion(NamedTuple):
    """A version with the share of models that pass with it, by case, their sum, and its characters without values."""

    version: Variant
    scores: Mapping[str, float]
    passes: float
    size: int

    @classmethod
    def of(cls, version: Variant, scores: Mapping[str, float]) -> TriedVersion:
        return cls(version, scores, sum(scores.values()), len(static_text(version.prompt)))


def bodies(prompt: Prompt) -> dict[str, str]:
    """Return the messages of a prompt that have a text of their own, by position and role."""
    return {
        f"{index} {item.role}": item.source
        for index, item in enumerate(prompt.messages)
        if isinstance(item, Template) and "".join(literals(item.parts)).strip()
    }


def with_bodies(prompt: Prompt, texts: Mapping[str, str]) -> str:
    """Return the source of a prompt with other texts, named as in `bodies`."""
    front = FRONT.match(prompt.source)
    source = front[0] if front else ""
    for index, item in enumerate(prompt.messages):
        if isinstance(item, Template):
            source += "" if index == 0 and item.role == "user" else f'{{{{role "{item.role}"}}}}\n'
            source += texts.get(f"{index} {item.role}", item.source) + "\n"
        else:
            source += "{{history}}\n"
    return source


def phrases(prepared: PreparedSuite) -> set[str]:
    """Return the phrases of all cases: in what is said, in what is expected, and in logged answers."""
    cases: list[Json] = [
        [dict(it.variables), [message.content for message in it.history], [*it.was]] for it in prepared.cases
    ]
    for it in prepared.suite.cases.scan(Diagnostics()):
        cases.append([it.expect, it.should_be, [[turn.user, turn.expect] for turn in it.turns]])
    return {
        f" {' '.join(words[at : at + _WORDS])} "
        for words in (_words(text).split() for text in strings(cases))
        if len(words) >= _FEWEST_WORDS
        for at in range(max(1, len(words) - _WORDS + 1))
    }


def _words(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def _frame(prompt: Prompt) -> Json:
    """Return everything that a proposal must leave as it is: roles, placeholders, config, schemas, tools."""
    tags = [
        [item.role, *sorted({tag.body for tag, _ in all_tags(item.parts)})] if isinstance(item, Template) else None
        for item in prompt.messages
    ]
    return {**prompt.content, "messages": tags}


class PromptSearch:
    """The search for one suite, which is also GEPA's adapter, and a logger that drops everything.

    Args:
        start: the suite with the version to rewrite as its candidate.
        assemble: prepares the suite with another version. It raises InputError if that is not valid.
        writer: the model that rewrites.
        growth: how many times as long a version may be.
        search: the number of the search: another one makes other proposals.
    """

    propose_new_texts = None  # GEPA then calls `write` and reads the answer itself.

    def __init__(
        self,
        start: PreparedSuite,
        assemble: Callable[[StoredPrompt], tuple[PreparedSuite, Diagnostics]],
        writer: ModelRef,
        calls: RecordedCalls,
        growth: float,
        search: int,
        listen: Listener,
    ) -> None:
        self.discarded = Counter[str]()  # Proposals that were not tried, by cause.
        self.made = 0
        self._start, self._assemble, self._writer = start, assemble, writer
        self._calls, self._search, self._listen = calls, search, listen
        self._seed = start.candidates[0].prompt
        self._suites = {with_bodies(self._seed, {}): start}
        own = _words(static_text(self._seed))
        self._longest = max(growth * len(static_text(self._seed)), _ALWAYS_ALLOWED)
        self._phrases = [phrase for phrase in phrases(start) if phrase not in own]

    def first(self, names: Sequence[str]) -> TriedVersion:
        """Return the version to rewrite, tried on the cases to propose from.

        Raises:
            EnvironmentFailure: a budget or an outage ends the calls. So does `run`.
        """
        scores = self.evaluate([*names], {}).scores
        return TriedVersion.of(self._start.candidates[0], dict(zip(names, scores, strict=True)))

    def run(self, first: TriedVersion, proposals: int) -> list[TriedVersion]:
        """Return the versions that were tried on all cases, `first` included."""
        from gepa.api import optimize

        names = list(first.scores)
        try:
            found: Any = optimize(
                bodies(self._seed),
                # Nothing is learned from critical cases: they are among the held-out ones too.
                [name for name in names if first.scores[name] < 1 and name not in self._start.cases.critical],
                names,
                adapter=cast(Any, self),
                reflection_lm=cast(Any, self.write),
                reflection_prompt_template=_TASK,
                logger=self,
                # An iteration in which all answers pass makes no proposal.
                stop_callbacks=lambda state: self.made >= proposals or state.i > 5 * proposals,
                track_best_outputs=False,
            )
        except _Halted as halted:
            raise halted.__cause__ or EnvironmentFailure(str(halted)) from None
        versions = [self._suites[with_bodies(self._seed, texts)].candidates[0] for texts in found.candidates]
        by_name = [{name: scores[at] for at, name in enumerate(names)} for scores in found.val_subscores]
        return list(map(TriedVersion.of, versions, by_name))

    def log(self, message: str) -> None:
        """Drop a message of GEPA, but let no error pass that it only logs."""
        if error := sys.exception():
            raise _Halted from error

    def write(self, text: str) -> str:
        """Return the writer's answer to the request for the next proposal."""
        number = 1000 * self._search + self.made
        self.made += 1
        [answer] = self._answers([Request(self._writer, (Message("user", text),), {}, None, {}, number)])
        return answer.text if answer else ""

    def evaluate(self, batch: list[str], candidate: Mapping[str, str], capture_traces: bool = False) -> Any:
        """Try a version on some cases, with one try of each gated model. One that is not worth a call passes none."""
        from gepa.core.adapter import EvaluationBatch

        source = with_bodies(self._seed, candidate)
        if source not in self._suites and (cause := self._flaw(source)):
            self.discarded[cause] += 1
            return EvaluationBatch(batch, [0.0] * len(batch), [(name, []) for name in batch])
        prepared = self._suites[source]
        version, cases, models = prepared.candidates[0], prepared.cases, [it for it in prepared.models if it.gated]
        on = {name: [model for model in models if cases.terms(name).allow(model.name)] for name in batch}
        tasks = [Task(version, model, cases[name], 0) for name in batch for model in on[name]]
        scored = iter(self._scored(prepared, tasks))
        tries = {name: [next(scored) for _ in on[name]] for name in batch}
        shares = [sum(it.outcome is Outcome.PASSED for it in its) / max(1, len(its)) for its in tries.values()]
        return EvaluationBatch(shares, shares, [*tries.items()])

    def make_reflective_dataset(self, candidate: Json, eval_batch: Any, components_to_update: list[str]) -> Json:
        """Return what the writer reads: values, answers, and the sentences of the checks."""
        tried: list[tuple[str, list[Attempt]]] = eval_batch.trajectories
        records = [
            {
                "Values": dict(case.variables) or [message.content for message in case.history],
                "Answer": attempt.answer.text if attempt.answer else "(none)",
                "Checks": "; ".join(failures(attempt.scores)) or attempt.error or "all pass",
            }
            for name, tries in tried
            for case, attempt in ((self._start.cases[name], attempt) for attempt in tries)
        ]
        return dict.fromkeys(components_to_update, records)

    def _answers(self, requests: Sequence[Request]) -> list[Answer | None]:
        keys = [digest(request.as_dict()) for request in requests]
        try:
            found = self._calls.answers(dict(zip(keys, requests, strict=True)))
        except EnvironmentFailure as error:
            raise _Halted(f"stopped at the budget: {error}") from None
        if requests and not found:
            raise _Halted(f"{requests[0].model} does not answer: {self._calls.failures[keys[0]]}")
        return [found.get(key) for key in keys]

    def _scored(self, prepared: PreparedSuite, tasks: Sequence[Task]) -> list[Attempt]:
        """Return an attempt at each task, scored as in a run."""
        requests = [prepared.request(task.model, task.variant, task.case, 0) for task in tasks]
        self._listen(MoreWanted(len(tasks)))
        price, answers = self._calls.prices.cost, self._answers(requests)
        made = [
            Attempt(
                task.key, Outcome.ERRORED, "", it, error="no answer", cost=price(task.model.ref, it) if it else None
            )
            for task, it in zip(tasks, answers, strict=True)
        ]
        asked = [
            prepared.as_sent(item.request)
            for task, attempt in zip(tasks, made, strict=True)
            for item, _ in judge_requests_of(prepared, task.case, attempt)
        ]
        judged = [
            Judging(digest(request.as_dict()), str(request.model), "", "", answer, None)
            for request, answer in zip(asked, self._answers(asked), strict=True)
        ]
        scored = [score_attempt(prepared, task.case, it, judged) for task, it in zip(tasks, made, strict=True)]
        for attempt in scored:
            self._listen(AttemptDone(attempt))
        return scored

    def _flaw(self, source: str) -> str | None:
        """Prepare the suite with a new version. Return why it is not tried; None if it is."""
        label = f"proposal {self.made}"
        prompt = parse_prompt(Source(f"{self._seed.name}.prompt", source), Diagnostics())
        if prompt is None or _frame(prompt) != _frame(self._seed):
            return "with other roles or placeholders"
        words = _words(static_text(prompt))
        if any(phrase in words for phrase in self._phrases):
            return "with words of a case"
        if len(static_text(prompt)) > self._longest:
            return "too long"
        try:
            prepared, found = self._assemble(StoredPrompt(label, source))
        except InputError:
            return "not valid"
        large = any(item.code is Code.CONTEXT_WINDOW and item.message.startswith(label) for item in found)
        self._suites |= {} if large else {source: prepared}
        return "too large for a model" if large else None


def shortlist(versions: Sequence[TriedVersion]) -> list[TriedVersion]:
    """Return the versions to judge, of those with more passes than the first one: the best one, the shortest within one
    standard error of it, and the one whose results differ most from those of the best.
    """
    better = [item for item in versions[1:] if item.passes > versions[0].passes]
    if not better:
        return []
    best = max(better, key=lambda item: (item.passes, -item.size))
    error = (best.passes * (1 - best.passes / len(best.scores))) ** 0.5
    short = min((item for item in better if item.passes >= best.passes - error), key=lambda item: item.size)
    other = max(better, key=lambda item: sum(item.scores[name] != best.scores[name] for name in best.scores))
    return list({item.version.hash: item for item in (best, short, other)}.values())
