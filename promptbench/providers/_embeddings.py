"""OpenAI's Embeddings: the numbers that stand for a text. Many other servers offer the same API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from promptbench.core.types import Answer, Json, Request, Usage
from promptbench.providers import _chat, _events


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The API Embeddings. The answer's text is the embedding as a JSON list."""

    dialect: _chat.Dialect = field(default_factory=lambda: _chat.Dialect({}))
    path: str = "/embeddings"
    streamed: Mapping[str, Json] = field(default_factory=dict)

    def unenforced(self, schema: Mapping[str, Json]) -> str | None:
        return None

    def body(self, name: str, request: Request, schema: Mapping[str, Json] | None) -> dict[str, Json]:
        return {"model": name, "input": request.messages[0].content, "encoding_format": "float"}

    def read(self, data: Json, *, params: Mapping[str, Json], structured: bool) -> Answer:
        items = data.get("data") if isinstance(data, dict) else None
        first = items[0] if isinstance(items, list) and items else None
        vector = first.get("embedding") if isinstance(first, dict) else None
        if not isinstance(vector, list):
            raise _chat.NotACompletion("JSON that is not an embedding")
        usage = data.get("usage")
        tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        return Answer(
            text=json.dumps(vector, separators=(",", ":")),
            model=str(data.get("model") or ""),
            params=params,
            usage=Usage(tokens, 0) if isinstance(tokens, int) else None,
        )

    def joined(self, events: Sequence[_events.StreamEvent]) -> _events.Whole:
        raise _events.BrokenStream("a stream instead of an embedding")


EMBEDDINGS = Embeddings()
