"""Every sample of a format, recognised and read without being told anything, and compared with what is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptbench.core.types import FailureTier, LoggedCall, Message, Usage
from promptbench.ingest import detect_format
from promptbench.ingest.files.log_file import LogFile
from tests.helpers import bfcl
from tests.helpers.log_formats import workbook
from tests.helpers.logs import SAMPLES, beside, calls, log, read, reasons, sample

SYSTEM = 'Classify the intent. Answer as JSON {"intent": ...}.'
USER = "I still have not received my new card"
ANSWER = 'Sure! Here is the JSON:\n```json\n{"intent": "card_arrival",}\n```'
ASKED = (Message("system", SYSTEM), Message("user", USER))
USED = Usage(31, 12, 0)
STARTED = "2026-11-01T09:59:59Z"
TRANSPORT, CUT, CONTENT = FailureTier.TRANSPORT, FailureTier.TRUNCATED, FailureTier.CONTENT


def records(name: str) -> list[Any]:
    """The records of a sample, read by nothing of ours."""
    text = (SAMPLES / name).read_text(encoding="utf-8")
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in text.splitlines() if line]
    found = json.loads(text)
    return found if isinstance(found, list) else [found]


FORMATS = {
    "anthropic_batch_create.json": "anthropic_batch",
    "anthropic_batch_results.jsonl": "anthropic_batch",
    "helicone.csv": "helicone",
    "helicone.jsonl": "helicone",
    "langfuse_blob_observations_v2.jsonl": "langfuse",
    "langfuse_ui_export.json": "langfuse",
    "langsmith_runs.jsonl": "langsmith",
    "litellm_spend_logs.json": "litellm",
    "litellm_standard_logging.jsonl": "litellm",
    "openai_batch_error.jsonl": "openai_batch",
    "openai_batch_input.jsonl": "openai_batch",
    "openai_batch_output.jsonl": "openai_batch",
    "openai_finetune_chat.jsonl": "openai_fine_tuning",
    "openai_stored_completions.json": "openai_stored",
    "openai_stored_messages.json": "openai_stored",
    "otlp_genai.jsonl": "otlp",
    "otlp_openinference.jsonl": "otlp",
    "plain.csv": "generic",
    "promptfoo_results.json": "promptfoo",
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_sample_is_recognised(name: str) -> None:
    assert detect_format(sample(name)) == FORMATS[name]


def test_no_sample_is_forgotten() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == {*FORMATS, "SOURCE.txt"}


def test_openai_batch() -> None:
    output = sample("openai_batch_output.jsonl", "openai_batch_input.jsonl", "openai_batch_error.jsonl")
    (request, second), (record,) = records("openai_batch_input.jsonl"), records("openai_batch_output.jsonl")
    assert calls(output) == [
        LoggedCall(
            id="r1",
            answer=ANSWER,
            model="gpt-4o-mini-2024-07-18",
            time="2025-02-07T20:36:50Z",
            messages=ASKED,
            finish_reason="stop",
            usage=USED,
            extra={
                "id": "batch_req_1",
                "request_id": "req_1",
                "system_fingerprint": "fp_0",
                "params": {"max_tokens": 50},
            },
            format="openai_batch",
            raw={**record, "request": request},
        )
    ]
    errors = records("openai_batch_error.jsonl")
    refused, expired = calls(sample("openai_batch_error.jsonl", "openai_batch_input.jsonl"))
    said = "status 400: invalid_value: Invalid value: 'x'"
    assert refused == LoggedCall(
        id="r2",
        answer=None,
        model="gpt-4o-mini",
        messages=ASKED,
        error=said,
        failed=said,
        extra={"id": "batch_req_2", "request_id": "req_2", "params": {"max_tokens": 50}},
        tier=TRANSPORT,
        format="openai_batch",
        raw={**errors[0], "request": second},
    )
    said = "batch_expired: This request could not be executed before the completion window expired."
    assert expired == LoggedCall(
        id="r3",
        answer=None,
        error=said,
        failed=said,
        extra={"id": "batch_req_3"},
        tier=TRANSPORT,
        format="openai_batch",
        raw=errors[1],
    )
    assert read(sample("openai_batch_input.jsonl", "openai_batch_output.jsonl")) == []


def test_openai_stored_completions() -> None:
    (page,), (messages,) = records("openai_stored_completions.json"), records("openai_stored_messages.json")
    (call,) = calls(sample("openai_stored_completions.json", "openai_stored_messages.json"))
    assert call == LoggedCall(
        id="chatcmpl-AyP",
        answer=ANSWER,
        model="gpt-4o-mini-2024-07-18",
        time="2025-02-07T20:36:50Z",
        messages=(Message("user", USER),),
        finish_reason="stop",
        usage=USED,
        extra={
            "system_fingerprint": "fp_0",
            "request_id": "req_9",
            "params": {"temperature": 1.0, "top_p": 1.0, "response_format": {"type": "json_object"}},
            "metadata": {"prompt": "intent/v3"},
        },
        format="openai_stored",
        raw={**page["data"][0], "messages": messages["data"]},
    )
    (without,) = calls(sample("openai_stored_completions.json"))
    assert (without.answer, without.messages) == (ANSWER, ())


def test_openai_fine_tuning() -> None:
    good, bad = records("openai_finetune_chat.jsonl")
    assert calls(sample("openai_finetune_chat.jsonl")) == [
        LoggedCall(
            id="line 1",
            answer='{"intent": "card_arrival"}',
            messages=ASKED,
            format="openai_fine_tuning",
            expected='{"intent": "card_arrival"}',
            raw=good,
        ),
        LoggedCall(
            id="line 2",
            answer="card_arival",
            messages=ASKED,
            failed="weight 0",
            tier=CONTENT,
            format="openai_fine_tuning",
            raw=bad,
        ),
    ]


def test_anthropic_batch() -> None:
    (create,), results = records("anthropic_batch_create.json"), records("anthropic_batch_results.jsonl")
    found = calls(sample("anthropic_batch_results.jsonl", "anthropic_batch_create.json"))
    same: dict[str, Any] = {"model": "claude-haiku-4-5", "usage": USED, "format": "anthropic_batch"}
    said = "errored: invalid_request_error: max_tokens: Field required"
    assert found == [
        LoggedCall(
            id="r1",
            answer=ANSWER,
            messages=ASKED,
            finish_reason="end_turn",
            extra={"params": {"max_tokens": 50}},
            raw={**results[0], "request": create["requests"][0]},
            **same,
        ),
        LoggedCall(
            id="r2",
            answer='{"intent": "card_arr',
            finish_reason="max_tokens",
            failed="finish reason max_tokens",
            tier=CUT,
            raw=results[1],
            **same,
        ),
        LoggedCall(
            id="r3",
            answer=None,
            error=said,
            failed=said,
            tier=TRANSPORT,
            format="anthropic_batch",
            raw=results[2],
        ),
        LoggedCall(
            id="r4",
            answer=None,
            error="expired",
            failed="expired",
            tier=TRANSPORT,
            format="anthropic_batch",
            raw=results[3],
        ),
    ]


def test_otlp_gen_ai() -> None:
    (exported,) = records("otlp_genai.jsonl")
    scopes = exported["resourceSpans"][0]["scopeSpans"][0]
    scope = {"name": "opentelemetry.instrumentation.openai_v2"}
    about = {
        "provider": "openai",
        "trace_id": "5b8efff798038103d269b633813fc60c",
        "span": "chat gpt-4o-mini",
        "scope": scope["name"],
        "resource": {"service.name": "bot"},
    }
    same: dict[str, Any] = {
        "time": "2024-10-27T03:33:20Z",
        "messages": ASKED,
        "prompt": "intent",
        "prompt_version": "v3",
        "latency_ms": 812.0,
        "format": "otlp",
    }
    assert calls(sample("otlp_genai.jsonl")) == [
        LoggedCall(
            id="eee19b7ec3c1b174",
            answer=ANSWER,
            model="gpt-4o-mini-2024-07-18",
            finish_reason="stop",
            usage=USED,
            extra={"response_id": "chatcmpl-5", **about},
            raw={"resource": {"service.name": "bot"}, "scope": scope, "span": scopes["spans"][0]},
            **same,
        ),
        LoggedCall(
            id="eee19b7ec3c1b175",
            answer=None,
            model="gpt-4o-mini",
            error="429: Rate limit",
            failed="429: Rate limit",
            extra=about,
            tier=TRANSPORT,
            raw={"resource": {"service.name": "bot"}, "scope": scope, "span": scopes["spans"][1]},
            **same,
        ),
    ]


def test_otlp_openinference() -> None:
    (exported,) = records("otlp_openinference.jsonl")
    scope = {"name": "openinference.instrumentation.openai"}
    (call,) = calls(sample("otlp_openinference.jsonl"))
    assert call == LoggedCall(
        id="fee19b7ec3c1b174",
        answer=ANSWER,
        model="gpt-4o-mini-2024-07-18",
        time="2024-10-27T03:33:20Z",
        messages=ASKED,
        prompt_version="v3",
        finish_reason="stop",
        usage=Usage(31, 12),
        latency_ms=812.0,
        extra={
            "params": {"temperature": 0},
            "provider": "openai",
            "template": "{q}",
            "trace_id": "5b8efff798038103d269b633813fc60c",
            "span": "chat gpt-4o-mini",
            "scope": scope["name"],
        },
        format="otlp",
        raw={"resource": {}, "scope": scope, "span": exported["resourceSpans"][0]["scopeSpans"][0]["spans"][0]},
    )


LANGFUSE: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "time": STARTED,
    "messages": ASKED,
    "prompt": "intent",
    "prompt_version": "3",
    "usage": Usage(31, 12),
    "latency_ms": 812.0,
    "tags": ("prod",),
    "format": "langfuse",
    "cost": 1e-05,
}
LANGFUSE_EXTRA = {
    "traceId": "t1",
    "projectId": "p",
    "name": "classify",
    "environment": "production",
    "traceName": "chat",
    "params": {"temperature": 0},
}


def test_langfuse_interface() -> None:
    raw = records("langfuse_ui_export.json")
    assert calls(sample("langfuse_ui_export.json")) == [
        LoggedCall(
            id="o1",
            answer=ANSWER,
            failed="score format 0",
            extra={**LANGFUSE_EXTRA, "scores": {"format": [0]}},
            tier=CONTENT,
            raw=raw[0],
            **LANGFUSE,
        ),
        LoggedCall(
            id="o2",
            answer=None,
            error="RateLimitError: 429",
            failed="RateLimitError: 429",
            extra=LANGFUSE_EXTRA,
            tier=TRANSPORT,
            raw=raw[1],
            **LANGFUSE,
        ),
    ]


def test_langfuse_blob() -> None:
    (raw,) = records("langfuse_blob_observations_v2.jsonl")
    assert calls(sample("langfuse_blob_observations_v2.jsonl")) == [
        LoggedCall(id="o1", answer=ANSWER, extra=LANGFUSE_EXTRA, raw=raw, **LANGFUSE)
    ]


def test_langsmith() -> None:
    raw = records("langsmith_runs.jsonl")
    same: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "time": STARTED,
        "messages": ASKED,
        "usage": USED,
        "latency_ms": 1000.0,
        "tags": ("prod",),
        "format": "langsmith",
        "cost": 1e-05,
    }
    extra = [
        {
            **{key: run[key] for key in ("name", "session_id", "trace_id", "dotted_order")},
            "metadata": run["extra"]["metadata"],
            "scores": {"correctness": 0.0},
            "provider": "openai",
        }
        for run in raw
    ]
    said = "RateLimitError('Error code: 429 ...')"
    assert calls(sample("langsmith_runs.jsonl")) == [
        LoggedCall(
            id="7f0b8c1e-0000-4000-8000-000000000001",
            answer=ANSWER,
            finish_reason="stop",
            failed="score correctness 0",
            extra=extra[0],
            tier=CONTENT,
            raw=raw[0],
            **same,
        ),
        LoggedCall(
            id="7f0b8c1e-0000-4000-8000-000000000002",
            answer=None,
            error=said,
            failed=said,
            extra=extra[1],
            tier=TRANSPORT,
            raw=raw[1],
            **same,
        ),
    ]


def test_litellm_standard_payload() -> None:
    raw = records("litellm_standard_logging.jsonl")
    kept = ("trace_id", "call_id", "stream", "status_fields", "completionStartTime", "model_group", "api_base",
            "metadata", "saved_cache_cost")  # fmt: skip
    extra = {**{key: raw[0][key] for key in kept}, "provider": "openai", "params": {"temperature": 0}}
    same: dict[str, Any] = {
        "time": "2024-10-27T03:33:20Z",
        "messages": ASKED,
        "latency_ms": 800.0,
        "extra": extra,
        "format": "litellm",
    }
    said = "RateLimitError 429: Rate limit"
    assert calls(sample("litellm_standard_logging.jsonl")) == [
        LoggedCall(
            id="chatcmpl-4",
            answer=ANSWER,
            model="gpt-4o-mini-2024-07-18",
            finish_reason="stop",
            usage=USED,
            cost=1e-05,
            raw=raw[0],
            **same,
        ),
        LoggedCall(
            id="f",
            answer=None,
            model="gpt-4o-mini",
            error=said,
            usage=Usage(31, 12),
            failed=said,
            tier=TRANSPORT,
            cost=0.0,
            raw=raw[1],
            **same,
        ),
    ]


def test_litellm_spend_logs() -> None:
    (raw,) = records("litellm_spend_logs.json")
    said = "RateLimitError 429"
    assert calls(sample("litellm_spend_logs.json")) == [
        LoggedCall(
            id="chatcmpl-4",
            answer=None,
            model="gpt-4o-mini",
            time=STARTED,
            messages=ASKED,
            error=said,
            usage=Usage(31, 12),
            latency_ms=812.0,
            failed=said,
            extra={
                "model_group": "gpt-4o-mini",
                "metadata": raw["metadata"],
                "cache_hit": "False",
                "session_id": "s",
                "provider": "openai",
            },
            tier=TRANSPORT,
            format="litellm",
            cost=1e-05,
            raw=raw,
        )
    ]


def test_helicone_json_lines() -> None:
    raw = records("helicone.jsonl")
    same: dict[str, Any] = {"messages": ASKED, "format": "helicone"}
    said = "status 429: Rate limit reached"
    assert calls(sample("helicone.jsonl")) == [
        LoggedCall(
            id="b",
            answer=ANSWER,
            model="gpt-4o-mini-2024-07-18",
            time=STARTED,
            finish_reason="stop",
            usage=USED,
            latency_ms=812.0,
            failed="feedback rating false",
            extra={
                "response_id": "a",
                "response_created_at": "2026-11-01T10:00:00.000Z",
                "request_path": "https://api.openai.com/v1/chat/completions",
                "request_model": "gpt-4o-mini",
                "properties": {"appname": "bot"},
                "provider": "OPENAI",
                "feedback_rating": False,
            },
            tier=CONTENT,
            cost=1e-05,
            raw=raw[0],
            **same,
        ),
        LoggedCall(
            id="d",
            answer=None,
            model="gpt-4o-mini",
            time="2026-11-01T10:00:00Z",
            error=said,
            latency_ms=90.0,
            failed=said,
            extra={
                "response_id": "c",
                "response_created_at": "2026-11-01T10:00:01.000Z",
                "provider": "OPENAI",
            },
            tier=TRANSPORT,
            raw=raw[1],
            **same,
        ),
    ]


def test_helicone_csv_whose_quotes_are_doubled_twice() -> None:
    (call,) = calls(sample("helicone.csv"))
    raw = call.raw
    assert isinstance(raw, dict)
    assert raw["request_body"].startswith('{""model""')
    assert call == LoggedCall(
        id="a",
        answer=None,
        model="gpt-4o-mini",
        time=STARTED,
        messages=ASKED,
        usage=Usage(31, 12),
        latency_ms=1000.0,
        extra={
            "response_id": "a",
            "response_created_at": "2026-11-01T10:00:00.000Z",
            "properties": {"appname": "bot"},
        },
        format="helicone",
        cost=1e-05,
        raw=raw,
    )


def test_promptfoo() -> None:
    (raw,) = records("promptfoo_results.json")
    result = raw["results"]["results"][0]
    assert calls(sample("promptfoo_results.json")) == [
        LoggedCall(
            id="r",
            answer=ANSWER,
            model="openai:gpt-5-mini",
            variables={"q": USER},
            messages=(Message("user", f"Classify: {USER}"),),
            prompt="p1",
            prompt_version="cd59",
            finish_reason="stop",
            usage=Usage(31, 12),
            latency_ms=812.0,
            failed="is-json: Expected output to be valid JSON",
            extra={
                "promptIdx": 0,
                "testIdx": 0,
                "score": 0,
                "checks": [{"json": None}],
                "grading": result["gradingResult"],
            },
            tier=CONTENT,
            format="promptfoo",
            cost=0.0001,
            raw=result,
        )
    ]


ROW = {"prompt": f"{SYSTEM}\n{USER}", "response": ANSWER, "expected": "card_arrival", "model": "gpt-4o-mini"}


@pytest.mark.parametrize(
    ("file", "place", "raw", "latency"),
    [
        (sample("plain.csv"), "line 2", {**ROW, "latency_ms": "812", "failed": "TRUE"}, 812.0),
        (log(workbook([[*ROW, "failed"], [*ROW.values(), True]])), "S1, row 2", {**ROW, "failed": True}, None),
    ],
)
def test_plain_tables(file: LogFile, place: str, raw: dict[str, Any], latency: float | None) -> None:
    (call,) = calls(file, "generic")
    assert call == LoggedCall(
        id=place,
        answer=ANSWER,
        model="gpt-4o-mini",
        messages=(Message("user", ROW["prompt"]),),
        latency_ms=latency,
        failed=f"failed {raw['failed']}",
        extra={"failed": raw["failed"]},
        tier=CONTENT,
        format="generic",
        expected="card_arrival",
        raw=raw,
    )


@pytest.mark.parametrize("model", bfcl.MODELS)
def test_real_logs_are_joined_with_their_prompts(model: str) -> None:
    answers, prompts = (LogFile.from_path(bfcl.EXCERPT / f"{name}.jsonl", name) for name in (model, "prompts"))
    found = calls(beside(answers, prompts), "generic")
    assert read(beside(prompts, answers)) == []
    own, asked = ({record["id"]: record for record in bfcl.read_records(name)} for name in (model, "prompts"))
    assert [call.id for call in found] == list(own)
    for call in found:
        record, request = own[call.id], asked[call.id]
        assert call.answer == record["response"]
        assert call.model == model
        assert call.messages == (Message("system", request["system"]), Message("user", request["user"]))
        assert call.usage == Usage(record["input_tokens"], record["output_tokens"])
        assert call.latency_ms == pytest.approx(record["latency_s"] * 1000)
        assert call.expected == request.get("gold")
        assert call.tier == (None if record["valid"] else CONTENT)
        assert (call.failed or "").startswith(record["error_type"] or "")


def test_answers_without_their_prompts_are_named() -> None:
    found = reasons(read(LogFile.from_path(bfcl.EXCERPT / "gpt-3.5-turbo-0125.jsonl", "answers")))
    assert {reason for _, reason in found} == {"it has no input"}
    assert len(found) == len(bfcl.read_records("prompts"))
