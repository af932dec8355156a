"""Runs without keys, as on a fork's pull request: all that can be known without a call, and no verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from promptbench.core.clock import now
from promptbench.core.diagnostics import Code, Diagnostics, Severity
from promptbench.core.errors import EnvironmentFailure, Exit
from promptbench.core.words import number_of
from promptbench.engine.prepare.prepared_suite import Bench
from promptbench.gate.judge import Result
from promptbench.project import Workspace
from promptbench.report.model import Judgement, RunReport


def keys_missing(benches: Sequence[Bench], found: Diagnostics) -> EnvironmentFailure:
    """The error that says which keys are not set, at the places where their models are named."""
    places = [replace(item, severity=Severity.ERROR) for item in found if item.code is Code.MISSING_CREDENTIAL]
    return EnvironmentFailure(
        f"NO VERDICT: {_not_set(benches)}, so nothing was asked; the files are sound",
        hint="where there can be no keys, as on a fork's pull request, --allow-no-keys exits 0",
        diagnostics=places,
    )


def unasked(workspace: Workspace, bench: Bench, *, command: str, notes: Sequence[str]) -> RunReport:
    """The report on a suite whose models cannot be asked. It stops nobody."""
    logged = len(bench.cases.with_log)
    red = f", and the logged answers of {number_of(logged, 'case')} fail as they must" if logged else ""
    sentence = f"NO VERDICT: not asked, because {_not_set([bench])}; the files are sound{red}"
    judgements = [
        Judgement(
            candidate=candidate.label,
            candidate_hash=candidate.hash,
            champion=bench.champion.label if bench.champion else None,
            champion_hash=bench.champion.hash if bench.champion else None,
            mode="unasked",
            result=Result.NO_VERDICT.value,
            sentence=sentence,
            counts={},
            mid_p=None,
        )
        for candidate in bench.candidates
    ]
    return RunReport(
        run="",
        suite=bench.suite.name,
        path=workspace.shown(bench.suite.path),
        prompt=bench.prompt_name,
        started=now(),
        result=Result.NO_VERDICT.value,
        sentence=sentence,
        exit=Exit.YES,
        cases=len(bench.cases),
        judgements=judgements,
        rows=(),
        flips=(),
        log=None,
        comparisons=(),
        notes=notes,
        reproduce=command,
    )


def _not_set(benches: Sequence[Bench]) -> str:
    variables = sorted({variable for bench in benches for variable in bench.absent.values()})
    return f"{' and '.join(variables)} {'is' if len(variables) == 1 else 'are'} not set"
