"""Cases that belong together, such as those from one conversation: the unit that statistics over cases count.

Answers to cases with one origin go right and wrong together, so twenty guards from two conversations are two pieces of
evidence and not twenty; counted as twenty, a bound promises more than it keeps (Donner and Klar 2000, Design and
Analysis of Cluster Randomization Trials, chapter 1). Everything that holds for independent guards holds for clusters,
whatever hangs together within one: so the exact bound on the share that breaks is of n clusters, of which one with a
broken guard is broken, and the paired difference has one d for each cluster, the mean over its guards. A cluster
counts once, however many cases it has; what is bounded is the loss of a cluster, not of a case.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promptbench.gate.flips import CaseFlip, Flip


def clusters(items: Iterable[CaseFlip]) -> list[list[CaseFlip]]:
    """The cases by cluster, in order; one without a cluster stands for itself."""
    found: dict[tuple[str, str], list[CaseFlip]] = {}
    for item in items:
        key = (item.case.cluster, "") if item.case.cluster else ("", item.case.name)
        found.setdefault(key, []).append(item)
    return list(found.values())


def clustered(items: Sequence[CaseFlip]) -> bool:
    """Whether any two of the cases belong together."""
    named = [item.case.cluster for item in items if item.case.cluster]
    return len(set(named)) < len(named)


def discordant(states: Iterable[CaseFlip]) -> tuple[int, int]:
    """The clusters of which more cases are fixed than broken, and the others that differ: McNemar's two counts."""
    balances = [
        sum((item.flip is Flip.FIXED) - (item.flip is Flip.BROKEN) for item in cluster) for cluster in clusters(states)
    ]
    return sum(balance > 0 for balance in balances), sum(balance < 0 for balance in balances)
