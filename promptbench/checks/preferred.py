"""preferred: a model judges which of two answers is better, the new one or one that is known.

What: shows a judge the answer and the known one, as the first and the second answer and then the other way round, and
    takes its verdict: the first is better, the second, or neither. A preference that depends on the order counts as
    none. The score is 1 if the answer is preferred, 0.5 without a preference, 0 if the known one is. An answer with
    the same text is not shown, and neither is preferred. As for `rubric`, several judges or repeats decide by majority,
    an answer without verdicts is errored, and the check is advisory until `promptbench suite agreement` has recorded
    that the judge agrees with people.
When: a new answer should be better than the one that people complained about, or as good as a model answer.
Options: `judge` a model with its version, or a list of models; `criterion` what makes an answer better; `over` the text
    of the known answer, or `was`, the logged answer of the case; `tie` what is without a preference: `fails` (the
    default) or `passes`; `sees` the values of the case that the judge may see; `repeats`, `config` and `agreement` as
    for `rubric`.
Example:
    checks: [{preferred: {judge: openai/gpt-5.5-2026-04-23, criterion: says what happens next, over: was}}]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from promptbench.checks import _options
from promptbench.checks._panel import (
    BLOCK,
    MATERIAL,
    PANEL_OPTIONS,
    PANEL_SCHEMA,
    JudgeVerdict,
    Panel,
    Vote,
    fingerprint_with,
    marked_blocks,
    panel_options,
    with_agreement,
)
from promptbench.core.canonical import digest, without_halves
from promptbench.core.types import Message
from promptbench.plugins import CheckContext, CheckSpec, Json, ModelRef, Subject

_FIRST, _SECOND, _NEITHER = "first", "second", "neither"
_WAS = "was"

_SYSTEM = (
    """\
You compare two answers that programs gave to the same request. You decide one thing only: which of the two is better by
this criterion.

CRITERION
{criterion}

"""
    + MATERIAL
    + """
Judge what the answers say. How long they are, how they are laid out and how sure they sound count neither for them nor
against them, unless the criterion is about that. Which of the two you see first means nothing.

First give your reason: one or two sentences that name what in the answers decides. Then give your verdict: {options}.
Reply with one JSON object and nothing else: {{"reason": "…", "verdict": "…"}}
"""
)
_VERDICTS = (
    '"first" if the first answer is better',
    '"second" if the second answer is better',
    '"neither" if the criterion does not tell them apart',
)

# With another built-in prompt a judge is another judge.
PROMPT_HASH = digest([_SYSTEM, BLOCK, _VERDICTS])


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferred(Panel):
    """`over` is the known answer, or None for the logged one. With `tie_passes`, so does no preference."""

    name: ClassVar[str] = "preferred"
    over: str | None
    tie_passes: bool

    @property
    def identity(self) -> str:
        return digest(
            {
                "prompt": PROMPT_HASH,
                "judges": [str(judge) for judge in self.judges],
                "criterion": self.criterion,
                "over": self.over,
                "tie passes": self.tie_passes,
                "sees": list(self.sees),
                "repeats": self.repeats,
                "config": self.config,
            }
        )

    @property
    def compares_with_was(self) -> bool:
        return self.over is None

    @property
    def orders(self) -> tuple[bool, ...]:
        return (False, True)

    @property
    def verdicts(self) -> Sequence[str | int]:
        return (_FIRST, _SECOND, _NEITHER)

    def settled(self, subject: Subject) -> Vote | None:
        known = self._known(subject)
        if known is None:
            return Vote(None, 0.0, "the case has no logged answer to compare with")
        if known.strip() == subject.text.strip():
            return self._tie("the answer is the known one")
        return Panel.settled(self, subject)

    def messages(
        self, subject: Subject, values: Sequence[tuple[str, str]], *, swapped: bool, other_first: bool
    ) -> tuple[Message, ...]:
        texts = [subject.text, self._known(subject) or ""]
        first, second = reversed(texts) if other_first else texts
        blocks, marker = marked_blocks(self.criterion, [*values, ("FIRST ANSWER", first), ("SECOND ANSWER", second)])
        options = ", or ".join(_VERDICTS[::-1] if swapped else _VERDICTS)
        system = _SYSTEM.format(criterion=without_halves(self.criterion), marker=marker, options=options)
        return Message("system", system), Message("user", blocks)

    def vote(self, judge: ModelRef, found: JudgeVerdict, *, other_first: bool) -> Vote:
        if found.value == _NEITHER:
            return self._tie(f"{judge} has no preference: {found.reason}")
        if (found.value == _SECOND) is other_first:
            return Vote(True, 1.0, "")
        return Vote(False, 0.0, f"{judge} prefers the known answer: {found.reason}")

    def combined(self, judge: ModelRef, votes: Sequence[Vote]) -> Vote:
        if len({vote.value for vote in votes}) == 1:
            return votes[0]
        return self._tie(f"the preference of {judge} depends on which answer it sees first")

    def _tie(self, reason: str) -> Vote:
        return Vote(self.tie_passes, 0.5, reason)

    def _known(self, subject: Subject) -> str | None:
        return subject.was if self.over is None else self.over


def build(argument: Json, context: CheckContext) -> Preferred:
    return with_agreement(_read(argument), context)


def _read(argument: Json) -> Preferred:
    given = _options.options(argument, (*PANEL_OPTIONS, "criterion", "over", "tie"))
    panel = panel_options(given, "criterion", "over")
    over = _options.text(given["over"], "over")
    return Preferred(
        **panel,
        criterion=_options.text(given["criterion"], "criterion").strip(),
        over=None if over == _WAS else over,
        tie_passes=_options.choice(given.get("tie", "fails"), "tie", ("fails", "passes")) == "passes",
    )


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema={
        "type": "object",
        "properties": {
            **PANEL_SCHEMA,
            "criterion": {"type": "string"},
            "over": {"type": "string"},
            "tie": {"enum": ["fails", "passes"]},
        },
    },
    fingerprint=fingerprint_with(build, PROMPT_HASH),
)
