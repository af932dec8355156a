"""Warnings about the judges of a suite, before any call."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.core.protocols import JudgedCheck
from promptbench.core.types import Json
from promptbench.engine.prepare.prepared_suite import PreparedModel

# Parameters of a judge's request whose check sets none. A judge that does not support one is not sent it.
JUDGE_DEFAULTS: Mapping[str, Json] = {"temperature": 0}
_CRITERION_LENGTH = 60


def warn_own_judges(
    judged: Iterable[tuple[JudgedCheck, Location]], models: Collection[PreparedModel], found: Diagnostics
) -> None:
    """Warn if a model judges its own answers, which it prefers (Panickssery et al. 2024, arXiv:2404.13076)."""
    names = {model.ref.name.rpartition("/")[2] for model in models}
    for check, location in judged:
        for ref in check.judges:
            if ref.name.rpartition("/")[2] in names:
                found.add(
                    Code.OWN_JUDGE,
                    f"{ref} judges its own answers, and models prefer their own",
                    location,
                    hint="name a judge that is not one of the suite's models",
                    severity=Severity.WARNING,
                )


def warn_advisory(judged: Iterable[tuple[JudgedCheck, Location]], suite: str, found: Diagnostics) -> None:
    """Warn once about all advisory checks, with the command that measures their agreement."""
    advisory = [(check, location) for check, location in judged if not check.counts]
    if not advisory:
        return
    check, location = advisory[0]
    one = f"the judged check '{_shorten(check.criterion)}' is advisory: it does not affect the verdict"
    several = f"{len(advisory)} judged checks are advisory: they do not affect the verdict; the first"
    found.add(
        Code.ADVISORY,
        f"{one if len(advisory) == 1 else several}: {check.standing}; "
        f"measure the judge's agreement with human labels: `promptbench suite agreement {suite} --labels FILE`",
        location,
        severity=Severity.WARNING,
    )


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _CRITERION_LENGTH else line[: _CRITERION_LENGTH - 1] + "…"
