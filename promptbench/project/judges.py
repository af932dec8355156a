"""The judges that a suite's checks ask: connected like its models, and what is to be said of them before any call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity
from promptbench.core.protocols import JudgedCheck, Problem
from promptbench.core.types import Json, ModelRef
from promptbench.project.bench import PreparedJudge, PreparedModel

DEFAULTS: Mapping[str, Json] = {"temperature": 0}
"""What a judge is sent where its check says nothing about it."""

Judged = Iterable[tuple[JudgedCheck, Location]]
"""Checks that ask judges, each with where it is written."""
Connect = Callable[[ModelRef, Location], PreparedModel | None]
Refused = Callable[[ModelRef, Mapping[str, Json]], list[Problem]]


def connected(judged: Judged, connect: Connect, refused: Refused, found: Diagnostics) -> dict[str, PreparedJudge]:
    """The judges by model. One that cannot be asked as its check wants it is in `found`."""
    judges: dict[str, PreparedJudge | None] = {}
    for check, location in judged:
        for ref in check.judges:
            if str(ref) not in judges:
                judges[str(ref)] = _judge(ref, location, connect, refused, found)
            for problem in refused(ref, check.config or {}) if judges[str(ref)] else ():
                found.add(Code[problem.code], problem.message, location, hint=problem.hint)
    return {name: judge for name, judge in judges.items() if judge is not None}


def _judge(
    ref: ModelRef, location: Location, connect: Connect, refused: Refused, found: Diagnostics
) -> PreparedJudge | None:
    model = connect(ref, location)
    if model is None:
        return None
    if not model.uses_prompt:
        found.add(Code.BAD_VALUE, f"{ref} gets no messages, so it cannot judge", location, hint="name a language model")
        return None
    return PreparedJudge(replace(model, gated=False), spared_words(ref, refused))


def spared_words(ref: ModelRef, refused: Refused) -> frozenset[str]:
    """The words of `DEFAULTS` that a judge does not take."""
    return frozenset(word for word, value in DEFAULTS.items() if refused(ref, {word: value}))


def warn_own_judges(judged: Judged, models: Collection[PreparedModel], found: Diagnostics) -> None:
    """A model likes its own answers better than another's (Panickssery et al. 2024, arXiv:2404.13076)."""
    names = {model.ref.name.rpartition("/")[2] for model in models}
    for check, location in judged:
        for ref in check.judges:
            if ref.name.rpartition("/")[2] in names:
                message = f"{ref} judges its own answers here, and models favour their own"
                hint = "name a judge that is none of the suite's models"
                found.add(Code.OWN_JUDGE, message, location, hint=hint, severity=Severity.WARNING)


def warn_advisory(judged: Judged, suite: str, found: Diagnostics) -> None:
    """Once for all checks that decide nothing yet, with the command that may change it."""
    advisory = [(check, location) for check, location in judged if not check.counts]
    if not advisory:
        return
    check, location = advisory[0]
    one = f"the judged check '{_start(check.criterion)}' is advisory and decides nothing"
    several = f"{len(advisory)} judged checks are advisory and decide nothing; of the first"
    found.add(
        Code.ADVISORY,
        f"{one if len(advisory) == 1 else several}: {check.standing}; "
        f"`promptbench agree {suite} --labels FILE` records how far the judge agrees with people",
        location,
        severity=Severity.WARNING,
    )


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
