"""The least log of each format: one call that failed, as its exporter writes it."""

from __future__ import annotations

import io
import json
from typing import Any

import openpyxl

from tests.helpers.logs import json_lines

MESSAGES = [{"role": "system", "content": "Answer as JSON."}, {"role": "user", "content": "hi"}]
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1738960610,
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "{"}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}},
}


def attribute(key: str, value: Any) -> dict[str, Any]:
    """A span attribute as OTLP JSON has it: whole numbers are texts."""
    if isinstance(value, bool):
        return {"key": key, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    if isinstance(value, list):
        return {"key": key, "value": {"arrayValue": {"values": [attribute("", item)["value"] for item in value]}}}
    if isinstance(value, dict):
        return {"key": key, "value": {"kvlistValue": {"values": [attribute(*pair) for pair in value.items()]}}}
    return {"key": key, "value": {"stringValue": value}}


def span(events: Any = (), status: Any = None, **attributes: Any) -> dict[str, Any]:
    return {
        "traceId": "t",
        "spanId": "s",
        "name": "chat",
        "startTimeUnixNano": "1730000000000000000",
        "endTimeUnixNano": "1730000000812000000",
        "attributes": [attribute(key, value) for key, value in attributes.items()],
        "events": [
            {"name": name, "attributes": [attribute(*pair) for pair in about.items()]} for name, about in events
        ],
        "status": status or {},
    }


def otlp(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}]}


def workbook(*sheets: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, 1):
        sheet = book.create_sheet(f"S{number}")
        for row in rows:
            sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


RECORDS: dict[str, dict[str, Any]] = {
    "openai_batch": {"id": "b", "custom_id": "r1", "response": {"status_code": 200, "body": COMPLETION}, "error": None},
    "openai_stored": COMPLETION,
    "openai_fine_tuning": {"messages": [*MESSAGES, {"role": "assistant", "content": "{", "weight": 0}]},
    "anthropic_batch": {
        "custom_id": "r1",
        "result": {
            "type": "succeeded",
            "message": {
                "id": "m",
                "model": "claude-haiku-4-5",
                "content": [{"type": "text", "text": "{"}],
                "stop_reason": "max_tokens",
                "usage": {"input_tokens": 3, "output_tokens": 1},
            },
        },
    },
    "otlp": otlp(
        span(
            **{
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
                "gen_ai.output.messages": json.dumps(
                    [{"role": "assistant", "parts": [{"type": "text", "content": "{"}], "finish_reason": "length"}]
                ),
            }
        )
    ),
    "langfuse": {
        "id": "o",
        "traceId": "t",
        "type": "GENERATION",
        "level": "DEFAULT",
        "startTime": "2026-11-01T09:59:59.000Z",
        "endTime": "2026-11-01T10:00:00.000Z",
        "input": MESSAGES,
        "output": "{",
        "scores": {"format": [0]},
    },
    "langsmith": {
        "id": "x",
        "run_type": "llm",
        "inputs": {"messages": MESSAGES},
        "outputs": {"choices": COMPLETION["choices"]},
    },
    "litellm": {
        "id": "c",
        "call_type": "acompletion",
        "model_group": "gpt",
        "model_parameters": {},
        "status": "success",
        "messages": MESSAGES,
        "response": COMPLETION,
    },
    "promptfoo": {
        "id": "r",
        "promptIdx": 0,
        "testIdx": 0,
        "success": False,
        "failureReason": 1,
        "vars": {"q": "hi"},
        "prompt": {"raw": "hi"},
        "response": {"output": "{"},
        "gradingResult": {"pass": False, "reason": "no JSON"},
    },
    "helicone": {
        "request_id": "h",
        "response_status": 200,
        "request_body": {"model": "gpt", "messages": MESSAGES},
        "response_body": COMPLETION,
    },
    "promptbench_log": {
        "promptbench": "call/1",
        "id": "p",
        "vars": {"message": "hi"},
        "answer": "{",
        "failed": "parse",
    },
    "generic": {"prompt": "hi", "response": "{", "failed": True},
}
"""A record of each format that has records in JSON."""

FILES: dict[str, bytes] = {
    **{f"{name}.jsonl": json_lines(record).encode() for name, record in RECORDS.items()},
    **{f"{name}.json": json.dumps([record]).encode() for name, record in RECORDS.items() if name != "otlp"},
    "generic.csv": b"prompt,response,failed\nhi,{,TRUE\n",
    "generic.tsv": b"prompt\tresponse\tfailed\nhi\t{\tTRUE\n",
    "generic.xlsx": workbook([["prompt", "response", "failed"], ["hi", "{", True]]),
    "helicone.csv": b'request_id,response_status,request_body\nh,429,"{""""messages"""": []}"\n',
    "langfuse.csv": b"id,traceId,type,level,input,output,scores\no,t,GENERATION,ERROR,hi,,\n",
}
"""A file of each, by a name whose stem is that of the format."""
