"""Estimates of the tokens of a call, before it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from promptbench.core.types import Json, Message, Usage

# A rule of thumb for English; other languages and JSON need more tokens.
CHARACTERS_PER_TOKEN = 4
# Tokens of an answer without a limit in the prompt's config.
ASSUMED_OUTPUT = 500


def estimate(messages: Iterable[Message], params: Mapping[str, Json], tools: Sequence[Json] = ()) -> Usage:
    """Return input tokens as characters / 4, and output tokens as the limit of the prompt's config, else 500."""
    characters = sum(len(message.content) for message in messages) + sum(len(json.dumps(tool)) for tool in tools)
    bound = params.get("maxOutputTokens")
    return Usage(-(-characters // CHARACTERS_PER_TOKEN), bound if isinstance(bound, int) else ASSUMED_OUTPUT)
