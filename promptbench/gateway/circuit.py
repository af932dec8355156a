"""Gives a model up when it is clear that no further request will be answered."""

from __future__ import annotations

from promptbench.core.errors import EnvironmentFailure
from promptbench.core.types import FailureKind, ProviderFailure

GIVE_UP_AFTER = 5
"""Requests in a row that failed after all retries."""


class ModelDown(EnvironmentFailure):
    """The model has been given up in this process; `reason` is the failure that decided it."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"{model} is given up: {reason}")
        self.model = model
        self.reason = reason


class Circuit:
    """The state of one model. It opens once and stays open: a run without this model is resumed later."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.proven = False
        """Whether the model has ever answered."""
        self.reason: str | None = None
        self._failures_in_a_row = 0

    def check(self) -> None:
        """Raises ModelDown when the model is given up."""
        if self.reason is not None:
            raise ModelDown(self.model, self.reason)

    def answered(self) -> None:
        self.proven = True
        self._failures_in_a_row = 0

    def failed(self, failure: ProviderFailure, *, hopeless: bool) -> None:
        """Takes note of a request that stays without answer. A rejected request says nothing about the model."""
        if failure.kind is FailureKind.REJECTED:
            return
        self._failures_in_a_row += 1
        if hopeless or self._failures_in_a_row >= GIVE_UP_AFTER:
            self.reason = self.reason or failure.message
