"""OpenTelemetry traces of model calls in OTLP JSON, as a collector's file exporter writes them: one export per line; or
in protobuf, with the extra `otlp`.

Both vocabularies are supported: OpenTelemetry's own (`gen_ai.*`) and OpenInference (Phoenix, Arize). Other spans are
skipped. The name, version and variables of the prompt are kept (`gen_ai.prompt.*`, `llm.prompt_template.*`). Integers
are texts here, messages are JSON in a text or nested attributes, and input tokens include cached ones. Older messages
in span events are supported too, and calls exported as log records (the event
`gen_ai.client.inference.operation.details`). An event `gen_ai.evaluation.result` is the source's verdict.
"""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, BinaryIO

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest._bodies import read_response
from promptbench.ingest._chat import is_conversation, is_message
from promptbench.ingest._fields import (
    as_list,
    as_nonblank,
    as_number,
    as_object,
    as_text,
    decode_embedded,
    find_low_score,
    join_nonblank,
    parse_truth,
    to_text,
)
from promptbench.ingest._records import RecordMap, find_value
from promptbench.plugins import LogFormatSpec

_KINDS = ("resourceSpans", "resourceLogs")
_DEPTH = 64
_VARIABLE = "gen_ai.prompt.variable."
_PARAMS = ("gen_ai.request.", "promptbench.request.")
_CALLS = ("chat", "text_completion", "generate_content")
# The outer spans of Vercel's AI SDK: each holds a span `….doGenerate` or `….doStream` for each call that it makes.
_WRAPPER = re.compile(r"ai\.(generate|stream)(Text|Object)")
_EVENT_ROLES = {"gen_ai.system.message": "system", "gen_ai.user.message": "user",
                "gen_ai.assistant.message": "assistant", "gen_ai.tool.message": "tool"}  # fmt: skip
# Attributes, or prefixes of their names, that a field of a logged call takes.
_PLACED = (
    _VARIABLE, *_PARAMS, "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
    "gen_ai.usage.", "gen_ai.response.", "gen_ai.provider.name", "gen_ai.system", "gen_ai.prompt.name",
    "gen_ai.prompt.version", "gen_ai.operation.name", "gen_ai.tool.definitions", "llm.input_messages",
    "llm.output_messages", "llm.model_name", "llm.provider", "llm.token_count", "llm.prompt_template",
    "llm.invocation_parameters", "llm.tools", "llm.cost", "input.value", "input.mime_type", "output.value",
    "output.mime_type", "openinference.span.kind", "error.type", "tag.tags", "ai.prompt", "ai.response.",
)  # fmt: skip


def matches(file: Log) -> bool:
    """Return True if the file has spans in OTLP, or log records of model calls."""
    keys = file.document_keys | (file.first_record or {}).keys()
    return is_protobuf(file) or "resourceSpans" in keys or ("resourceLogs" in keys and b"gen_ai." in file.head)


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """Yield the model calls among the spans and log records."""
    kind = next((kind for kind in _KINDS if kind in file.document_keys), None)
    for found in read_exports(file) if is_protobuf(file) else file.records((kind,) if kind else ()):
        if isinstance(found, BadRecord):
            yield found
            continue
        location, value = found
        resources = list(_resources(as_object(value)))
        if not resources:
            yield BadRecord(location, "it has no 'resourceSpans'")
        for record in _spans(resources):
            if call := build_span_call(read_attributes(record["span"].get("attributes")), record, location):
                yield call


def _resources(value: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """Yield the resources of an export. In one large document, each record is a resource itself."""
    if {"scopeSpans", "scopeLogs"} & value.keys():
        yield value
    for kind in _KINDS:
        yield from map(as_object, as_list(value.get(kind)))


def _spans(resources: list[dict[str, Json]]) -> Iterator[dict[str, Json]]:
    """Yield each span with its resource and scope. A log record counts as a span without an end."""
    for resource in resources:
        about = read_attributes(as_object(resource.get("resource")).get("attributes"))
        for group in map(as_object, [*as_list(resource.get("scopeSpans")), *as_list(resource.get("scopeLogs"))]):
            for span in map(as_object, as_list(group.get("spans"))):
                yield {"resource": about, "scope": as_object(group.get("scope")), "span": span}
            for entry in map(as_object, as_list(group.get("logRecords"))):
                started = {"startTimeUnixNano": entry.get("timeUnixNano") or entry.get("observedTimeUnixNano")}
                yield {"resource": about, "scope": as_object(group.get("scope")), "span": {**started, **entry}}


def read_attributes(value: Json) -> dict[str, Json]:
    """Return a list of attributes as an object."""
    pairs = (item for item in as_list(value) if isinstance(item, dict) and isinstance(item.get("key"), str))
    return {item["key"]: _read_value(item.get("value"), _DEPTH) for item in pairs}


def _read_value(value: Json, depth: int) -> Json:
    if not isinstance(value, dict) or not depth:
        return None if isinstance(value, dict) else value
    if "intValue" in value:
        found = as_number(value["intValue"])
        return int(found) if found is not None else None
    for key in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
        if key in value:
            return value[key]
    if "arrayValue" in value:
        return [_read_value(item, depth - 1) for item in as_list(as_object(value["arrayValue"]).get("values"))]
    pairs = as_list(as_object(value.get("kvlistValue")).get("values"))
    return {str(pair.get("key")): _read_value(pair.get("value"), depth - 1) for pair in pairs if isinstance(pair, dict)}


# `a` are the attributes, nested by the dots in their names, in both vocabularies.
_MAP = RecordMap(
    name="otlp",
    keys=frozenset({"span"}),
    fields={
        "id": "span.spanId",
        "time": "span.startTimeUnixNano",
        "end": "span.endTimeUnixNano",
        "request": "sent",
        "response": "came",
        "model": "whole.model | whole.modelVersion | a.llm.model_name | "
        "a.gen_ai.response.model | a.gen_ai.request.model",
        "variables": "own | a.llm.prompt_template.variables",
        "prompt": "a.gen_ai.prompt.name | a.llm.prompt_template.name",
        "prompt_version": "a.gen_ai.prompt.version | a.llm.prompt_template.version",
        "error": "failed",
        "verdict": "verdict",
        "finish_reason": "a.gen_ai.response.finish_reasons.0 | finish",
        "input_tokens": "a.llm.token_count.prompt | a.gen_ai.usage.input_tokens | a.gen_ai.usage.prompt_tokens",
        "output_tokens": "a.llm.token_count.completion | a.gen_ai.usage.output_tokens | "
        "a.gen_ai.usage.completion_tokens",
        "cached_tokens": "a.llm.token_count.prompt_details.cache_read | a.gen_ai.usage.cache_read.input_tokens",
        "reasoning_tokens": "a.llm.token_count.completion_details.reasoning | a.gen_ai.usage.reasoning.output_tokens",
        "usage": "whole.usage | whole.usageMetadata",
        "tags": "a.tag.tags",
        "cost": "a.llm.cost.total",
        "params": "params | a.llm.invocation_parameters",
        "tools": "a.gen_ai.tool.definitions | tools",
        "provider": "a.gen_ai.provider.name | a.gen_ai.system | a.llm.provider",
        "response_id": "a.gen_ai.response.id",
        "template": "a.llm.prompt_template.template",
        "conversation_id": "a.gen_ai.conversation.id",
        "attributes": "others",
        "trace_id": "span.traceId",
        "span": "span.name",
        "scope": "scope.name",
        "resource": "resource",
    },
)


def build_span_call(found: dict[str, Json], record: dict[str, Json], location: str) -> LoggedCall | None:
    """Return the call in a record of a `span` with these attributes; None for another kind of span.

    The record may also have the span's `resource` and `scope`.
    """
    span, nested = record["span"], _nest(found)
    if as_text(found.get("openinference.span.kind")) == "LLM":
        values = _openinference(nested)
    elif _is_model_call(found):
        values = _gen_ai(found, span)
    else:
        return None
    own = {key.removeprefix(_VARIABLE): value for key, value in found.items() if key.startswith(_VARIABLE)}
    params = {key.partition(".request.")[2]: value for key, value in found.items() if key.startswith(_PARAMS)}
    params.pop("model", None)
    others = {key: value for key, value in found.items() if not key.startswith(_PLACED)}
    values |= {"failed": _read_error(found, span), "verdict": _verdict(found, span), "others": others}
    return _MAP.build(record, location, {**values, "a": nested, "own": own, "params": params})


def _nest(found: Mapping[str, Json]) -> dict[str, Json]:
    """Return attributes nested by the dots in their names; of one that is the start of another, the longer counts."""
    nested: dict[str, Json] = {}
    for name in sorted(found):
        *above, last = name.split(".")
        place = nested
        for step in above:
            inner = place.get(step)
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = inner
        place[last] = found[name]
    return nested


def _is_model_call(found: Mapping[str, Json]) -> bool:
    operation = as_text(found.get("gen_ai.operation.name"))
    if _WRAPPER.fullmatch(as_text(found.get("ai.operationId")) or ""):
        return False
    # In promptbench's own traces an attempt is a call, and the spans of its steps are parts of it.
    if operation in _CALLS or (operation is None and "gen_ai.request.model" in found):
        return "promptbench.step" not in found
    return "promptbench.outcome" in found


def _gen_ai(found: Mapping[str, Json], span: Mapping[str, Json]) -> dict[str, Json]:
    """Return `sent` and `came` from the attributes, which may be on an event instead of the span, or older events."""
    events = [(as_text(event.get("name")) or "", read_attributes(event.get("attributes"))) for event in _events(span)]
    sent, answered = (
        next((about[name] for about in (found, *(about for _, about in events)) if about.get(name)), None)
        for name in ("gen_ai.input.messages", "gen_ai.output.messages")
    )
    older = [
        {**about, "role": about.get("role") or _EVENT_ROLES[name]} for name, about in events if name in _EVENT_ROLES
    ]
    choices = [as_object(about.get("message")) or about for name, about in events if name == "gen_ai.choice"]
    came = as_object(next(iter([*as_list(answered), *choices]), None))
    if not came and "ai.operationId" in found:
        came = {
            "content": as_text(found.get("ai.response.text") or found.get("ai.response.object")),
            "tool_calls": as_list(found.get("ai.response.toolCalls")),
            "finish_reason": found.get("ai.response.finishReason"),
        }
    system = decode_embedded(found.get("gen_ai.system_instructions"))
    messages = _as_messages(sent or found.get("ai.prompt.messages") or older)
    return {"sent": [*([{"role": "system", "content": system}] if system else []), *messages], "came": came or None}


def _openinference(nested: dict[str, Json]) -> dict[str, Json]:
    """Return `sent`, `came`, `tools`, and as `whole` the body of the response if there is one."""
    given, output = (find_value(nested, f"{side}.value") for side in ("input", "output"))
    sent, answered = (_indexed_messages(nested, side) for side in ("input", "output"))
    whole = read_response(output)
    plain = None if output is None else {"role": "assistant", "content": to_text(output)}
    came = answered[0] if answered else plain if whole.answer is None else output
    body = as_object(given).get("messages")
    tools = [
        find_value(_nest(as_object(item)), "tool.json_schema") for item in _in_order(find_value(nested, "llm.tools"))
    ]
    found = {"came": came, "tools": tools, "whole": as_object(output), "finish": whole.finish_reason}
    return {"sent": sent or _as_messages(body or given), **found}


def _as_messages(value: Json) -> list[Json]:
    found = decode_embedded(value)
    if is_conversation(found) or is_message(found):
        return found if isinstance(found, list) else [found]
    return [{"role": "user", "content": to_text(value)}] if value else []


def _indexed_messages(nested: dict[str, Json], side: str) -> list[dict[str, Json]]:
    """Return the messages of one side (`input` or `output`), in OpenAI's form."""
    found = []
    for item in _in_order(find_value(nested, f"llm.{side}_messages")):
        message = {
            "role": "user" if side == "input" else "assistant",
            **as_object(_nest(as_object(item)).get("message")),
        }
        calls = [call.get("tool_call") for call in _in_order(message.pop("tool_calls", None))]
        parts = [part.get("message_content") for part in _in_order(message.pop("contents", None))]
        found.append(message | ({"tool_calls": calls} if calls else {}) | ({"content": parts} if parts else {}))
    return found


def _in_order(value: Json) -> list[dict[str, Json]]:
    """Return the objects in a list, or in an object whose keys are their numbers."""
    found = decode_embedded(value)
    if isinstance(found, dict):
        found = [found[key] for key in sorted((key for key in found if key.isdecimal()), key=int)]
    return [_nest(as_object(item)) for item in as_list(found)]


def _read_error(found: Mapping[str, Json], span: Mapping[str, Json]) -> str | None:
    status = as_object(span.get("status"))
    kind = as_nonblank(found.get("error.type"))
    failed = status.get("code") in (2, "2", "STATUS_CODE_ERROR")
    raised = next((read_attributes(event.get("attributes")) for event in _events(span)
                   if event.get("name") == "exception"), {})  # fmt: skip
    if not (kind or failed or raised) or status.get("code") in (1, "1", "STATUS_CODE_OK"):
        return None  # an exception that was handled is not a failure of a span with status OK
    reason = as_nonblank(status.get("message")) or raised.get("exception.message")
    return join_nonblank(kind or raised.get("exception.type"), reason) or "status error"


def _verdict(found: Mapping[str, Json], span: Mapping[str, Json]) -> str | None:
    """Return the low scores, each as `NAME: WHY` if the source says why, or as `score NAME VALUE`."""
    reasons = []
    # Scores can be low where an attempt of promptbench passed.
    for event in _events(span) if found.get("promptbench.outcome", "failed") == "failed" else ():
        about = read_attributes(event.get("attributes"))
        if event.get("name") != "gen_ai.evaluation.result" or about.get("promptbench.weight") == 0:
            continue
        name = as_text(about.get("gen_ai.evaluation.name")) or "evaluation"
        label, why = (about.get(f"gen_ai.evaluation.{key}") for key in ("score.label", "explanation"))
        low = find_low_score([(name, about.get("gen_ai.evaluation.score.value", label))])
        # A label such as `fail` decides, also where less is better.
        if (passes := parse_truth(label)) is False or (low and passes is None):
            reasons.append(join_nonblank(name, why) if as_nonblank(why) else low or f"score {name} {label}")
    return "; ".join(reasons) or None


def _events(span: Mapping[str, Json]) -> list[dict[str, Json]]:
    return [event for event in as_list(span.get("events")) if isinstance(event, dict)]


SPEC = LogFormatSpec(matches=matches, read=read, specificity=80)


_LONGEST = 64 * 1024 * 1024
_LENGTH_BYTES = 4
_MESSAGES = (b"gen_ai.", b"openinference.", b"llm.")


def is_protobuf(file: Log) -> bool:
    """Return True if the head of a file looks like spans of model calls."""
    start = file.head[_LENGTH_BYTES:] if file.head[:1] == b"\0" else file.head
    # The tags of a message's first two fields; the second is not in any text.
    return start[:1] == b"\n" and b"\x12" in start and any(name in start for name in _MESSAGES)


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
