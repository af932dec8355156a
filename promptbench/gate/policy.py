"""What a gate asks for."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from promptbench.core.types import Json

TRIES = 8
"""How often a failure is tried, of champion and candidate each, before it is called reproduced, fixed or broken."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The author's `gate:`, complete. Shares are in [0, 1], ages in days.

    `repeats` is the number of attempts at every case in the first round on a model that is not deterministic.
    """

    margin: str = "auto"
    repeats: int = 3
    fixed: str = "any"
    format_floor: float = 0.95
    answer_floor: float = 0.80
    max_age: float = 7.0

    def as_dict(self) -> dict[str, Json]:
        return asdict(self)
