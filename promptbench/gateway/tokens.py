"""Predict how many tokens a request takes: an estimate at first, later learned from the model's answers."""

import math

from promptbench.core.types import Request, Usage
from promptbench.text import tokens

_UNSEEN = 2.0
_MARGIN = 1.1


def estimate(request: Request) -> Usage:
    """Return the estimate of `text.tokens` for a request."""
    usage = tokens.estimate(request.messages, request.params, request.tools)
    return Usage(usage.input_tokens, 0) if request.embeds else usage


class Forecast:
    """The most tokens to expect from one model: twice the estimate at first, later learned from its answers."""

    def __init__(self) -> None:
        self._tokens_per_estimated: float | None = None
        self._longest = 0

    def expect(self, request: Request) -> Usage:
        """Return the expected usage, at least the estimate."""
        usage = estimate(request)
        factor = _UNSEEN if self._tokens_per_estimated is None else max(1.0, self._tokens_per_estimated * _MARGIN)
        output = usage.output_tokens
        if "maxOutputTokens" not in request.params:
            output = max(output, math.ceil(self._longest * _MARGIN))
        return Usage(math.ceil(usage.input_tokens * factor), output)

    def learn(self, request: Request, usage: Usage) -> None:
        """Record what a request took."""
        self._tokens_per_estimated = max(
            self._tokens_per_estimated or 0.0, usage.input_tokens / max(1, estimate(request).input_tokens)
        )
        self._longest = max(self._longest, usage.output_tokens)
