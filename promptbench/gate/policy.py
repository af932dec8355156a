"""The settings of a gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from promptbench.core.types import Json

# The screen of a `critical` case, unless `repeats` is larger. A longer screen sees more: what begins to fail in 3 of 10
# answers fails a try of 8 in 94 % of runs, and one of 3 in 66 %.
CRITICAL_REPEATS = 8
# The margin of a gate without one: breaks decide, and the verdict says what the guards exclude.
AUTO = "auto"
# The error probability of a verdict: one minus the confidence of its bounds.
LEVEL = 0.05
# It needs some 3,000 guards; nobody has enough cases for a smaller one.
SMALLEST_MARGIN = 0.001


def _check_margin(margin: object) -> None:
    if not (isinstance(margin, float) and SMALLEST_MARGIN <= margin < 1):
        raise ValueError(f"margin: expected a number in [{SMALLEST_MARGIN}, 1), got {margin!r}")


@dataclass(frozen=True, slots=True)
class TagPolicy:
    """The least share of correct answers and the margin for the cases with a tag; None for no requirement."""

    floor: float | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        if self.margin is not None:
            _check_margin(self.margin)


@dataclass(frozen=True, slots=True)
class Policy:
    """The author's `gate:` with all defaults. Shares are in [0, 1], margins in [0.001, 1), ages in days.

    `repeats` is the number of first tries of every case on a model that is not deterministic, and `critical_repeats`
    that of `critical` ones, if larger. A ratio is the largest allowed ratio of the candidate's mean cost or median
    latency to the champion's.

    Raises:
        ValueError: a margin is invalid.
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
        """The number of first repeats whose times and costs the gate needs."""
        return 0 if self.cost_ratio is None and self.latency_ratio is None else self.repeats

    def screen(self, *, critical: bool) -> int:
        """Return the number of first tries of a case."""
        return max(self.repeats, self.critical_repeats) if critical else self.repeats

    def as_dict(self) -> dict[str, Json]:
        """Return plain data that `of` reads.

        Settings of later versions are left out unless set: so a gate without them keeps its hash, and an older version
        refuses a gate with them.
        """
        later = ("tags", "cost_ratio", "latency_ratio", "critical_repeats")
        return {name: value for name, value in asdict(self).items() if value or name not in later}

    @classmethod
    def of(cls, data: Mapping[str, Json]) -> Policy:
        """Read what `as_dict` returned. Raise TypeError for an unknown field, ValueError for an invalid margin."""
        tags = {tag: TagPolicy(**asked) for tag, asked in data.get("tags", {}).items()}
        return cls(**{**data, "tags": tags})


@dataclass(frozen=True, slots=True)
class HolmCorrection:
    """The number of candidates judged together, and the level that Holm's procedure gives to one of them.

    The field names are keys of the evidence.

    Raises:
        ValueError: the procedure has no such level.
    """

    candidates: int = 1
    level: float = LEVEL

    def __post_init__(self) -> None:
        if not any(self.level == LEVEL / left for left in range(1, self.candidates + 1)):
            raise ValueError(f"Holm's procedure over {self.candidates} candidates has no level {self.level!r}")

    @property
    def confidence(self) -> float:
        """One minus the level."""
        return 1.0 - self.level


NO_CORRECTION = HolmCorrection()


@dataclass(frozen=True, slots=True)
class ComparisonLabels:
    """The names of both sides of a comparison, which asks whether `candidate` is worse than `champion`.

    It differs from a promotion's question in two ways: nothing has to be fixed, and a floor counts only if the champion
    reaches it.
    """

    champion: str
    candidate: str
