"""Logs of inspect_ai: `.json`, and `.eval`, which is a ZIP archive with one JSON file a sample.

A sample is a call: its messages without the last answer, the target as the expected answer, and the model of the
evaluation. A score of I, 0 or below 0.5 is the source's verdict. Archives that are compressed with zstd, as they are by
default, need Python 3.14 or the extra `zstd`.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest._fields import as_count, as_list, as_object, as_text, omit_fields
from promptbench.ingest._records import RecordMap, read_records
from promptbench.ingest._sheets import seekable
from promptbench.parsing import _strict
from promptbench.plugins import LogFormatSpec

_MAGIC = b"PK\x03\x04"
_MAX_SAMPLE = 64 * 1024 * 1024
# What happened inside a sample, which is no part of a call.
_BULK = {"events", "events_data", "attachments", "store", "timelines"}


def _prepare(data: dict[str, Json]) -> dict[str, Json]:
    messages = as_list(data.get("messages"))
    answers = [number for number, item in enumerate(messages) if as_object(item).get("role") == "assistant"]
    target, used = data.get("target"), as_object(as_object(data.get("output")).get("usage"))
    targets = target if isinstance(target, list) else [target]
    total, came = as_count(used.get("total_tokens")), as_count(used.get("output_tokens"))
    return {
        "uuid": f"{as_text(data.get('id')) or 'sample'}#{as_text(data.get('epoch')) or 1}",
        **data,
        "marks": {name: as_object(score).get("value") for name, score in as_object(data.get("scores")).items()},
        "asked": messages[: answers[-1]] if answers else messages,
        # Of several targets, each is right.
        "only_target": targets[0] if len(targets) == 1 else None,
        "targets": targets if len(targets) > 1 else None,
        # Versions differ in whether the tokens of the input include those of the cache. The total always does.
        "sent": total - came if total and came is not None else None,
    }


_MAP = RecordMap(
    name="inspect_ai",
    keys=frozenset({"id", "input", "output"}),
    fields={
        "id": "uuid",
        "time": "started_at",
        "model": "output.model | model",
        "request": "asked | input",
        "response": "output.choices.0.message | output.completion",
        "finish_reason": "output.choices.0.stop_reason",
        "error": "error.message | output.error | error",
        "input_tokens": "sent | output.usage.input_tokens",
        "output_tokens": "output.usage.output_tokens",
        "cached_tokens": "output.usage.input_tokens_cache_read",
        "latency_s": "output.time",
        "expected": "only_target",
        "scores": "marks",
        "target": "targets",
    },
    prepare=_prepare,
    placed=frozenset({"messages", "target"}),
    absent="it has no request or no response",
)


def matches(file: Log) -> bool:
    """Return True for a log, or an archive that begins with one of its files."""
    is_archive = file.head.startswith(_MAGIC) and file.head[30:].startswith((b"_journal/", b"header.json", b"samples/"))
    return is_archive or file.document_keys >= {"eval", "status", "version"}


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """Yield the samples."""
    records = _read_archive(file) if file.head.startswith(_MAGIC) else file.records(("samples",))
    yield from read_records(records, lambda data, location: _MAP.build(omit_fields(data, _BULK), location))


def _read_archive(file: Log) -> Iterator[tuple[str, Json] | BadRecord]:
    zipfile = _zip_module()
    try:
        with seekable(file) as source, zipfile.ZipFile(source) as archive:
            for item in archive.infolist():
                if not item.filename.startswith("samples/"):
                    continue
                if item.file_size > _MAX_SAMPLE:
                    yield BadRecord(item.filename, "longer than 64 MB")
                    continue
                text = archive.read(item).decode("utf-8", "replace")
                value = _strict.parse(text)
                yield BadRecord(item.filename, "not JSON") if value is _strict.MISSING else (item.filename, value)
    except NotImplementedError:
        raise ValueError("the archive is compressed with zstd: pip install 'promptbench-gate[zstd]' reads it") from None
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"the archive is damaged: {error}") from None


def _zip_module() -> Any:
    try:
        return import_module("backports.zstd.zipfile")
    except ImportError:
        return import_module("zipfile")


SPEC = LogFormatSpec(matches=matches, read=read, specificity=70)
