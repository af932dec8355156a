"""OpenTelemetry's record of model calls as OTLP JSON: what a collector's file exporter writes, an export a line.

Both vocabularies are read: OpenTelemetry's own (`gen_ai.*`) and OpenInference (Phoenix, Arize). Spans of other work are
left out. The name, version and variables of the prompt are kept (`gen_ai.prompt.*`, `llm.prompt_template.*`). Whole
numbers are texts here, messages may be JSON in a text or nested attributes, and the input's tokens include those that
came from a cache. Messages in the older form of span events are read too, and calls that were exported as log records
(the event `gen_ai.client.inference.operation.details`). An event `gen_ai.evaluation.result` is the source's verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, FailureTier, Json, LoggedCall
from promptbench.formats.embedded_json import decoded
from promptbench.ingest import _otlp_openinference as openinference
from promptbench.ingest._bodies import Replied, replied, usage_of
from promptbench.ingest._chat import Conversation, conversation
from promptbench.ingest._fields import between_ms, count, filled, items, moment, number, record, text
from promptbench.ingest._tiers import failure, low_score

specificity = 80
NAME = "otlp"
_KINDS = ("resourceSpans", "resourceLogs")
_DEPTH = 64
_VARIABLE = "gen_ai.prompt.variable."
_PARAM = "gen_ai.request."
_CALLS = ("chat", "text_completion", "generate_content")
_EVENT_ROLES = {"gen_ai.system.message": "system", "gen_ai.user.message": "user",
                "gen_ai.assistant.message": "assistant", "gen_ai.tool.message": "tool"}  # fmt: skip
_HOMES = (
    _VARIABLE, _PARAM, "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.usage.",
    "gen_ai.response.", "gen_ai.provider.name", "gen_ai.system", "gen_ai.prompt.name", "gen_ai.prompt.version",
    "gen_ai.operation.name", "gen_ai.tool.definitions", "llm.input_messages.", "llm.output_messages.",
    "llm.model_name", "llm.provider", "llm.token_count.", "llm.prompt_template.", "llm.invocation_parameters",
    "llm.tools.", "llm.cost.total", "input.value", "input.mime_type", "output.value", "output.mime_type",
    "openinference.span.kind", "error.type", "tag.tags",
)  # fmt: skip
"""Attributes, or the beginnings of their names, that have a place in a logged call."""


def matches(file: Log) -> bool:
    """Whether the file has spans as OTLP writes them, or log records of model calls."""
    keys = file.keys() | (file.sample() or {}).keys()
    return "resourceSpans" in keys or ("resourceLogs" in keys and b"gen_ai." in file.head)


def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
    """The calls of models among the spans and log records."""
    kind = next((kind for kind in _KINDS if kind in file.keys()), None)  # noqa: SIM118 - a method of the file
    for found in file.records((kind,) if kind else ()):
        if isinstance(found, BadRecord):
            yield found
            continue
        place, value = found
        resources = list(_resources(record(value)))
        if not resources:
            yield BadRecord(place, "it has no 'resourceSpans'")
        for resource, scope, span in _spans(resources):
            call = _call(resource, scope, span, place)
            if call is not None:
                yield call


def _resources(value: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """A line is an export of several resources; of one large document each resource comes alone."""
    if {"scopeSpans", "scopeLogs"} & value.keys():
        yield value
    for kind in _KINDS:
        yield from map(record, items(value.get(kind)))


def _spans(resources: list[dict[str, Json]]) -> Iterator[tuple[dict[str, Json], dict[str, Json], dict[str, Json]]]:
    """Resource, scope and each span; a log record as a span without an end."""
    for resource in resources:
        about = attributes(record(resource.get("resource")).get("attributes"))
        for group in map(record, [*items(resource.get("scopeSpans")), *items(resource.get("scopeLogs"))]):
            for span in map(record, items(group.get("spans"))):
                yield about, record(group.get("scope")), span
            for entry in map(record, items(group.get("logRecords"))):
                started = entry.get("timeUnixNano") or entry.get("observedTimeUnixNano")
                yield about, record(group.get("scope")), {"startTimeUnixNano": started, **entry}


def attributes(value: Json) -> dict[str, Json]:
    """Key and value of each attribute of a list of them."""
    pairs = (item for item in items(value) if isinstance(item, dict) and isinstance(item.get("key"), str))
    return {item["key"]: _plain(item.get("value"), _DEPTH) for item in pairs}


def _plain(value: Json, depth: int) -> Json:
    if not isinstance(value, dict) or not depth:
        return None if isinstance(value, dict) else value
    if "intValue" in value:
        found = number(value["intValue"])
        return int(found) if found is not None else None
    for key in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
        if key in value:
            return value[key]
    if "arrayValue" in value:
        return [_plain(item, depth - 1) for item in items(record(value["arrayValue"]).get("values"))]
    pairs = items(record(value.get("kvlistValue")).get("values"))
    return {str(pair.get("key")): _plain(pair.get("value"), depth - 1) for pair in pairs if isinstance(pair, dict)}


def _call(resource: dict[str, Json], scope: dict[str, Json], span: dict[str, Json], place: str) -> LoggedCall | None:
    found = attributes(span.get("attributes"))
    if text(found.get(openinference.KIND)) == "LLM":
        sent, reply = _openinference(found)
    elif _is_model_call(found):
        sent, reply = _gen_ai(found, span)
    else:
        return None
    error = _error(found, span)
    reason = _finish_reason(found) or reply.finish_reason
    failed, tier = failure(error=error, finish_reason=reason, refusal=reply.refusal, verdict=_verdict(span))
    if error is not None and reply.answer:
        # The answer came; what failed is something behind it, or while its end was awaited.
        tier = FailureTier.CONTENT
    start, end = count(span.get("startTimeUnixNano")), count(span.get("endTimeUnixNano"))
    return LoggedCall(
        id=filled(span.get("spanId")) or place,
        answer=reply.answer,
        model=reply.model,
        time=moment(start),
        variables=_variables(found),
        messages=sent.messages,
        prompt=text(found.get("gen_ai.prompt.name") or found.get("llm.prompt_template.name")),
        prompt_version=text(found.get("gen_ai.prompt.version") or found.get("llm.prompt_template.version")),
        error=error,
        finish_reason=reason,
        usage=reply.usage,
        latency_ms=between_ms(start, end),
        failed=failed,
        tags=tuple(str(tag) for tag in items(found.get("tag.tags"))),
        extra={**_beside(found, resource, scope, span), **sent.extra, **reply.extra},
        tier=tier,
        format=NAME,
        cost=number(found.get("llm.cost.total")),
        raw={"resource": resource, "scope": scope, "span": span},
    )


def _is_model_call(found: Mapping[str, Json]) -> bool:
    operation = text(found.get("gen_ai.operation.name"))
    return operation in _CALLS or (operation is None and "gen_ai.request.model" in found)


def _gen_ai(found: Mapping[str, Json], span: Mapping[str, Json]) -> tuple[Conversation, Replied]:
    events = [(text(event.get("name")) or "", attributes(event.get("attributes"))) for event in _events(span)]
    asked, answered = found.get("gen_ai.input.messages"), found.get("gen_ai.output.messages")
    for _, about in events:  # those who keep messages off the span put the same attributes on an event
        asked, answered = asked or about.get("gen_ai.input.messages"), answered or about.get("gen_ai.output.messages")
    older = [
        {**about, "role": about.get("role") or _EVENT_ROLES[name]} for name, about in events if name in _EVENT_ROLES
    ]
    choices = [about for name, about in events if name == "gen_ai.choice"]
    sent = conversation(asked or older, system=decoded(found.get("gen_ai.system_instructions")))
    message = record(next(iter(items(answered)), None))
    if not message and choices:
        message = record(choices[0].get("message")) or record(choices[0])
    reply = replied(message)
    usage = usage_of(
        {
            "prompt_tokens": found.get("gen_ai.usage.input_tokens", found.get("gen_ai.usage.prompt_tokens")),
            "completion_tokens": found.get("gen_ai.usage.output_tokens", found.get("gen_ai.usage.completion_tokens")),
            "prompt_tokens_details": {"cached_tokens": found.get("gen_ai.usage.cache_read.input_tokens")},
            "completion_tokens_details": {"reasoning_tokens": found.get("gen_ai.usage.reasoning.output_tokens")},
        }
    )
    model = text(found.get("gen_ai.response.model")) or text(found.get("gen_ai.request.model")) or ""
    return sent, Replied(reply.answer, model, reply.finish_reason, reply.refusal, usage, reply.extra)


def _openinference(found: Mapping[str, Json]) -> tuple[Conversation, Replied]:
    sent = conversation(openinference.messages(found, "input") or openinference.input_value(found))
    whole = replied(found.get("output.value"))
    answered = openinference.messages(found, "output")
    reply = replied(answered[0]) if answered else whole
    answer = reply.answer if answered or whole.answer is not None else text(found.get("output.value"))
    model = text(found.get("llm.model_name")) or whole.model
    usage = usage_of(openinference.usage(found)) or whole.usage
    reason = reply.finish_reason or whole.finish_reason
    return sent, Replied(answer, whole.model or model, reason, reply.refusal or whole.refusal, usage, reply.extra)


def _variables(found: Mapping[str, Json]) -> dict[str, Json] | None:
    own = {key.removeprefix(_VARIABLE): value for key, value in found.items() if key.startswith(_VARIABLE)}
    return own or openinference.variables(found)


def _finish_reason(found: Mapping[str, Json]) -> str | None:
    return next((text(reason) for reason in items(found.get("gen_ai.response.finish_reasons"))), None)


def _error(found: Mapping[str, Json], span: Mapping[str, Json]) -> str | None:
    status = record(span.get("status"))
    kind = filled(found.get("error.type"))
    failed = status.get("code") in (2, "2", "STATUS_CODE_ERROR")
    raised = next((attributes(event.get("attributes")) for event in _events(span)
                   if event.get("name") == "exception"), {})  # fmt: skip
    if not (kind or failed or raised) or status.get("code") in (1, "1", "STATUS_CODE_OK"):
        return None  # what was raised and handled is no failure of a span that is said to be well
    kind = kind or filled(raised.get("exception.type"))
    said = filled(status.get("message")) or filled(raised.get("exception.message"))
    return ": ".join(part for part in (kind, said) if part) or "status error"


def _verdict(span: Mapping[str, Json]) -> str | None:
    scores: list[tuple[str, Json]] = []
    for event in _events(span):
        if event.get("name") == "gen_ai.evaluation.result":
            about = attributes(event.get("attributes"))
            value = about.get("gen_ai.evaluation.score.value", about.get("gen_ai.evaluation.score.label"))
            scores.append((text(about.get("gen_ai.evaluation.name")) or "evaluation", value))
    return low_score(scores)


def _events(span: Mapping[str, Json]) -> list[dict[str, Json]]:
    return [event for event in items(span.get("events")) if isinstance(event, dict)]


def _beside(
    found: Mapping[str, Json], resource: Mapping[str, Json], scope: Mapping[str, Json], span: Mapping[str, Json]
) -> dict[str, Json]:
    """What of a span has no place in a logged call: parameters, tools, the template, ids, and foreign attributes."""
    params = {key.removeprefix(_PARAM): value for key, value in found.items() if key.startswith(_PARAM)}
    params.pop("model", None)
    kept = {
        "params": params or record(found.get("llm.invocation_parameters")),
        "tools": items(found.get("gen_ai.tool.definitions")) or openinference.tools(found),
        "provider": text(found.get("gen_ai.provider.name") or found.get("gen_ai.system") or found.get("llm.provider")),
        "response_id": text(found.get("gen_ai.response.id")),
        "template": text(found.get("llm.prompt_template.template")),
        "conversation_id": text(found.get("gen_ai.conversation.id")),
        "trace_id": text(span.get("traceId")),
        "span": text(span.get("name")),
        "scope": text(scope.get("name")),
        "resource": dict(resource),
        "attributes": {key: value for key, value in found.items() if not key.startswith(_HOMES)},
    }
    return {key: value for key, value in kept.items() if value}
