"""Every attempt of a run as a trace of OpenTelemetry, in OTLP JSON as collectors write and read it: a trace a line.

Names are those of https://opentelemetry.io/docs/specs/semconv/gen-ai. Scores are events of the attempt's span; the
calls of its steps and tools are spans below it. `promptbench import` reads an attempt as one call.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from promptbench.core.canonical import compact_encoder, digest, without_halves
from promptbench.core.types import Answer, Attempt, Json, ModelRef, Score
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Report, Target

# The convention's names of providers that have another one here.
_PROVIDERS = {
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "vertex": "gcp.vertex_ai",
}
# The parameters that the convention has, with their types; others are promptbench's.
_DOUBLES = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty")
_PARAMS = (*_DOUBLES, "max_tokens", "seed", "stop_sequences", "stream")
_CLIENT, _INTERNAL, _ERROR = 3, 1, 2  # kinds of spans, and the code of a status
_dump = compact_encoder()


def render(reports: Sequence[Report], target: Target) -> str:
    """Return a line for each attempt. Raise ValueError for reports without calls."""
    lines = [_dump(_export(report, _spans(report.run, *call))) for report in reports for call in report.calls]
    if not lines:
        raise ValueError("it has no calls; `promptbench runs report RUN` reads those of a run")
    return without_halves("\n".join([*lines, ""]))


def _export(report: Report, spans: Iterator[dict[str, Json]]) -> dict[str, Json]:
    return {
        "resourceSpans": [
            {
                "resource": {
                    "attributes": _attributes(
                        {"service.name": "promptbench", "promptbench.run": report.run, "promptbench.suite": report.name}
                    )
                },
                "scopeSpans": [{"scope": {"name": "promptbench"}, "spans": list(spans)}],
            }
        ]
    }


def _spans(run: str, call: Mapping[str, Json], attempt: Attempt) -> Iterator[dict[str, Json]]:
    """Yield the span of an attempt, then those of its steps and their tools."""
    key, tries, models = attempt.key, attempt.failed_tries, call["models"]
    trace = digest([run, key.variant, key.model, key.case, key.repeat]).partition(":")[2]
    kind = "invoke_workflow" if any(step.name for step in attempt.steps) else "invoke_agent"
    about = {
        **_called("chat" if not attempt.steps else kind, models[""]),
        **({f"gen_ai.{kind.partition('_')[2]}.name": call["prompt"]} if attempt.steps else {}),
        **{
            f"{'gen_ai' if name in _PARAMS else 'promptbench'}.request.{name}": float(value)
            if name in _DOUBLES
            else value
            for name, value in call["params"].items()
        },
        "gen_ai.prompt.name": call["prompt"] if key.variant else None,
        "gen_ai.prompt.version": key.variant or None,
        **{f"gen_ai.prompt.variable.{name}": value for name, value in call["vars"].items()},
        "gen_ai.input.messages": _dump([_message(**item) for item in call["messages"]]),
        **_answered(attempt.answer),
        "error.type": None if attempt.answer else tries[-1].kind.value if tries else "_OTHER",
        "llm.cost.total": attempt.cost,
        "tag.tags": call["tags"],
        "promptbench.case": key.case,
        "promptbench.repeat": key.repeat,
        "promptbench.outcome": attempt.outcome.value,
    }
    failed = {} if attempt.answer else {"status": {"code": _ERROR, "message": attempt.error}}
    whole = _span(trace, "", attempt.started, 0, call["latency_ms"] or 0, about)
    yield {**whole, "events": [_event(score, whole["endTimeUnixNano"]) for score in attempt.scores], **failed}
    for number, step in enumerate(attempt.steps, 1):
        about = {**_called("chat", models.get(step.name, models[""])), **_answered(step.answer)}
        about["promptbench.step"] = step.name or str(number)
        yield _span(trace, f"{number}", step.started, 0, step.answer.provider_ms, about)
        for place, (tool, result) in enumerate(zip(step.answer.calls, step.results, strict=False)):
            about = {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": tool.name,
                "gen_ai.tool.call.id": tool.id or None,
                "gen_ai.tool.call.arguments": tool.arguments,
                "gen_ai.tool.call.result": result,
            }
            yield _span(trace, f"{number}.{place}", step.started, step.answer.provider_ms, step.tool_ms, about)


def _span(
    trace: str, path: str, started: str, after: float, lasts: float, about: Mapping[str, Json]
) -> dict[str, Json]:
    """Return a span that starts `after` milliseconds and `lasts` as many; `path` is empty for the first of a trace."""
    kind = about["gen_ai.operation.name"]
    named = (
        about[f"gen_ai.{of}"]
        for of in ("tool.name", "workflow.name", "agent.name", "request.model")
        if f"gen_ai.{of}" in about
    )
    begin = round(datetime.fromisoformat(started).timestamp() * 1e3 + after) * 1_000_000
    return {
        "traceId": trace[:32],
        "spanId": digest([trace, path])[-16:],
        **({"parentSpanId": digest([trace, ""])[-16:]} if path else {}),
        "name": f"{kind} {next(named)}",
        "kind": _CLIENT if kind == "chat" else _INTERNAL,
        "startTimeUnixNano": str(begin),
        "endTimeUnixNano": str(begin + round(lasts * 1e6)),
        "attributes": _attributes(about),
    }


def _event(score: Score, time: str) -> dict[str, Json]:
    about = {
        "gen_ai.evaluation.name": score.check,
        "gen_ai.evaluation.score.value": float(score.value),
        "gen_ai.evaluation.score.label": "error" if score.errored else "pass" if score.passed else "fail",
        "gen_ai.evaluation.explanation": score.reason or None,
        "promptbench.weight": float(score.weight),
    }
    return {"timeUnixNano": time, "name": "gen_ai.evaluation.result", "attributes": _attributes(about)}


def _called(kind: str, model: ModelRef) -> dict[str, Json]:
    return {
        "gen_ai.operation.name": kind,
        "gen_ai.provider.name": _PROVIDERS.get(model.provider, model.provider),
        "gen_ai.request.model": model.name,
    }


def _answered(answer: Answer | None) -> dict[str, Json]:
    if answer is None:
        return {}
    usage = asdict(answer.usage) if answer.usage else {}
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in answer.calls]
    # The calls of an answer are the last line of its text.
    message = _message("assistant", answer.text.rpartition("\n")[0] if calls else answer.text, calls)
    return {
        "gen_ai.response.model": answer.model or None,
        "gen_ai.response.finish_reasons": [answer.finish_reason] if answer.finish_reason else None,
        "gen_ai.usage.input_tokens": usage.get("input_tokens"),
        "gen_ai.usage.output_tokens": usage.get("output_tokens"),
        "gen_ai.usage.cache_read.input_tokens": usage.get("cached_tokens"),
        "gen_ai.usage.reasoning.output_tokens": usage.get("reasoning_tokens"),
        "gen_ai.output.messages": _dump([{**message, "finish_reason": answer.finish_reason or ""}]),
    }


def _message(role: str, content: str, calls: Sequence[Mapping[str, Json]] = ()) -> dict[str, Json]:
    texts = [{"type": "text", "content": content}] if content or not calls else []
    return {"role": role, "parts": [*texts, *({"type": "tool_call", **call} for call in calls)]}


def _attributes(values: Mapping[str, Json]) -> list[Json]:
    return [{"key": key, "value": _any_value(value)} for key, value in values.items() if value is not None]


def _any_value(value: Json) -> dict[str, Json]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _attributes(value)}}
    # Integers are texts in OTLP JSON.
    kind = {bool: "boolValue", float: "doubleValue", int: "intValue"}.get(type(value), "stringValue")
    return {} if value is None else {kind: value if kind in ("boolValue", "doubleValue") else str(value)}


SPEC = ReportFormatSpec(render)
