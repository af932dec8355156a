"""Attempts in shorthand: `+` passed, `-` failed, `x` no answer; after a colon their rungs' letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from promptbench.core.types import Answer, Attempt, AttemptKey, Outcome, Rung
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.case_outcomes import CaseInfo
from promptbench.gate.judge import GatedModel, Verdict, judge
from promptbench.gate.policy import Policy
from promptbench.gate.trial import RULE, LookRecord

CHAMPION, CANDIDATE = "sha256:champion", "sha256:candidate"
MODEL = "local/small"
TODAY = "2026-11-24"
_OUTCOMES = {"+": Outcome.PASSED, "-": Outcome.FAILED, "x": Outcome.ERRORED}
_RUNGS = {"r": Rung.RAW, "e": Rung.EXTRACTED, "s": Rung.REPAIRED_SAFE, "g": Rung.REPAIRED_RISKY, "n": Rung.NONE}

Cases = Mapping[str, tuple[str, str]]
"""The champion's and the candidate's attempts at each case, such as `+++` or `++-:rre`."""


def attempts(cases: Cases, model: str = MODEL, variants: tuple[str, str] = (CHAMPION, CANDIDATE)) -> Iterator[Attempt]:
    for case, both in cases.items():
        for variant, written in zip(variants, both, strict=True):
            marks, _, rungs = written.partition(":")
            for k, mark in enumerate(marks):
                rung = _RUNGS[rungs[k]] if rungs and mark != "x" else None
                yield Attempt(
                    AttemptKey(variant, model, case, k),
                    _OUTCOMES[mark],
                    request_hash="sha256:request",
                    answer=None if mark == "x" else Answer(f"{case} {mark}", model),
                    rung=rung,
                    well_formed=rung in (Rung.RAW, Rung.EXTRACTED),
                )


def judged(
    cases: Cases,
    *,
    deterministic: bool = False,
    critical: str = "",
    tagged: str = "",
    together: Mapping[str, str] = MappingProxyType({}),
    apart: Mapping[str, str] = MappingProxyType({}),
    asked_all: bool = True,
    champion: str | None = CHAMPION,
    rule: int = RULE,
    looks: tuple[int, ...] = (1,),
    **policy: Any,
) -> Verdict:
    return judge(
        AttemptMatrix(attempts(cases)),
        champion=champion,
        candidate=CANDIDATE,
        models=[GatedModel(MODEL, deterministic)],
        cases=infos(cases, critical, tagged, together, apart),
        policy=Policy(**policy),
        asked_all=asked_all,
        record=LookRecord({MODEL: looks}, rule=rule),
    )


def infos(
    cases: Cases,
    critical: str = "",
    tagged: str = "",
    together: Mapping[str, str] = MappingProxyType({}),
    apart: Mapping[str, str] = MappingProxyType({}),
) -> list[CaseInfo]:
    """The cases as a gate knows them on a day; those that `tagged` names have the tag `t`. `together` has their
    clusters, and `apart` the last days of their quarantines.
    """
    return [
        CaseInfo(
            name,
            name in critical.split(),
            ("t",) * (name in tagged.split()),
            together.get(name, ""),
            apart.get(name, ""),
            "" < apart.get(name, "") < TODAY,
        )
        for name in cases
    ]


def guards(count: int, marks: str = "+") -> dict[str, tuple[str, str]]:
    """Clean guards by the name g1, g2, …"""
    return {f"g{n}": (marks, marks) for n in range(1, count + 1)}
