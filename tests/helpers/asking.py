"""Requests and contexts as the engine makes them, for tests of providers and of the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptbench.core.protocols import ProviderContext, Recordings
from promptbench.core.types import Message, ModelRef, Request


def ask_for(
    model: str,
    text: str = "hello",
    *,
    system: str | None = None,
    params: Mapping[str, Any] | None = None,
    schema: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    repeat: int = 0,
) -> Request:
    first = (Message("system", system),) if system else ()
    return Request(
        ModelRef.parse(model), (*first, Message("user", text)), params or {}, schema, variables or {}, repeat
    )


def context(
    root: Path = Path(),
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    allowed: Sequence[str] = (),
    recordings: Recordings | None = None,
) -> ProviderContext:
    return ProviderContext(root, folder or root, environ or {}, options or {}, allowed, recordings)
