"""Every sample of a format, recognised and read without being told anything, and compared with what is in it."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from promptbench.core.types import FailureTier, LoggedCall, Message, Usage
from promptbench.ingest import detect_format
from promptbench.ingest.files.log_file import LogFile
from tests.helpers import bfcl
from tests.helpers.log_formats import workbook
from tests.helpers.logs import SAMPLES, beside, calls, log, read, reasons, sample
from tests.report import golden


def read_calls(names: tuple[str, ...]) -> list[LoggedCall]:
    return calls(sample(*names))


GOLDEN = golden.FOLDER.with_name("ingest")
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


# What is read from each sample with the other files of its import, in tests/golden/ingest.
IMPORTS = [
    ("anthropic_batch_results.jsonl", "anthropic_batch_create.json"),
    ("helicone.csv",),
    ("helicone.jsonl",),
    ("langfuse_blob_observations_v2.jsonl",),
    ("langfuse_ui_export.json",),
    ("langsmith_runs.jsonl",),
    ("litellm_spend_logs.json",),
    ("litellm_standard_logging.jsonl",),
    ("openai_batch_error.jsonl", "openai_batch_input.jsonl"),
    ("openai_batch_output.jsonl", "openai_batch_input.jsonl", "openai_batch_error.jsonl"),
    ("openai_finetune_chat.jsonl",),
    ("openai_stored_completions.json", "openai_stored_messages.json"),
    ("otlp_genai.jsonl",),
    ("otlp_openinference.jsonl",),
    ("plain.csv",),
    ("promptfoo_results.json",),
]


@pytest.mark.parametrize("names", IMPORTS, ids=lambda names: names[0])
def test_every_field_of_a_sample(names: tuple[str, ...]) -> None:
    described = map(describe, read_calls(names))
    golden.check(f"{names[0]}.txt", "\n".join(described), GOLDEN)


def describe(call: LoggedCall) -> str:
    """A line for each field that has a value."""
    known = {**asdict(call), "messages": [message.as_dict() for message in call.messages], "raw": None}
    lines = [f"{name}: {json.dumps(value, default=str)}\n" for name, value in known.items() if value]
    return "".join(lines)


@pytest.mark.parametrize("names", IMPORTS, ids=lambda names: names[0])
def test_the_raw_record_is_kept(names: tuple[str, ...]) -> None:
    text = (SAMPLES / names[0]).read_text(encoding="utf-8")
    for call in read_calls(names):
        kept = call.raw if isinstance(call.raw, dict) else {}
        assert any(str(value) in text or json.dumps(value) in text for value in kept.values())
        assert len(names) == 1 or not call.messages or kept.keys() & {"request", "messages"}


def test_requests_alone_are_no_calls() -> None:
    assert read(sample("openai_batch_input.jsonl", "openai_batch_output.jsonl")) == []


def test_a_workbook_is_read_like_a_table() -> None:
    row = {"prompt": "hi", "response": "x", "expected": "y", "model": "m", "failed": True}
    (call,) = calls(log(workbook([list(row), list(row.values())])), "generic")
    assert (call.id, call.answer, call.model, call.expected, call.failed) == ("S1, row 2", "x", "m", "y", "failed True")
    assert (call.messages, call.raw) == ((Message("user", "hi"),), row)


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
        assert call.tier == (None if record["valid"] else FailureTier.CONTENT)
        assert (call.failed or "").startswith(record["error_type"] or "")


def test_answers_without_their_prompts_are_named() -> None:
    found = reasons(read(LogFile.from_path(bfcl.EXCERPT / "gpt-3.5-turbo-0125.jsonl", "answers")))
    assert {reason for _, reason in found} == {"it has no input"}
    assert len(found) == len(bfcl.read_records("prompts"))
