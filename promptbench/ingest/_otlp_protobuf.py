"""Traces in OTLP protobuf: one export, as the exporters to object stores write it, or exports with their lengths before
them, as a collector's file exporter writes them. Needs the extra `otlp`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from importlib import import_module
from typing import Any, BinaryIO

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json

_LONGEST = 64 * 1024 * 1024
_LENGTH_BYTES = 4
_CALLS = (b"gen_ai.", b"openinference.", b"llm.")


def is_protobuf(file: Log) -> bool:
    """Return True if the head of a file looks like spans of model calls."""
    start = file.head[_LENGTH_BYTES:] if file.head[:1] == b"\0" else file.head
    # The tags of a message's first two fields; the second is not in any text.
    return start[:1] == b"\n" and b"\x12" in start and any(name in start for name in _CALLS)


def read_exports(file: Log) -> Iterator[tuple[str, Json] | BadRecord]:
    """Yield each export with its location, in the form of OTLP JSON. Raise ValueError without the extra."""
    try:
        parse = import_module("opentelemetry.proto.trace.v1.trace_pb2").TracesData.FromString
        as_dict = import_module("google.protobuf.json_format").MessageToDict
        error = import_module("google.protobuf.message").Error
    except ImportError:
        raise ValueError("it is OTLP in protobuf: pip install 'promptbench-gate[otlp]' reads it") from None
    with file.open() as source:
        for number, content in enumerate(_split(source, framed=file.head[:1] == b"\0"), 1):
            location = f"export {number}"
            if len(content) > _LONGEST:
                yield BadRecord(location, "longer than 64 MB")
                return
            try:
                export = as_dict(parse(content), use_integers_for_enums=True)
            except error:
                yield BadRecord(location, "not traces in OTLP protobuf")
                continue
            yield location, _with_hex_ids(export)


def _split(source: BinaryIO, *, framed: bool) -> Iterator[bytes]:
    """Yield the bytes of each export, of one that is too long only the beginning."""
    if not framed:
        yield source.read(_LONGEST + 1)
        return
    while length := source.read(_LENGTH_BYTES):
        yield source.read(min(int.from_bytes(length, "big"), _LONGEST + 1))


def _with_hex_ids(export: Any) -> Json:
    """Return an export whose ids are as in OTLP JSON, where all other bytes are in base64."""
    groups = (group for resource in export.get("resourceSpans", ()) for group in resource.get("scopeSpans", ()))
    for span in (span for group in groups for span in group.get("spans", ())):
        span |= {key: b64decode(span[key]).hex() for key in ("traceId", "spanId", "parentSpanId") if key in span}
    return export
