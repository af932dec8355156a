"""Judge several candidates against one champion, with Holm's correction for trying several."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.drift import Drift
from promptbench.gate.judge import GatedModel, Mode, Result, Verdict, judge
from promptbench.gate.policy import LEVEL, NO_CORRECTION, HolmCorrection, Policy
from promptbench.gate.trial import NO_RECORD, LookRecord
from promptbench.stats.exact import holm_levels


def judge_candidates(
    table: AttemptMatrix,
    *,
    champion: str | None,
    candidates: Sequence[str],
    models: Sequence[GatedModel],
    cases: Sequence[CaseInfo],
    policy: Policy,
    asked_all: bool | None,
    drifts: Mapping[str, Drift] = MappingProxyType({}),
    record: LookRecord = NO_RECORD,
) -> list[Verdict]:
    """Return a verdict for each candidate, in their order.

    If several are judged against a champion they are one look, and Holm's procedure divides its level among them: the
    probability that any of them passes without merit is at most that of one candidate. The p-value of a candidate is
    that of its claim on the model with the largest (`Comparison.p`): the larger of

    - the p of its fixes, by the level of the look: Simes' p over all targets, and that of each fix that is mandatory
      (`critical`, `fixed: all`);
    - the p of its guards, for each margin of the gate or a tag: the larger of that of the plus-two bound and of the
      exact binomial test on broken guards.

    A candidate that fails has 1. Facts have no p: fixes on a deterministic model, floors, ratios, and that no break was
    found. Each candidate is first judged at the smallest level, since that decides how often its fixes are looked at,
    then at its own level, which its sentence's bounds use too.
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
            record=record,
        )

    count = 0 if champion is None else sum(candidate != champion for candidate in candidates)
    smallest = smallest_level(count)
    verdicts = [judged(candidate, smallest if candidate != champion else NO_CORRECTION) for candidate in candidates]
    others = [index for index, verdict in enumerate(verdicts) if verdict.mode is Mode.CHAMPION]
    if len(others) > 1:
        levels = holm_levels([_p(verdicts[index]) for index in others])
        for index, level in zip(others, levels, strict=True):
            if verdicts[index].holm.level != level:
                verdicts[index] = judged(candidates[index], HolmCorrection(len(others), level))
    return verdicts


def smallest_level(candidates: int) -> HolmCorrection:
    """Return the correction at which candidates that are judged together are planned."""
    return HolmCorrection(candidates, LEVEL / candidates) if candidates > 1 else NO_CORRECTION


def _p(verdict: Verdict) -> float:
    unknown = verdict.result in (Result.FAIL, Result.NO_VERDICT)
    return 1.0 if unknown else max((model.p or 0.0 for model in verdict.models), default=1.0)
