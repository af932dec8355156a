"""rubric: a model judges whether the answer meets a criterion.

What: calls a judge, which is a model of its own, and takes its verdict on the criterion with a reason. The judge sees
    the answer and what `sees` names, and not which prompt or model answered. Several judges or repeats decide by
    majority; without one, or if a judge gives no readable verdict, the answer is errored, never failed. Until
    `promptbench suite agreement` has recorded that the judge agrees with people, the check is advisory: it is reported
    and decides nothing.
When: what no rule says, such as tone, helpfulness, or whether a text explains something.
Options: `judge` a model with its version, or a list of models; `passes if` the criterion; `sees` the values of the case
    that the judge may see; `reference` an answer that meets the criterion, shown in both orders, which must not matter;
    `repeats` the calls of each judge, 1 by default; `scale` 1 to 5 instead of yes or no, and `at least` the rating that
    passes, 4 by default; `config` what is sent, as in a prompt's config, by default {temperature: 0} if the judge takes
    it; `agreement` the least lower bound of kappa with which the check counts, 0.4 by default.
Example:
    checks: [{rubric: {judge: openai/gpt-5.5-2026-04-23, passes if: the answer apologises and names a date}}]
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
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
    whole,
    with_agreement,
)
from promptbench.core.canonical import digest, without_halves
from promptbench.core.types import Message
from promptbench.plugins import CheckContext, CheckSpec, Json, ModelRef, Subject

PASS, FAIL = "pass", "fail"
RATINGS = (1, 2, 3, 4, 5)

_SYSTEM = (
    """\
You judge one answer that a program gave. You decide one thing only: whether the answer meets this criterion.

CRITERION
{criterion}

"""
    + MATERIAL
    + """
Judge what the answer says. How long it is, how it is laid out and how sure it sounds count neither for it nor against
it, unless the criterion is about that. A short answer that meets the criterion is as good as a long one.{reference}

First give your reason: one or two sentences that name what in the answer decides. Then give your verdict: {options}.
Reply with one JSON object and nothing else: {{"reason": "…", "verdict": {form}}}
"""
)
_REFERENCE = """

The reference is an answer that meets the criterion. Other answers may meet it too, in other words. Which of the two you
see first means nothing."""
_YES_OR_NO = ('"pass" if it meets the criterion', '"fail" if it does not')
_RATED = (
    "a whole number from 1 (does not meet the criterion at all) to 5 (meets it completely)",
    "a whole number from 5 (meets the criterion completely) down to 1 (does not meet it at all)",
)

# With another built-in prompt a judge is another judge.
PROMPT_HASH = digest([_SYSTEM, _REFERENCE, BLOCK, _YES_OR_NO, _RATED])


_SCALES = ("yes or no", "1 to 5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric(Panel):
    """`at_least` is the rating that passes, or None for yes or no."""

    name: ClassVar[str] = "rubric"
    reference: str | None
    at_least: int | None

    @property
    def identity(self) -> str:
        return digest(
            {
                "prompt": PROMPT_HASH,
                "judges": [str(judge) for judge in self.judges],
                "passes if": self.criterion,
                "sees": list(self.sees),
                "reference": self.reference,
                "repeats": self.repeats,
                "at least": self.at_least,
                "config": self.config,
            }
        )

    @property
    def orders(self) -> tuple[bool, ...]:
        return (False,) if self.reference is None else (False, True)

    @property
    def verdicts(self) -> Sequence[str | int]:
        return (PASS, FAIL) if self.at_least is None else RATINGS

    def messages(
        self, subject: Subject, values: Sequence[tuple[str, str]], *, swapped: bool, other_first: bool
    ) -> tuple[Message, ...]:
        judged = [("ANSWER", subject.text)]
        if self.reference is not None:
            judged.insert(0 if other_first else 1, ("REFERENCE", self.reference))
        blocks, marker = marked_blocks(self.criterion, [*values, *judged])
        rated = self.at_least is not None
        system = _SYSTEM.format(
            criterion=without_halves(self.criterion),
            marker=marker,
            reference=_REFERENCE if self.reference is not None else "",
            options=_RATED[swapped] if rated else " or ".join(_YES_OR_NO[::-1] if swapped else _YES_OR_NO),
            form="…" if rated else '"…"',
        )
        return Message("system", system), Message("user", blocks)

    def vote(self, judge: ModelRef, found: JudgeVerdict, *, other_first: bool) -> Vote:
        if isinstance(found.value, str):
            return Vote(found.value == PASS, float(found.value == PASS), f"{judge}: {found.reason}")
        passes, value = found.value >= (self.at_least or 0), (found.value - 1) / 4
        return Vote(passes, value, f"{judge} gives {found.value} of 5: {found.reason}")

    def combined(self, judge: ModelRef, votes: Sequence[Vote]) -> Vote:
        if len({vote.passes for vote in votes}) > 1:
            return Vote(None, 0.0, f"the verdict of {judge} depends on which text it sees first")
        return replace(votes[0], value=fmean(vote.value for vote in votes))


def build(argument: Json, context: CheckContext) -> Rubric:
    return with_agreement(_read(argument), context)


def _read(argument: Json) -> Rubric:
    given = _options.options(argument, (*PANEL_OPTIONS, "passes if", "reference", "scale", "at least"))
    panel = panel_options(given, "passes if")
    scale = _options.choice(given.get("scale", _SCALES[0]), "scale", _SCALES)
    if "at least" in given and scale != _SCALES[1]:
        raise ValueError("'at least' is a rating: it needs 'scale: 1 to 5'")
    return Rubric(
        **panel,
        criterion=_options.text(given["passes if"], "passes if").strip(),
        reference=_options.text(given["reference"], "reference") if "reference" in given else None,
        at_least=whole(given.get("at least", 4), "at least", 2, 5) if scale == _SCALES[1] else None,
    )


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema={
        "type": "object",
        "properties": {
            **PANEL_SCHEMA,
            "passes if": {"type": "string"},
            "reference": {"type": "string"},
            "scale": {"enum": list(_SCALES)},
            "at least": {"type": "integer", "minimum": 2, "maximum": 5},
        },
    },
    fingerprint=fingerprint_with(build, PROMPT_HASH),
)
