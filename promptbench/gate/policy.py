"""What a gate asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from promptbench.core.types import Json

TRIES = 8
"""How often a failure is tried, of champion and candidate each, before it is called reproduced, fixed or broken."""
CRITICAL_REPEATS = 8
"""How often a `critical` case is asked at first, where `repeats` is not more.

One that begins to fail in 3 of 10 answers is then broken or unstable, so that nothing passes, in 87 % of runs, where 3
repeats see it in 53 %; one that is halved in 99 %, where they do in 86 % (`power.seen`, exactly). Of halved ones no
number of repeats calls more than 61 % broken: half is where broken begins.
"""
AUTO = "auto"
"""The margin of a gate that has none: breaks decide, and the verdict says what the guards exclude."""
LEVEL = 0.05
"""The probability of error that a verdict takes: one minus the confidence of its bounds."""


SMALLEST_MARGIN = 0.001
"""It takes some 3,000 guards; a smaller one asks for what nobody has."""


def _check_margin(margin: object) -> None:
    if not (isinstance(margin, float) and SMALLEST_MARGIN <= margin < 1):
        raise ValueError(f"{margin!r} is no margin")


@dataclass(frozen=True, slots=True)
class TagPolicy:
    """What the cases with a tag must keep: a share of right answers, a margin; None where nothing is asked."""

    floor: float | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        if self.margin is not None:
            _check_margin(self.margin)


@dataclass(frozen=True, slots=True)
class Policy:
    """The author's `gate:`, complete. Shares are in [0, 1], margins in [0.001, 1), ages in days.

    `repeats` is the number of attempts at every case in the first round on a model that is not deterministic, and
    `critical_repeats` that at `critical` ones, where it is more. A ratio is the most that the candidate's mean cost or
    median latency may be of the champion's. Raises ValueError for a margin that is none.
    """

    margin: float | str = AUTO
    repeats: int = 3
    fixed: str = "any"
    format_floor: float = 0.95
    answer_floor: float = 0.80
    max_age: float = 7.0
    tags: Mapping[str, TagPolicy] = field(default_factory=dict)
    cost_ratio: float | None = None
    latency_ratio: float | None = None
    critical_repeats: int = 0

    def __post_init__(self) -> None:
        if self.margin != AUTO:
            _check_margin(self.margin)

    @property
    def measured(self) -> int:
        """Of how many first repeats the gate wants to know times and costs."""
        return 0 if self.cost_ratio is None and self.latency_ratio is None else self.repeats

    def screen(self, *, critical: bool) -> int:
        """How often a case is asked in the first round."""
        return max(self.repeats, self.critical_repeats) if critical else self.repeats

    def as_dict(self) -> dict[str, Json]:
        """As plain data, of which `of` makes the same again. What came later than the others is there where it is set:
        so a gate without it is the same as it was before, and one with it is refused by a version that knows none.
        """
        later = ("tags", "cost_ratio", "latency_ratio", "critical_repeats")
        return {name: value for name, value in asdict(self).items() if value or name not in later}

    @classmethod
    def of(cls, data: Mapping[str, Json]) -> Policy:
        """Raises TypeError for a field that is not known, ValueError for a margin that is none."""
        tags = {tag: TagPolicy(**asked) for tag, asked in data.get("tags", {}).items()}
        return cls(**{**data, "tags": tags})


@dataclass(frozen=True, slots=True)
class Among:
    """Among how many candidates one is judged, and the level that Holm's procedure holds it to.

    Raises ValueError for a level that the procedure does not have.
    """

    candidates: int = 1
    level: float = LEVEL

    def __post_init__(self) -> None:
        if not any(self.level == LEVEL / left for left in range(1, self.candidates + 1)):
            raise ValueError(f"Holm's procedure over {self.candidates} candidates has no level {self.level!r}")

    @property
    def confidence(self) -> float:
        return 1.0 - self.level


ALONE = Among()


@dataclass(frozen=True, slots=True)
class Versus:
    """A comparison that asks whether `candidate` is worse than `champion`; both as its sentence names them.

    It differs from a promotion's question in two ways: nothing has to be fixed, and a floor counts only where the
    champion reaches it, since who is below it too is no better.
    """

    champion: str
    candidate: str
