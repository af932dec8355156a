"""Estimates of the tokens of a call, before it is sent."""

import json
from collections.abc import Iterable, Mapping, Sequence

from promptbench.core.files import FileValue
from promptbench.core.types import Json, Message, Usage

# A rule of thumb for English; other languages and JSON need more tokens.
CHARACTERS_PER_TOKEN = 4
# Tokens of an answer without a limit in the prompt's config.
ASSUMED_OUTPUT = 500
# Tokens of an image or PDF. What it takes is not known before the call: it depends on its pixels or pages, and on a
# formula of each model family. This is about the most that Anthropic counts for one image; a PDF has pages of them.
ASSUMED_FILE = 1_600


def estimate(messages: Iterable[Message], params: Mapping[str, Json], tools: Sequence[Json] = ()) -> Usage:
    """Return input tokens as characters / 4 and 1,600 a file, and output tokens as the prompt's limit, else 500."""
    listed = list(messages)
    characters = sum(len(message.content) for message in listed) + sum(len(json.dumps(tool)) for tool in tools)
    files = sum(isinstance(part, FileValue) for message in listed for part in message.parts)
    bound = params.get("maxOutputTokens")
    tokens = -(-characters // CHARACTERS_PER_TOKEN) + files * ASSUMED_FILE
    return Usage(tokens, bound if isinstance(bound, int) else ASSUMED_OUTPUT)
