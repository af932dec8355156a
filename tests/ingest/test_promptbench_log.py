from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from promptbench.core.types import BadRecord, FailureTier, LoggedCall, Message, Usage
from promptbench.ingest.files.log_file import LogFile
from promptbench.ingest.promptbench_log import SPEC, matches

LEAST = {"promptbench": "call/1", "id": "c1", "vars": {"message": "hi"}, "answer": "{}"}


def log(folder: Path, content: bytes | str) -> LogFile:
    path = folder / "log.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return LogFile.from_path(path)


def calls(folder: Path, content: bytes | str) -> list[LoggedCall]:
    found = list(SPEC.read(log(folder, content)))
    assert all(isinstance(call, LoggedCall) for call in found), found
    return [replace(call, raw=None) for call in found if isinstance(call, LoggedCall)]


def line(**more: Any) -> str:
    return json.dumps({**LEAST, **more}) + "\n"


def test_the_least_line(tmp_path: Path) -> None:
    assert calls(tmp_path, line()) == [LoggedCall("c1", "{}", variables={"message": "hi"}, format="promptbench_log")]


def test_a_full_line(tmp_path: Path) -> None:
    (call,) = calls(
        tmp_path,
        line(
            id=7,
            time="2026-11-24T10:00:00Z",
            prompt="triage",
            prompt_version="sha256:ab",
            messages=[{"role": "user", "content": "hi"}],
            model="openai/gpt-5-mini",
            error="timeout",
            finish_reason="length",
            usage={"input_tokens": 3, "output_tokens": 4, "cached_tokens": 1, "own": 9},
            latency_ms=12.5,
            failed="parse",
            tags=["a", 1],
            trace={"kept": [1]},
        ),
    )
    assert call == LoggedCall(
        id="7",
        answer="{}",
        model="openai/gpt-5-mini",
        time="2026-11-24T10:00:00Z",
        variables={"message": "hi"},
        messages=(Message("user", "hi"),),
        prompt="triage",
        prompt_version="sha256:ab",
        error="timeout",
        finish_reason="length",
        usage=Usage(3, 4, 1),
        latency_ms=12.5,
        failed="parse",
        tags=("a", "1"),
        extra={"trace": {"kept": [1]}},
        tier=FailureTier.TRUNCATED,
        format="promptbench_log",
    )


def test_the_whole_record_is_kept(tmp_path: Path) -> None:
    (call,) = SPEC.read(log(tmp_path, line(own=1)))
    assert isinstance(call, LoggedCall)
    assert call.raw == {**LEAST, "own": 1}


@pytest.mark.parametrize(
    ("more", "tier"),
    [
        ({}, None),
        ({"answer": None, "error": "timeout"}, FailureTier.TRANSPORT),
        ({"finish_reason": "length", "failed": "parse"}, FailureTier.TRUNCATED),
        ({"finish_reason": "stop", "failed": "parse"}, FailureTier.CONTENT),
    ],
)
def test_what_of_it_failed(more: dict[str, Any], tier: FailureTier | None, tmp_path: Path) -> None:
    assert calls(tmp_path, line(**more))[0].tier is tier


def test_usage_in_other_words_is_no_usage(tmp_path: Path) -> None:
    assert calls(tmp_path, line(usage={"prompt_tokens": 3}))[0].usage is None


def test_what_editors_and_systems_add_is_no_mistake(tmp_path: Path) -> None:
    content = "\ufeff" + line() + "\r\n \n" + line(id="c2", answer="a\u2028b").replace("\n", "\r\n")
    assert [(call.id, call.answer) for call in calls(tmp_path, content)] == [("c1", "{}"), ("c2", "a\u2028b")]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{\n", "not JSON"),
        (line()[:20], "JSON"),
        ('{"promptbench": "call/1", "id": NaN}', "JSON"),
        ('{"promptbench": "call/1", "id": "x", "vars": {"n": 1e999}}', "JSON"),
        ('{"a": ' * 3000 + "1" + "}" * 3000, "nested"),
        (b"\xff\xfe\n", "not JSON"),
        ("[]", "it is not an object"),
        ("{}", "lacks"),
        (line(promptbench="call/9"), "lacks"),
        (line(id=None), "needs an 'id'"),
        (line(id=True), "needs an 'id'"),
        (line(id=[1]), "needs an 'id'"),
        (line(vars=[]), "'vars' must be an object"),
        (line(answer={}), "'answer' must be a string"),
        (line(model=1), "'model' must be a string"),
        (line(tags="abc"), "'tags' must be a list"),
        (line(usage=3), "'usage' must be an object"),
        (line(latency_ms="12"), "'latency_ms' must be a number"),
        (line(messages=["hi"]), "each of 'messages'"),
        (line(messages=[{"role": "robot", "content": "x"}]), "each of 'messages'"),
        (line(messages=[{"role": "user", "content": None}]), "each of 'messages'"),
    ],
)
def test_a_bad_line_is_named(bad: str | bytes, said: str, tmp_path: Path) -> None:
    content = (
        line().encode() + (bad if isinstance(bad, bytes) else bad.encode()).rstrip() + b"\n" + line(id="c3").encode()
    )
    first, second, third = SPEC.read(log(tmp_path, content))
    assert isinstance(second, BadRecord)
    assert second.place == "line 2"
    assert said in second.reason
    assert [call.id for call in (first, third) if isinstance(call, LoggedCall)] == ["c1", "c3"]


@pytest.mark.parametrize(
    ("head", "known"),
    [
        (line().encode(), True),
        (b"\xef\xbb\xbf\n " + line().encode(), True),
        (b'{"id": 1}\n' + line().encode(), False),
        (b"{\n" + line().encode(), True),
        (b"[]", False),
        (b"", False),
        (b'"promptbench"', False),
    ],
)
def test_matches(head: bytes, known: bool, tmp_path: Path) -> None:
    assert matches(log(tmp_path, head)) is known


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    more=st.dictionaries(
        st.sampled_from([*LEAST, "messages", "usage", "tags", "model", "latency_ms", "failed"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
            max_leaves=4,
        ),
    )
)
def test_any_json_is_read_or_refused_with_its_line(more: dict[str, Any], tmp_path: Path) -> None:
    (call,) = SPEC.read(log(tmp_path, line(**more)))
    assert isinstance(call, LoggedCall) or call.place in ("line 1", "record 1")
