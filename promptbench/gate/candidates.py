"""Several candidates judged against one champion, with a correction for trying several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from promptbench.gate.drift import Drift
from promptbench.gate.flips import CaseInfo
from promptbench.gate.judge import GatedModel, Mode, Result, Verdict, judge
from promptbench.gate.policy import Among, Policy
from promptbench.gate.table import Table
from promptbench.stats.holm import holm_levels


def judge_candidates(
    table: Table,
    *,
    champion: str | None,
    candidates: Sequence[str],
    models: Sequence[GatedModel],
    cases: Sequence[CaseInfo],
    policy: Policy,
    asked_all: bool,
    drifts: Mapping[str, Drift] = MappingProxyType({}),
) -> list[Verdict]:
    """A verdict for each candidate, in their order.

    Where several are judged against a champion, Holm's procedure holds the probability that any of them passes without
    merit to 5 %. The p-value of a candidate is that of its claim on the model where it is least sure
    (`Comparison.p`): the largest of

    - the p of its fixes, from Fisher's one-sided p over all tries of each target, of both prompts: where fixes are
      mandatory (`critical`, `fixed: all`) that of the least sure one, else Simes' p over all targets, since each of
      them may be fixed by chance;
    - the p of its guards, where a margin is set, the gate's or a tag's: the larger of that of the plus-two bound and of
      the exact binomial test on broken guards.

    A candidate that does not pass alone has 1. What is no test has no p: fixes on a deterministic model, floors,
    ratios, a break that is looked for and not found. Each candidate is then judged again at its own level, by which
    the bounds in its sentence are too.
    """

    def judged(candidate: str, among: Among) -> Verdict:
        return judge(
            table,
            champion=champion,
            candidate=candidate,
            models=models,
            cases=cases,
            policy=policy,
            asked_all=asked_all,
            among=among,
            drifts=drifts,
        )

    verdicts = [judged(candidate, Among()) for candidate in candidates]
    others = [index for index, verdict in enumerate(verdicts) if verdict.mode is Mode.CHAMPION]
    if len(others) > 1:
        levels = holm_levels([_p(verdicts[index]) for index in others])
        for index, level in zip(others, levels, strict=True):
            verdicts[index] = judged(candidates[index], Among(len(others), level))
    return verdicts


def _p(verdict: Verdict) -> float:
    """Of the claim that a candidate passes on all models, by the model where it is least sure."""
    if verdict.result is not Result.PASS:
        return 1.0
    return max(model.p or 0.0 for model in verdict.models)
