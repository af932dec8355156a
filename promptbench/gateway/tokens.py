"""How many tokens a request may take, before anybody has counted them."""

from __future__ import annotations

import math

from promptbench.core.types import Request, Usage

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English; other languages and JSON take more tokens."""
ASSUMED_OUTPUT = 500
"""Tokens of an answer whose length the prompt's config does not bound."""
_UNSEEN = 2.0
_MARGIN = 1.1


def estimate(request: Request) -> Usage:
    """Tokens in as characters / 4; tokens out as many as the prompt's config allows, else 500."""
    characters = sum(len(message.content) for message in request.messages)
    bound = request.params.get("maxOutputTokens")
    return Usage(-(-characters // CHARACTERS_PER_TOKEN), bound if isinstance(bound, int) else ASSUMED_OUTPUT)


class Forecast:
    """The most tokens to expect of one model: twice the estimate at first, later what its answers teach."""

    def __init__(self) -> None:
        self._tokens_per_estimated: float | None = None
        self._longest = 0

    def expect(self, request: Request) -> Usage:
        """No less than the estimate."""
        usage = estimate(request)
        factor = _UNSEEN if self._tokens_per_estimated is None else max(1.0, self._tokens_per_estimated * _MARGIN)
        output = usage.output_tokens
        if "maxOutputTokens" not in request.params:
            output = max(output, math.ceil(self._longest * _MARGIN))
        return Usage(math.ceil(usage.input_tokens * factor), output)

    def learn(self, request: Request, usage: Usage) -> None:
        """Takes note of what a request did take."""
        ratio = usage.input_tokens / max(1, estimate(request).input_tokens)
        self._tokens_per_estimated = max(self._tokens_per_estimated or 0.0, ratio)
        self._longest = max(self._longest, usage.output_tokens)
