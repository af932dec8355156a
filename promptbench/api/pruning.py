"""Old runs leave the run record; those that prove what holds a label, or that commands need, stay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from promptbench.api.workspace import Project
from promptbench.store.prompts import Store
from promptbench.store.retention import Removed
from promptbench.store.runs import FILE_NAME


@dataclass(frozen=True, slots=True)
class Pruned:
    """`runs` are the names of those that went, or would go; `kept` those of the same age that stay, with the reason."""

    runs: tuple[str, ...]
    kept: dict[str, str]
    removed: Removed
    bytes_before: int
    bytes_after: int
    compacted: bool


def prune(project: Project, before: datetime, *, recordings: bool = False, dry_run: bool = False) -> Pruned:
    """Removes the runs that were started before a time, with their attempts, and what nobody needs after that.

    Cache entries from before that time go too; recordings only with `recordings`, and none that a run asked for which
    stays. Logged calls, which `import` brought, and the prompt store are never touched.

    Raises ConflictError where the prompt store cannot say what its labels point to.
    """
    file = project.settings.state / FILE_NAME
    with project.recordings() as runs:
        if runs is None:
            return Pruned((), {}, Removed(), 0, 0, compacted=True)
        with project.prompts() as store:
            reasons = _proofs(store)
        limit = before.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        retention = runs.retention()
        old = retention.older_than(limit)
        reasons = {**retention.needed(), **reasons}
        staying = [run for run in reasons if run in old]
        reasons |= {run: f"its answers are those of {later}" for run, later in retention.origins(staying).items()}
        going = [run for run in old if run not in reasons]
        kept = {run: reasons[run] for run in old if run in reasons}
        size = file.stat().st_size
        if dry_run:
            return Pruned(tuple(going), kept, Removed(runs=len(going)), size, size, compacted=True)
        removed = retention.remove(going, limit, recordings=recordings)
        compacted = retention.compact()
    gone = tuple(run for run in going if run not in removed.busy)
    kept |= dict.fromkeys(removed.busy, "a process works on it")
    return Pruned(gone, kept, removed, size, file.stat().st_size, compacted)


def _proofs(store: Store) -> dict[str, str]:
    """The runs that the evidence of labelled versions rests on, each with the label."""
    found = {}
    for prompt in store.prompts():
        holders: dict[str, list[str]] = {}
        for label, version in store.labels(prompt).items():
            holders.setdefault(version.hash, []).append(f"{prompt}@{label}")
        for event in store.history(prompt):
            if event.evidence and event.to_hash in holders:
                for suite in store.evidence(event.evidence).get("suites", ()):
                    found[str(suite["run"])] = f"it proves {' and '.join(holders[event.to_hash])}"
    return found
