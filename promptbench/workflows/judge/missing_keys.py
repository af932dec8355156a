"""Report on suites whose API keys are missing, as in a fork's pull request: everything valid, but no verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from promptbench.core.clock import now
from promptbench.core.diagnostics import Code, Diagnostics, Severity
from promptbench.core.errors import EnvironmentFailure, Exit
from promptbench.core.words import number_of
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gate.judge import Result
from promptbench.project import Project
from promptbench.report.model import Judgement, RunReport


def missing_keys_error(prepared_suites: Sequence[PreparedSuite], found: Diagnostics) -> EnvironmentFailure:
    """Return an error that names the missing keys, at the locations of their models."""
    locations = [replace(item, severity=Severity.ERROR) for item in found if item.code is Code.MISSING_CREDENTIAL]
    return EnvironmentFailure(
        f"NO VERDICT: {_not_set(prepared_suites)}, so no model was called; the files are valid",
        hint="where keys cannot be set, as in a fork's pull request, --allow-no-keys exits 0",
        diagnostics=locations,
    )


def report_without_keys(project: Project, prepared: PreparedSuite, *, command: str, notes: Sequence[str]) -> RunReport:
    """Return the report on a suite whose models cannot be called. It exits 0."""
    logged = len(prepared.cases.with_log)
    red = f", and the logged answers of {number_of(logged, 'case')} fail as they should" if logged else ""
    sentence = f"NO VERDICT: no model was called, because {_not_set([prepared])}; the files are valid{red}"
    judgements = [
        Judgement(
            candidate=candidate.label,
            candidate_hash=candidate.hash,
            champion=prepared.champion.label if prepared.champion else None,
            champion_hash=prepared.champion.hash if prepared.champion else None,
            mode="unasked",
            result=Result.NO_VERDICT.value,
            sentence=sentence,
            counts={},
            mid_p=None,
        )
        for candidate in prepared.candidates
    ]
    return RunReport(
        run="",
        suite=prepared.suite.name,
        path=project.shown(prepared.suite.path),
        prompt=prepared.prompt_name,
        started=now(),
        result=Result.NO_VERDICT.value,
        sentence=sentence,
        exit=Exit.YES,
        cases=len(prepared.cases),
        judgements=judgements,
        rows=(),
        flips=(),
        log=None,
        comparisons=(),
        notes=notes,
        reproduce=command,
    )


def _not_set(prepared_suites: Sequence[PreparedSuite]) -> str:
    variables = sorted({variable for prepared in prepared_suites for variable in prepared.absent.values()})
    return f"{' and '.join(variables)} {'is' if len(variables) == 1 else 'are'} not set"
