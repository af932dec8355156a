"""Runs on record, as lists: which there are, what one of them found, how a figure went over time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from promptbench.api.workspace import Project
from promptbench.core.diagnostics import did_you_mean
from promptbench.core.errors import InputError
from promptbench.store.run_list import RunFigures, RunSummary
from promptbench.store.runs import RunStore


@dataclass(frozen=True, slots=True)
class RunDetails:
    """One run: its summary, and the figures of each prompt on each model."""

    summary: RunSummary
    figures: list[RunFigures]


def list_runs(
    project: Project,
    *,
    suite: str | None = None,
    prompt: str | None = None,
    model: str | None = None,
    limit: int = -1,
) -> list[RunSummary]:
    """The newest runs, the newest first; none where there is no record yet."""
    with project.recordings() as runs:
        return runs.listing().newest(suite=suite, prompt=prompt, model=model, limit=limit) if runs else []


def show_run(project: Project, run: str) -> RunDetails:
    """What is on record about a run, as it was judged then. Raises InputError when there is none of that name."""
    with _record(project) as runs:
        name, listing = runs.run(run).id, runs.listing()
        return RunDetails(listing.summary(name), listing.figures(name))


def run_history(project: Project, name: str, *, model: str | None = None, limit: int = 20) -> list[RunFigures]:
    """The figures of the newest finished runs of a suite, or about a prompt of that name, the oldest first.

    Parts of a suite are left out. Raises InputError when nothing of that name was run.
    """
    with _record(project) as runs:
        listing = runs.listing()
        found = listing.history(suite=name, prompt=None, model=model, limit=limit)
        found = found or listing.history(suite=None, prompt=name, model=model, limit=limit)
        if not found:
            known = listing.names()
            guess = did_you_mean(name, known - {name})
            on = f" on {model}" if model else ""
            hint = f"did you mean '{guess}'?" if guess else f"suites and prompts on record: {', '.join(sorted(known))}"
            raise InputError(f"no finished run of a whole suite or of a prompt '{name}'{on} is on record", hint=hint)
        return found


@contextmanager
def _record(project: Project) -> Iterator[RunStore]:
    with project.recordings() as runs:
        if runs is None:
            raise InputError("no run is on record", hint="`promptbench run` makes one")
        yield runs
