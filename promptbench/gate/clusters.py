"""Group cases that belong together, such as those of one conversation: the unit that statistics over cases count.

Answers to cases of one origin pass and fail together, so twenty guards from two conversations are two pieces of
evidence; counted as twenty, a bound would be too narrow (Donner and Klar 2000, Design and Analysis of Cluster
Randomization Trials, chapter 1). What holds for independent guards holds for clusters, whatever the dependence within
one. The exact bound on the share that breaks is over n clusters, of which one with a broken guard is broken. The paired
difference has one d per cluster, the mean over its guards. So the bounds are about clusters, not cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promptbench.gate.case_outcomes import CaseOutcome, ComparedCase


def clusters(items: Iterable[ComparedCase]) -> list[list[ComparedCase]]:
    """Return the cases by cluster, in order; a case without a cluster is one of its own."""
    found: dict[tuple[str, str], list[ComparedCase]] = {}
    for item in items:
        key = (item.case.cluster, "") if item.case.cluster else ("", item.case.name)
        found.setdefault(key, []).append(item)
    return list(found.values())


def clustered(items: Sequence[ComparedCase]) -> bool:
    """Return True if any two of the cases share a cluster."""
    named = [item.case.cluster for item in items if item.case.cluster]
    return len(set(named)) < len(named)


def discordant(states: Iterable[ComparedCase]) -> tuple[int, int]:
    """Return McNemar's two counts: clusters with more fixed than broken cases, and the opposite."""
    scores = {CaseOutcome.FIXED: 1, CaseOutcome.BROKEN: -1}
    balances = [sum(scores.get(item.outcome, 0) for item in cluster) for cluster in clusters(states)]
    return sum(balance > 0 for balance in balances), sum(balance < 0 for balance in balances)
