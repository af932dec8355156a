"""What a table tells of calls besides what was said in them."""

from __future__ import annotations

import json
from pathlib import Path

from promptbench.core.types import BadRecord, FailureTier, LoggedCall, Usage
from promptbench.ingest import generic
from promptbench.ingest.files.log_file import LogFile


def read(tmp_path: Path, *records: dict[str, object]) -> list[LoggedCall | BadRecord]:
    path = tmp_path / "calls.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return list(generic.read_timings(LogFile.from_path(path, "calls.jsonl")))


def test_times_and_tokens_need_no_input_and_no_answer(tmp_path: Path) -> None:
    timed = {"model": "m", "end_to_end_latency_s": 1.5, "ttft_s": 0.25, "number_input_tokens": 9}
    [call] = read(tmp_path, timed | {"number_output_tokens": 4, "error_code": None, "error_msg": ""})
    assert isinstance(call, LoggedCall)
    assert (call.model, call.latency_ms, call.usage, call.tier) == ("m", 1500.0, Usage(9, 4), None)
    assert call.extra == {"first_token_ms": 250.0}


def test_an_error_in_the_place_of_an_answer_is_no_answer(tmp_path: Path) -> None:
    for error in ({"error": "timeout"}, {"error_code": 429}, {"status": 503}):
        [call] = read(tmp_path, {"latency_ms": 12, **error})
        assert isinstance(call, LoggedCall)
        assert (call.tier, call.answer) == (FailureTier.TRANSPORT, None)
        assert call.error


def test_a_wrong_answer_is_one(tmp_path: Path) -> None:
    [call] = read(tmp_path, {"latency_ms": 12, "response": "x", "valid": False, "error": "does not parse"})
    assert isinstance(call, LoggedCall)
    assert call.tier is FailureTier.CONTENT


def test_without_a_unit_there_is_no_latency(tmp_path: Path) -> None:
    [bad] = read(tmp_path, {"latency": 12, "response": "x"})
    assert isinstance(bad, BadRecord)
    assert "no latency column with a unit" in bad.reason


def test_the_first_token_is_kept_by_an_import_too(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(json.dumps({"input": "a", "response": "b", "ttft_ms": 80}) + "\n")
    [call] = generic.read(LogFile.from_path(path, "calls.jsonl"))
    assert isinstance(call, LoggedCall)
    assert call.extra == {"first_token_ms": 80.0}
