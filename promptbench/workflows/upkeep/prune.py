"""Remove old runs from the record, except those that prove a labelled version or that later commands need."""

from dataclasses import dataclass
from datetime import datetime

from promptbench.core.clock import stamp
from promptbench.project import Project
from promptbench.store.prompts import Store
from promptbench.store.retention import RemovedRows
from promptbench.store.runs import FILE_NAME


@dataclass(frozen=True, slots=True)
class PruneResult:
    """`runs` are the removed runs, or those that would be; `kept` the others of the same age, each with the reason."""

    runs: tuple[str, ...]
    kept: dict[str, str]
    removed: RemovedRows
    bytes_before: int
    bytes_after: int
    compacted: bool


def prune(project: Project, before: datetime, *, recordings: bool = False, dry_run: bool = False) -> PruneResult:
    """Remove the runs that started before a time, with their attempts and everything that only they used.

    Cache entries from before that time are removed too; recordings only with `recordings`, and only if no remaining run
    requested them. Imported calls and the prompt store are never touched.

    Raises:
        ConflictError: the prompt store's labels are unreadable.
    """
    file = project.settings.state / FILE_NAME
    with project.recordings() as runs:
        if runs is None:
            return PruneResult((), {}, RemovedRows(), 0, 0, compacted=True)
        with project.prompts() as store:
            reasons = _proofs(store)
        limit = stamp(before)
        retention = runs.retention()
        old = retention.older_than(limit)
        reasons = {**retention.needed(), **reasons}
        staying = [run for run in reasons if run in old]
        reasons |= {
            run: f"its answers are scored again in {later}" for run, later in retention.origins(staying).items()
        }
        going = [run for run in old if run not in reasons]
        kept = {run: reasons[run] for run in old if run in reasons}
        size = file.stat().st_size
        if dry_run:
            return PruneResult(tuple(going), kept, RemovedRows(runs=len(going)), size, size, compacted=True)
        removed = retention.remove(going, limit, recordings=recordings)
        compacted = retention.compact()
    gone = tuple(run for run in going if run not in removed.busy)
    kept |= dict.fromkeys(removed.busy, "a process is writing it")
    return PruneResult(gone, kept, removed, size, file.stat().st_size, compacted)


def _proofs(store: Store) -> dict[str, str]:
    """Return the runs behind the evidence of labelled versions, each with the label."""
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
