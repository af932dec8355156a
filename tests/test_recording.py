"""`record_call`: one line per call, whoever else writes, and whoever is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from promptbench.cli.app import run
from promptbench.core.types import FailureTier, LoggedCall, Usage
from promptbench.ingest.files.log_file import LogFile
from promptbench.ingest.promptbench_log import SPEC
from promptbench.recording import record_call

WRITER = """
import sys
from promptbench.recording import record_call
for number in range(int(sys.argv[3])):
    record_call(sys.argv[1], model="m", answer=sys.argv[2] * 20_000, id=f"{sys.argv[2]}{number}")
"""


def calls(path: Path) -> list[LoggedCall]:
    found = list(SPEC.read(LogFile.from_path(path)))
    assert all(isinstance(call, LoggedCall) for call in found), found
    return [call for call in found if isinstance(call, LoggedCall)]


def test_a_full_call_is_read_as_it_was_recorded(tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    name = record_call(
        log,
        model="openai/gpt-5-mini",
        prompt="triage",
        prompt_version="sha256:ab",
        variables={"message": "hi"},
        messages=[{"role": "user", "content": "hi"}],
        answer="{",
        error=ValueError("no brace"),
        finish_reason="stop",
        latency_ms=12.5,
        input_tokens=3,
        output_tokens=4,
        task="route",
        tags=["eu"],
    )
    (call,) = calls(log)
    assert (call.id, call.model, call.prompt, call.answer) == (name, "openai/gpt-5-mini", "triage", "{")
    assert (call.failed, call.tier, call.error) == ("ValueError: no brace", FailureTier.CONTENT, None)
    assert (call.usage, call.latency_ms, call.tags) == (Usage(3, 4), 12.5, ("eu",))
    assert (call.extra["task"], call.extra["error_kind"]) == ("route", "ValueError")
    assert call.variables == {"message": "hi"}


def test_a_call_without_an_answer_failed_in_transport(tmp_path: Path) -> None:
    record_call(tmp_path / "log", model="m", error=TimeoutError())
    (call,) = calls(tmp_path / "log")
    assert (call.error, call.tier, call.answer) == ("TimeoutError", FailureTier.TRANSPORT, None)


def test_messages_that_the_log_has_no_form_for_are_kept(tmp_path: Path) -> None:
    asked = [{"role": "tool", "content": [{"type": "image"}], "id": 1}]
    record_call(tmp_path / "log", model="m", answer="x", messages=asked)
    (call,) = calls(tmp_path / "log")
    assert (call.messages, call.extra["original_messages"]) == ((), asked)


class Odd:
    def __str__(self) -> str:
        raise RuntimeError


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.builds(Odd),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner),
)


@given(answer=st.text(st.characters()), value=values, error=st.text(st.characters()) | st.none())
def test_no_value_makes_a_line_that_cannot_be_read(
    tmp_path_factory: pytest.TempPathFactory, answer: str, value: Any, error: str | None
) -> None:
    log = tmp_path_factory.mktemp("calls") / "log"
    record_call(log, model="m", answer=answer, variables={"v": value}, error=error)
    record_call(log, model="m", answer="{}", id="last")
    assert log.read_bytes().count(b"\n") == 2
    assert calls(log)[1].id == "last"


def test_a_value_that_contains_itself(tmp_path: Path) -> None:
    ring: list[Any] = []
    ring += [ring, ring]
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    record_call(tmp_path / "log", model="m", answer="x", variables={"ring": ring, "deep": deep, "big": 10**5000})
    assert calls(tmp_path / "log")[0].variables["ring"] == ["…", "…"]  # type: ignore[index]


def test_processes_and_threads_write_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, str(log), letter, "50"]) for letter in "abc"]

    def write(letter: str) -> None:
        for number in range(50):
            record_call(log, model="m", answer=letter * 20_000, id=f"{letter}{number}")

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    found = calls(log)
    assert {call.id for call in found} == {f"{letter}{number}" for letter in "abcxyz" for number in range(50)}
    assert all(call.answer == call.id[0] * 20_000 for call in found)


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("after", [0, 1])
def test_a_torn_line_costs_only_itself(
    tmp_path: Path,
    before: int,
    after: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "calls.jsonl"
    for number in range(before):
        record_call(log, model="m", answer="{}", id=f"before {number}")
    with log.open("ab") as file:  # What a process leaves that is killed in the middle of a write.
        file.write(b'{"promptbench": "call/1", "id": "torn", "answer": "{\\"te')
    for number in range(after):
        record_call(log, model="m", answer="{}", id=f"after {number}")
    code = run(["import", "calls.jsonl", "--json"])
    if before + after:
        data = json.loads(capsys.readouterr().out)
        assert (code, data["calls"], data["bad"]) == (0, before + after, 1)


def test_a_killed_process_loses_no_earlier_line(tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    for letter in "abc":
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(log), letter, "1000000"])
        size = log.stat().st_size if log.exists() else 0
        while process.poll() is None and (log.stat().st_size if log.exists() else 0) < size + 200_000:
            time.sleep(0.001)
        process.kill()
        process.wait(60)
        record_call(log, model="m", answer="{}", id=f"after {letter}")
    found = [call.id for call in SPEC.read(LogFile.from_path(log)) if isinstance(call, LoggedCall)]
    assert [name for name in found if name.startswith("after")] == ["after a", "after b", "after c"]
    for letter in "abc":
        mine = [name for name in found if name[0] == letter and name[1:].isdigit()]
        assert mine == [f"{letter}{number}" for number in range(len(mine))]
        assert len(mine) >= 9


def test_a_failed_write_leaves_no_half_of_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    record_call(log, model="m", answer="{}")
    whole, write = log.read_bytes(), os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 10:
            return write(descriptor, data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda d, b: full(d, b) if b.startswith(b"{") else full(d, b[:5]))
        with pytest.raises(OSError, match="No space"):
            record_call(log, model="m", answer="{}")
    assert log.read_bytes() == whole
    json.loads(whole)
