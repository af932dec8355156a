"""Judge several candidates against one champion, with Holm's correction for trying several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.drift import Drift
from promptbench.gate.judge import GatedModel, Mode, Result, Verdict, judge
from promptbench.gate.policy import NO_CORRECTION, HolmCorrection, Policy
from promptbench.stats.holm import holm_levels


def judge_candidates(
    table: AttemptMatrix,
    *,
    champion: str | None,
    candidates: Sequence[str],
    models: Sequence[GatedModel],
    cases: Sequence[CaseInfo],
    policy: Policy,
    asked_all: bool,
    drifts: Mapping[str, Drift] = MappingProxyType({}),
) -> list[Verdict]:
    """Return a verdict for each candidate, in their order.

    If several are judged against a champion, Holm's procedure limits the probability that any of them passes without
    merit to 5 %. The p-value of a candidate is that of its claim on the model with the largest (`Comparison.p`): the
    larger of

    - the p of its fixes, from Fisher's one-sided p over all tries of each target, of both prompts: for mandatory fixes
      (`critical`, `fixed: all`) the largest one, else Simes' p over all targets, because any of them may be fixed by
      chance;
    - the p of its guards, for each margin of the gate or a tag: the larger of that of the plus-two bound and of the
      exact binomial test on broken guards.

    A candidate that does not pass alone has 1. Facts have no p: fixes on a deterministic model, floors, ratios, and
    that no break was found. Each candidate is then judged again at its own level, which its sentence's bounds use too.
    """

    def judged(candidate: str, holm: HolmCorrection) -> Verdict:
        return judge(
            table,
            champion=champion,
            candidate=candidate,
            models=models,
            cases=cases,
            policy=policy,
            asked_all=asked_all,
            holm=holm,
            drifts=drifts,
        )

    verdicts = [judged(candidate, NO_CORRECTION) for candidate in candidates]
    others = [index for index, verdict in enumerate(verdicts) if verdict.mode is Mode.CHAMPION]
    if len(others) > 1:
        levels = holm_levels([_p(verdicts[index]) for index in others])
        for index, level in zip(others, levels, strict=True):
            verdicts[index] = judged(candidates[index], HolmCorrection(len(others), level))
    return verdicts


def _p(verdict: Verdict) -> float:
    return max(model.p or 0.0 for model in verdict.models) if verdict.result is Result.PASS else 1.0
