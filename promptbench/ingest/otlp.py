"""OpenTelemetry traces of model calls in OTLP JSON, as a collector's file exporter writes them: one export per line; or
in protobuf, with the extra `otlp`.

Both vocabularies are supported: OpenTelemetry's own (`gen_ai.*`) and OpenInference (Phoenix, Arize). Other spans are
skipped. The name, version and variables of the prompt are kept (`gen_ai.prompt.*`, `llm.prompt_template.*`). Integers
are texts here, messages are JSON in a text or nested attributes, and input tokens include cached ones. Older messages
in span events are supported too, and calls exported as log records (the event
`gen_ai.client.inference.operation.details`). An event `gen_ai.evaluation.result` is the source's verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, FailureTier, Json, LoggedCall
from promptbench.ingest._bodies import ResponseBody, read_response, read_usage
from promptbench.ingest._chat import Conversation, read_conversation
from promptbench.ingest._fields import (
    as_count,
    as_iso_time,
    as_list,
    as_nonblank,
    as_number,
    as_object,
    as_tags,
    as_text,
    decode_embedded,
    join_nonblank,
    milliseconds_between,
    omit_fields,
)
from promptbench.ingest._otlp_protobuf import is_protobuf, read_exports
from promptbench.ingest._tiers import classify_failure, find_low_score
from promptbench.plugins import LogFormatSpec

_KINDS = ("resourceSpans", "resourceLogs")
_DEPTH = 64
_VARIABLE = "gen_ai.prompt.variable."
_PARAM = "gen_ai.request."
_CALLS = ("chat", "text_completion", "generate_content")
# The outer spans of Vercel's AI SDK: each holds a span `….doGenerate` or `….doStream` for each call that it makes.
_WRAPPER = re.compile(r"ai\.(generate|stream)(Text|Object)")
_EVENT_ROLES = {"gen_ai.system.message": "system", "gen_ai.user.message": "user",
                "gen_ai.assistant.message": "assistant", "gen_ai.tool.message": "tool"}  # fmt: skip
# OpenInference has one flattened key for each field of each message.
_INDEXED = re.compile(r"llm\.(input|output)_messages\.(\d{1,6})\.message\.(.+)", re.DOTALL)
_CALL = re.compile(r"tool_calls\.(\d{1,6})\.tool_call\.(id|function\.name|function\.arguments)")
_PART = re.compile(r"contents\.(\d{1,6})\.message_content\.(.+)", re.DOTALL)
# Attributes, or prefixes of their names, that a field of a logged call takes.
_PLACED = (
    _VARIABLE, _PARAM, "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.usage.",
    "gen_ai.response.", "gen_ai.provider.name", "gen_ai.system", "gen_ai.prompt.name", "gen_ai.prompt.version",
    "gen_ai.operation.name", "gen_ai.tool.definitions", "llm.input_messages.", "llm.output_messages.",
    "llm.model_name", "llm.provider", "llm.token_count.", "llm.prompt_template.", "llm.invocation_parameters",
    "llm.tools.", "llm.cost.total", "input.value", "input.mime_type", "output.value", "output.mime_type",
    "openinference.span.kind", "error.type", "tag.tags", "ai.prompt", "ai.response.",
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
        for resource, scope, span in _spans(resources):
            call = build_span_call(read_attributes(span.get("attributes")), resource, scope, span, location)
            if call is not None:
                yield call


def _resources(value: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """Yield the resources of an export. In one large document, each record is a resource itself."""
    if {"scopeSpans", "scopeLogs"} & value.keys():
        yield value
    for kind in _KINDS:
        yield from map(as_object, as_list(value.get(kind)))


def _spans(resources: list[dict[str, Json]]) -> Iterator[tuple[dict[str, Json], dict[str, Json], dict[str, Json]]]:
    """Yield resource, scope and span for each span. A log record counts as a span without an end."""
    for resource in resources:
        about = read_attributes(as_object(resource.get("resource")).get("attributes"))
        for group in map(as_object, [*as_list(resource.get("scopeSpans")), *as_list(resource.get("scopeLogs"))]):
            for span in map(as_object, as_list(group.get("spans"))):
                yield about, as_object(group.get("scope")), span
            for entry in map(as_object, as_list(group.get("logRecords"))):
                started = entry.get("timeUnixNano") or entry.get("observedTimeUnixNano")
                yield about, as_object(group.get("scope")), {"startTimeUnixNano": started, **entry}


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


def build_span_call(
    found: dict[str, Json], resource: dict[str, Json], scope: dict[str, Json], span: dict[str, Json], location: str
) -> LoggedCall | None:
    """Return the call in a span with these attributes; None for another span."""
    if as_text(found.get("openinference.span.kind")) == "LLM":
        sent, reply = _openinference(found)
    elif _is_model_call(found):
        sent, reply = _gen_ai(found, span)
    else:
        return None
    error = _read_error(found, span)
    reason = (
        next((as_text(reason) for reason in as_list(found.get("gen_ai.response.finish_reasons"))), None)
        or reply.finish_reason
    )
    failed, tier = classify_failure(error=error, finish_reason=reason, refusal=reply.refusal, verdict=_verdict(span))
    if error is not None and reply.answer:
        # There is an answer, so a later step failed, or the end of the stream.
        tier = FailureTier.CONTENT
    start, end = as_count(span.get("startTimeUnixNano")), as_count(span.get("endTimeUnixNano"))
    return LoggedCall(
        id=as_nonblank(span.get("spanId")) or location,
        answer=reply.answer,
        model=reply.model,
        time=as_iso_time(start),
        variables=_variables(found),
        messages=sent.messages,
        prompt=as_text(found.get("gen_ai.prompt.name") or found.get("llm.prompt_template.name")),
        prompt_version=as_text(found.get("gen_ai.prompt.version") or found.get("llm.prompt_template.version")),
        error=error,
        finish_reason=reason,
        usage=reply.usage,
        latency_ms=milliseconds_between(start, end),
        failed=failed,
        tags=as_tags(found.get("tag.tags")),
        extra={**_collect_extra(found, resource, scope, span), **sent.extra, **reply.extra},
        tier=tier,
        format="otlp",
        cost=as_number(found.get("llm.cost.total")),
        raw={"resource": resource, "scope": scope, "span": span},
    )


def _is_model_call(found: Mapping[str, Json]) -> bool:
    operation = as_text(found.get("gen_ai.operation.name"))
    if _WRAPPER.fullmatch(as_text(found.get("ai.operationId")) or ""):
        return False
    return operation in _CALLS or (operation is None and "gen_ai.request.model" in found)


def _gen_ai(found: Mapping[str, Json], span: Mapping[str, Json]) -> tuple[Conversation, ResponseBody]:
    events = [(as_text(event.get("name")) or "", read_attributes(event.get("attributes"))) for event in _events(span)]
    sent_messages, answered = found.get("gen_ai.input.messages"), found.get("gen_ai.output.messages")
    for _, about in events:  # the same attributes may be on an event instead of the span
        sent_messages, answered = (
            sent_messages or about.get("gen_ai.input.messages"),
            answered or about.get("gen_ai.output.messages"),
        )
    older = [
        {**about, "role": about.get("role") or _EVENT_ROLES[name]} for name, about in events if name in _EVENT_ROLES
    ]
    choices = [about for name, about in events if name == "gen_ai.choice"]
    sent_messages = sent_messages or found.get("ai.prompt.messages")
    sent = read_conversation(sent_messages or older, system=decode_embedded(found.get("gen_ai.system_instructions")))
    message = as_object(next(iter(as_list(answered)), None))
    if not message and choices:
        message = as_object(choices[0].get("message")) or as_object(choices[0])
    if not message and "ai.operationId" in found:
        message = {
            "content": as_text(found.get("ai.response.text") or found.get("ai.response.object")),
            "tool_calls": as_list(found.get("ai.response.toolCalls")),
            "finish_reason": found.get("ai.response.finishReason"),
        }
    reply = read_response(message)
    usage = read_usage(
        {
            "prompt_tokens": found.get("gen_ai.usage.input_tokens", found.get("gen_ai.usage.prompt_tokens")),
            "completion_tokens": found.get("gen_ai.usage.output_tokens", found.get("gen_ai.usage.completion_tokens")),
            "prompt_tokens_details": {"cached_tokens": found.get("gen_ai.usage.cache_read.input_tokens")},
            "completion_tokens_details": {"reasoning_tokens": found.get("gen_ai.usage.reasoning.output_tokens")},
        }
    )
    model = as_text(found.get("gen_ai.response.model")) or as_text(found.get("gen_ai.request.model")) or ""
    return sent, ResponseBody(reply.answer, model, reply.finish_reason, reply.refusal, usage, reply.extra)


def _openinference(found: Mapping[str, Json]) -> tuple[Conversation, ResponseBody]:
    sent = read_conversation(_read_messages(found, "input") or _read_input_value(found))
    whole = read_response(found.get("output.value"))
    answered = _read_messages(found, "output")
    reply = read_response(answered[0]) if answered else whole
    answer = reply.answer if answered or whole.answer is not None else as_text(found.get("output.value"))
    model = as_text(found.get("llm.model_name")) or whole.model
    usage = read_usage(_read_token_counts(found)) or whole.usage
    reason = reply.finish_reason or whole.finish_reason
    return sent, ResponseBody(answer, whole.model or model, reason, reply.refusal or whole.refusal, usage, reply.extra)


def _variables(found: Mapping[str, Json]) -> dict[str, Json] | None:
    own = {key.removeprefix(_VARIABLE): value for key, value in found.items() if key.startswith(_VARIABLE)}
    return own or _read_variables(found)


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


def _verdict(span: Mapping[str, Json]) -> str | None:
    scores: list[tuple[str, Json]] = []
    for event in _events(span):
        if event.get("name") == "gen_ai.evaluation.result":
            about = read_attributes(event.get("attributes"))
            value = about.get("gen_ai.evaluation.score.value", about.get("gen_ai.evaluation.score.label"))
            scores.append((as_text(about.get("gen_ai.evaluation.name")) or "evaluation", value))
    return find_low_score(scores)


def _events(span: Mapping[str, Json]) -> list[dict[str, Json]]:
    return [event for event in as_list(span.get("events")) if isinstance(event, dict)]


def _collect_extra(
    found: Mapping[str, Json], resource: Mapping[str, Json], scope: Mapping[str, Json], span: Mapping[str, Json]
) -> dict[str, Json]:
    """Return what no field of a logged call takes: parameters, tools, the template, ids, and foreign attributes."""
    params = {key.removeprefix(_PARAM): value for key, value in found.items() if key.startswith(_PARAM)}
    params.pop("model", None)
    kept = {
        "params": params or as_object(found.get("llm.invocation_parameters")),
        "tools": as_list(found.get("gen_ai.tool.definitions")) or _read_tools(found),
        "provider": as_text(
            found.get("gen_ai.provider.name") or found.get("gen_ai.system") or found.get("llm.provider")
        ),
        "response_id": as_text(found.get("gen_ai.response.id")),
        "template": as_text(found.get("llm.prompt_template.template")),
        "conversation_id": as_text(found.get("gen_ai.conversation.id")),
        "trace_id": as_text(span.get("traceId")),
        "span": as_text(span.get("name")),
        "scope": as_text(scope.get("name")),
        "resource": dict(resource),
        "attributes": {key: value for key, value in found.items() if not key.startswith(_PLACED)},
    }
    return omit_fields(kept)


def _read_messages(attributes: Mapping[str, Json], side: str) -> list[Json]:
    """Return the messages of one side (`input` or `output`), in OpenAI's form."""
    found: dict[int, dict[str, Json]] = {}
    for key, value in attributes.items():
        matched = _INDEXED.fullmatch(key)
        if matched and matched[1] == side:
            role = "user" if side == "input" else "assistant"
            _assign(found.setdefault(int(matched[2]), {"role": role}), matched[3], value)
    return [_message(found[index]) for index in sorted(found)]


def _assign(message: dict[str, Json], field: str, value: Json) -> None:
    if call := _CALL.fullmatch(field):
        message.setdefault("calls", {}).setdefault(int(call[1]), {})[call[2].removeprefix("function.")] = value
    elif part := _PART.fullmatch(field):
        message.setdefault("parts", {}).setdefault(int(part[1]), {})[part[2]] = value
    elif field in ("role", "content", "name", "finish_reason"):
        message[field] = value


def _message(fields: dict[str, Json]) -> dict[str, Json]:
    calls, parts = fields.pop("calls", {}), fields.pop("parts", {})
    if calls:
        fields["tool_calls"] = [
            {"id": call.get("id"), "function": {key: call[key] for key in ("name", "arguments") if key in call}}
            for _, call in sorted(calls.items())
        ]
    if parts:
        kinds = [(as_text(part.get("type")) or "text", part.get("text", "")) for _, part in sorted(parts.items())]
        fields["content"] = [{"type": kind, **({"text": text} if kind == "text" else {})} for kind, text in kinds]
    return fields


def _read_token_counts(attributes: Mapping[str, Json]) -> dict[str, Json]:
    """Return the token counts in OpenAI's form."""
    return {
        "prompt_tokens": attributes.get("llm.token_count.prompt"),
        "completion_tokens": attributes.get("llm.token_count.completion"),
        "prompt_tokens_details": {"cached_tokens": attributes.get("llm.token_count.prompt_details.cache_read")},
        "completion_tokens_details": {
            "reasoning_tokens": attributes.get("llm.token_count.completion_details.reasoning")
        },
    }


def _read_variables(attributes: Mapping[str, Json]) -> dict[str, Json] | None:
    """Return the variables of the prompt template, which are logged as JSON."""
    found = decode_embedded(attributes.get("llm.prompt_template.variables"))
    return found if isinstance(found, dict) and found else None


def _read_tools(attributes: Mapping[str, Json]) -> list[Json]:
    """Return the available tools, in order."""
    found = {key: value for key, value in attributes.items() if key.startswith("llm.tools.")}
    return [decode_embedded(found[key]) for key in sorted(found, key=lambda key: as_count(key.split(".")[2]) or 0)]


def _read_input_value(attributes: Mapping[str, Json]) -> Json:
    """Return the messages in `input.value`, for spans without flattened ones: a request's messages, or a text."""
    body = as_object(attributes.get("input.value"))
    return as_list(body.get("messages")) or attributes.get("input.value")


SPEC = LogFormatSpec(matches=matches, read=read, specificity=80)
