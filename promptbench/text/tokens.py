"""How many tokens a question and its answer may take, before anybody has counted them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from promptbench.core.types import Json, Message, Usage

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English; other languages and JSON take more tokens."""
ASSUMED_OUTPUT = 500
"""Tokens of an answer whose length the prompt's config does not bound."""


def estimate(messages: Iterable[Message], params: Mapping[str, Json]) -> Usage:
    """Tokens in as characters / 4; tokens out as many as the prompt's config allows, else 500."""
    characters = sum(len(message.content) for message in messages)
    bound = params.get("maxOutputTokens")
    return Usage(-(-characters // CHARACTERS_PER_TOKEN), bound if isinstance(bound, int) else ASSUMED_OUTPUT)
