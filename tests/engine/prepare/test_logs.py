from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptbench.core.errors import Code, Diagnostics
from promptbench.engine.prepare.inputs import read_logs
from tests.helpers.suites import HEAD, loaded, write


def call(name: str) -> str:
    return json.dumps({"promptbench": "call/1", "id": name, "vars": {}, "answer": "x"}) + "\n"


def read(folder: Path, written: str) -> tuple[list[str], list[tuple[Code, str]]]:
    suite, problems = loaded(folder, HEAD + f"log: {written}\n")
    assert suite is not None
    assert not list(problems)
    found = Diagnostics()
    return [item.id for item in read_logs(suite, found)], [(item.code, str(item.location)) for item in found]


def test_all_calls_of_all_logs_in_order(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": call("1") + call("2"), "sub/b": call("3"), "empty.jsonl": " \n"})
    assert read(tmp_path, "[a.jsonl, empty.jsonl, sub/b]") == (["1", "2", "3"], [])


@pytest.mark.parametrize(
    ("written", "code", "column"),
    [
        ("none.jsonl", Code.FILE_NOT_FOUND, 6),
        ("[good, none.jsonl]", Code.FILE_NOT_FOUND, 13),
        ("folder", Code.BAD_LOG, 6),
        ("notes.txt", Code.BAD_LOG, 6),
        ("broken", Code.BAD_LOG, 6),
        ("image", Code.BAD_LOG, 6),
        ("../up", Code.PATH_OUTSIDE, 6),
    ],
)
def test_what_is_no_log(written: str, code: Code, column: int, tmp_path: Path) -> None:
    write(tmp_path, {"good": call("1"), "notes.txt": "call back\n", "broken": call("1") + "{\n"})
    (tmp_path / "folder").mkdir()
    (tmp_path / "image").write_bytes(b"\x89PNG\r\n\0\xff")
    ids, problems = read(tmp_path, written)
    assert problems == [(code, f"suite.yaml:4:{column}")]
    assert ids == (["1"] if "good" in written else [])


def test_a_log_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    write(tmp_path, {"broken": call("1") + "{\n"})
    assert read(tmp_path, "broken")[0] == []
