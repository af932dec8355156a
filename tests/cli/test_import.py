"""Logs into the record, as a user imports them. What must not be kept is looked for in every byte that was written."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from promptbench.ingest.files import log_file
from promptbench.workflows.judge import workers
from promptbench.workflows.logs import import_logs
from tests.helpers.project import Ended, ProjectFolder

PLANTED = {
    "email": "ann.lee@acme.co.uk",
    "phone": "+49 170 1234567",
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "key": "sk-proj-abc123DEF456ghi789",
    "id": "536-90-4399",
    "ip": "81.2.69.142",
}
# What only the words before it give away.
LABELLED = {"Mein Passwort lautet": "Hunter22x", "born on": "12.03.1985", "passport number": "C01X00T47"}
TEXT = "Hello, " + ", ".join((*PLANTED.values(), *map(" ".join, LABELLED.items()))) + "\nbye"
ANSWER = json.dumps({"said": TEXT})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> ProjectFolder:
    monkeypatch.chdir(tmp_path)
    return ProjectFolder(tmp_path, "http://127.0.0.1:1", capsys)


def call(name: str = "c1", **more: Any) -> dict[str, Any]:
    return {"promptbench": "call/1", "id": name, "vars": {"message": "hi"}, "answer": "{}", **more}


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def rows(project: ProjectFolder, what: str = "count(*)") -> list[Any]:
    database = sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")
    try:
        return [row[0] for row in database.execute(f"SELECT {what} FROM logged_call")]
    finally:
        database.close()


def written(root: Path) -> Iterator[bytes]:
    """Every byte of the state."""
    for path in (root / ".promptbench").rglob("*"):
        if path.is_file():
            yield path.read_bytes()


def body(text: str) -> dict[str, Any]:
    return {"model": "gpt-5-mini", "messages": [{"role": "user", "content": text}]}


def reply(text: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"}
    return {"id": "r1", "object": "chat.completion", "model": "gpt-5-mini", "choices": [choice]}


def table() -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([["prompt", "response", "user@acme.co.uk"], [TEXT, ANSWER, TEXT]])
    return text.getvalue()


def otlp() -> dict[str, Any]:
    def attribute(key: str, value: str) -> dict[str, Any]:
        return {"key": key, "value": {"stringValue": value}}

    def message(role: str, text: str) -> str:
        return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}], "finish_reason": "stop"}])

    attributes = [
        attribute("gen_ai.operation.name", "chat"),
        attribute("gen_ai.request.model", "gpt-5-mini"),
        attribute("gen_ai.input.messages", message("user", TEXT)),
        attribute("gen_ai.output.messages", message("assistant", ANSWER)),
    ]
    span = {
        "traceId": "t",
        "spanId": "s",
        "name": "chat",
        "attributes": attributes,
        "status": {"code": 2, "message": TEXT},
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


FORMATS: dict[str, dict[str, str]] = {
    "promptbench log": {
        "log.jsonl": lines(call(vars={"m": TEXT}, answer=ANSWER, error=TEXT, tags=[TEXT], own={TEXT: 1}))
    },
    "openai batch": {
        "in.jsonl": lines({"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body(TEXT)}),
        "out.jsonl": lines(
            {
                "id": "b",
                "custom_id": "1",
                "response": {"status_code": 200, "request_id": "q", "body": reply(ANSWER)},
                "error": None,
            }
        ),
    },
    "langfuse": {
        "log.json": json.dumps(
            [
                {
                    "id": "1",
                    "traceId": "t",
                    "type": "GENERATION",
                    "name": "n",
                    "level": "ERROR",
                    "statusMessage": TEXT,
                    "input": [{"role": "user", "content": TEXT}],
                    "output": ANSWER,
                    "model": "m",
                    "modelParameters": {},
                    "startTime": "2026-11-24T10:00:00Z",
                    "traceName": TEXT,
                }
            ]
        )
    },
    "helicone": {
        "log.jsonl": lines(
            {
                "request_id": "1",
                "response_id": "2",
                "response_status": 500,
                "model": "m",
                "provider": "OPENAI",
                "request_created_at": "2026-11-24T10:00:00Z",
                "request_body": json.dumps(body(TEXT)),
                "response_body": json.dumps({"error": {"message": TEXT}}),
                "properties": {"user": TEXT},
            }
        )
    },
    "langsmith": {
        "log.jsonl": lines(
            {
                "id": "1",
                "name": "ChatOpenAI",
                "run_type": "llm",
                "start_time": "2026-11-24T10:00:00",
                "error": TEXT,
                "inputs": {"messages": [{"role": "user", "content": TEXT}]},
                "outputs": None,
                "extra": {"metadata": {"u": TEXT}},
            }
        )
    },
    "litellm": {
        "log.jsonl": lines(
            {
                "id": "1",
                "call_type": "completion",
                "model_group": "m",
                "model_parameters": {},
                "status": "failure",
                "messages": [{"role": "user", "content": TEXT}],
                "response": {},
                "error_str": TEXT,
                "model": "m",
                "startTime": 1.7e9,
            }
        )
    },
    "otlp": {"log.jsonl": lines(otlp())},
    "generic": {"log.csv": table()},
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_nothing_that_was_planted_reaches_the_disk(name: str, packed: bool, project: ProjectFolder) -> None:
    folder = project.root / "logs"
    folder.mkdir()
    for file, text in FORMATS[name].items():
        content = text.encode()
        (folder / (f"{file}.gz" if packed else file)).write_bytes(gzip.compress(content) if packed else content)
    ended = project.run("import", "logs", "--json")
    assert ended.code == 0, ended.err
    assert ended.data["selected"] == 1
    assert name.replace(" ", "_") in [file["format"] for file in ended.data["files"]]
    assert ended.data["redacted"].keys() >= PLANTED.keys()
    state = b"".join(written(project.root))
    assert b"@example.com" in state
    for value in (
        *PLANTED.values(),
        *LABELLED.values(),
        "4111111111111111",
        "acme.co.uk",
        "abc123DEF456ghi789",
        "1234567",
    ):
        assert value.encode() not in state
    assert project.run("import", "logs").out.splitlines()[-1].startswith("imported 1 call: 0 new, 1 already there")


def test_a_pipe_leaves_nothing_behind_either(project: ProjectFolder) -> None:
    (project.root / "tmp").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "promptbench", "import", "-", "--json"],
        input=lines(call(answer=ANSWER)) * 2,
        env={**os.environ, "TMPDIR": str(project.root / "tmp")},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout)["added"] == 1
    assert not list((project.root / "tmp").iterdir())
    assert not any(b"acme" in part for part in written(project.root))


def test_no_redact_is_said_aloud(project: ProjectFolder) -> None:
    project.write("log.jsonl", lines(call(answer=ANSWER)))
    ended = project.run("import", "log.jsonl", "--no-redact")
    assert "warning: nothing is redacted" in ended.err
    assert "redacted" not in ended.out
    assert rows(project, "answer") == [ANSWER]


def test_the_same_person_in_every_import(project: ProjectFolder) -> None:
    project.write("one.jsonl", lines(call("c1", answer="ann@acme.com")))
    project.write("two.jsonl", lines(call("c2", answer="to ANN@acme.com")))
    for file in ("one.jsonl", "two.jsonl"):
        assert project.run("import", file).code == 0
    first, second = rows(project, "answer")
    assert second == f"to {first}"
    if os.name == "posix":
        assert (project.root / ".promptbench" / "redaction.key").stat().st_mode & 0o077 == 0


def test_patterns_of_the_project(project: ProjectFolder) -> None:
    project.write("promptbench.toml", "[redact]\ncustomer = 'KD-(\\d{6})'\n")
    project.write("log.jsonl", lines(call(answer="KD-123456")))
    assert "1 customer" in project.run("import", "log.jsonl").out
    assert rows(project, "answer")[0].startswith("KD-999")
    project.write("promptbench.toml", "[redact]\ncustomer = '('\n")
    ended = project.run("import", "log.jsonl")
    assert (ended.code, "the pattern 'customer'" in ended.err) == (2, True)


def test_bad_records_are_counted_and_listed(project: ProjectFolder) -> None:
    project.write(
        "log.jsonl", lines(call("c1")) + "{oops\n" + lines(call("c2"), {"promptbench": "call/1"}) * 1 + "x\n" * 30
    )
    ended = project.run("import", "log.jsonl")
    assert ended.code == 0
    assert ended.out.splitlines()[:3] == [
        "log.jsonl: promptbench log, 2 calls, 32 bad",
        "  log.jsonl, line 2: not JSON: Expecting property name enclosed in double quotes, at column 2",
        "  log.jsonl, line 4: it needs an 'id': expected a string or a number",
    ]
    assert "  and 12 more bad records" in ended.out
    assert rows(project) == [2]


def test_files_folders_patterns_and_a_dry_run(project: ProjectFolder) -> None:
    for name in ("logs/a.jsonl", "logs/deep/b.jsonl", "logs/.hidden/c.jsonl"):
        project.write(name, lines(call(name)))
    project.write("logs/README.md", "These are our logs.\n")
    ended = project.run("import", "logs", "--dry-run")
    assert (ended.code, (project.root / ".promptbench").exists()) == (0, False)
    assert "left out" in ended.out
    assert ended.out.splitlines()[-1] == "would import 2 calls: 2 new, 0 already there"
    assert project.run("import", "logs/*.jsonl", "--json").data["added"] == 1
    assert project.run("import", "logs/**/*.jsonl", "logs/a.jsonl", "--json").data["added"] == 1


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (["--failed-only"], ["2", "3"]),
        (["--since", "2026-11-20"], ["3"]),
        (["--model", "gpt*"], ["1", "2"]),
        (["--where", "team=eu", "--where", "latency_ms>10"], ["2"]),
        (["--failed-only", "--model", "claude"], ["3"]),
    ],
)
def test_filters(options: list[str], kept: list[str], project: ProjectFolder) -> None:
    project.write(
        "log.jsonl",
        lines(
            call("1", model="openai/gpt", team="eu", latency_ms=5, time="2026-11-01T00:00:00Z"),
            call("2", model="openai/gpt", team="eu", latency_ms=50, failed="parse"),
            call("3", model="claude", team="us", error="429", answer=None, time="2026-11-21T00:00:00Z"),
        ),
    )
    assert project.run("import", "log.jsonl", *options).code == 0
    assert rows(project, "source_id") == kept
    nothing = project.run("import", "log.jsonl", "--model", "none")
    assert (nothing.code, "0 of 3 calls selected" in nothing.err) == (7, True)


def test_columns_by_hand(project: ProjectFolder) -> None:
    project.write("empty.jsonl", "")
    assert "error: the log is empty\n" in project.run("import", "empty.jsonl").err
    assert "`promptbench import --help` lists the options" in project.run("import", "empty.jsonl", "--colums", "a").err
    project.write("log.csv", "frage,antwort\nhi,hello\n")
    assert project.run("import", "log.csv").code == 2
    ended = project.run("import", "log.csv", "--map", "input=frage", "--map", "answer=antwort")
    assert ended.code == 0, ended.err
    assert rows(project, "answer") == ["hello"]
    assert project.run("import", "log.csv", "--map", "answer").code == 2


def sqlite(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE orders (id)")
    database.commit()
    database.close()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.parquet", b"PAR1xxxx", "is a Parquet file, which is not supported; export it as JSON Lines"),
        ("x.zip", b"PK\x03\x04xx", "is a ZIP archive"),
        ("x.bin", b"\x89PNG\r\n\0\xff", "is a binary file"),
        ("x.txt", b"call back\nann@acme.com\n", "is text, but neither JSON nor a table"),
        ("x.json", b'{"colour": 1, "size": 2}', "its records have the keys colour, size"),
        ("x.jsonl", b"{oops\n{oops\n", "begins like JSON, but none of its first records can be read"),
        ("x.gz", b"\x1f\x8bxxxx", "is not a valid gzip file"),
        ("none.jsonl", None, "file not found: none.jsonl"),
        ("*.none", None, "no file matches '*.none'"),
        ("x.db", "sqlite", "is a SQLite database of another program, with the tables orders"),
    ],
)
def test_what_is_no_log(name: str, content: bytes | str | None, said: str, project: ProjectFolder) -> None:
    if content == "sqlite":
        sqlite(project.root / name)
    elif isinstance(content, bytes):
        (project.root / name).write_bytes(content)
    ended = project.run("import", name)
    assert (ended.code, said in ended.err.replace("\n", " ")) == (2, True), ended
    assert "acme" not in ended.err
    if content is not None:
        assert "known formats: " in ended.err
        assert "promptbench log" in ended.err


@pytest.mark.parametrize("options", [["--since", "soon"], ["--where", "x"], ["--format", "langfuze"]])
def test_options_that_are_wrong(options: list[str], project: ProjectFolder) -> None:
    project.write("log.jsonl", lines(call()))
    ended = project.run("import", "log.jsonl", *options)
    assert (ended.code, "hint: " in ended.err) == (2, True)


def imported(ended: Ended) -> tuple[int, int]:
    return ended.data["selected"], ended.data["added"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_anywhere_the_same_command_completes_it(project: ProjectFolder) -> None:
    count = 4_000
    with (project.root / "log.jsonl").open("w", encoding="utf-8") as file:
        for index in range(count):
            file.write(lines(call(str(index), answer=f"write to a{index % 100}@acme.com, please " + "x" * 300)))
    before = 0
    for _ in range(2):
        process = project.start("import", "log.jsonl")
        database = project.root / ".promptbench" / "runs.sqlite"
        for _ in range(1200):
            time.sleep(0.02)
            if process.poll() is not None or (database.exists() and _kept(database) > before):
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = _kept(database)
    assert 0 < before <= count
    assert imported(project.run("import", "log.jsonl", "--json")) == (count, count - before)
    assert rows(project, "count(DISTINCT source_id)") == [count]
    assert not any(b"acme" in part for part in written(project.root))
    assert imported(project.run("import", "log.jsonl", "--json")) == (count, 0)


def _kept(path: Path) -> int:
    database = sqlite3.connect(path, timeout=30)
    try:
        return int(database.execute("SELECT count(*) FROM logged_call").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # not there yet
    finally:
        database.close()


def test_a_known_line_is_not_read_again(project: ProjectFolder) -> None:
    lines = [json.dumps({"promptbench": "call/1", "id": n, "vars": {"m": n}, "answer": "x"}) for n in range(3)]
    failed = json.dumps({"promptbench": "call/1", "id": "f", "vars": {"m": 9}, "answer": "y", "failed": "bad"})
    project.write("log.jsonl", "\n".join([*lines, failed, "{", ""]))
    first, again = (project.run("import", "log.jsonl", "--json").data for _ in range(2))
    assert (first["added"], again["added"], again["already_there"]) == (4, 0, 4)
    assert [again[name] for name in ("calls", "selected", "bad", "failed")] == [4, 4, 1, {"content": 1}]
    # A log that has grown, and a call that was removed, are read; so is a line that is read in another way.
    project.write("log.jsonl", "\n".join([*lines, failed, lines[0].replace("0", "7"), ""]))
    with closing(sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")) as runs, runs:
        runs.execute("DELETE FROM logged_call WHERE source_id = '1'")
    assert project.run("import", "log.jsonl", "--json").data["added"] == 2
    assert project.run("import", "log.jsonl", "--json", "--log-model", "m").data["added"] == 5
    assert project.run("import", "log.jsonl", "--json", "--failed-only").data["selected"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("filters", [[], ["--failed-only"]])
def test_large_logs_are_read_on_all_cores_with_the_same_result(
    project: ProjectFolder, monkeypatch: pytest.MonkeyPatch, filters: list[str]
) -> None:
    many = [call(f"c{n}", answer=ANSWER if n % 7 == 0 else f"{n}", failed="no" if n % 5 else None) for n in range(900)]
    text = lines(*many[:400]) + "{broken\n\n" + lines(*many[300:], {"promptbench": "call/1", "id": "no input"})
    project.write("log.jsonl", text)
    kept = {}
    for shared in (False, True):
        monkeypatch.setattr(import_logs, "_SHARED_BYTES", 1 if shared else len(text) + 1)
        monkeypatch.setattr(workers, "core_count", lambda: 3)
        monkeypatch.setattr(log_file, "_PART_BYTES", 2000)
        monkeypatch.setattr(log_file, "CHUNK_BYTES", 2000)
        for old in (project.root / ".promptbench").glob("runs.sqlite*"):
            old.unlink()
        first = project.run("import", "log.jsonl", "--json", *filters).data
        project.write("log.jsonl", text + lines(call("new")))
        again = project.run("import", "log.jsonl", "--json", *filters).data
        project.write("log.jsonl", text)
        database = sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")
        with closing(database):
            found = database.execute("SELECT id, source, raw, tier, line FROM logged_call ORDER BY rowid").fetchall()
        kept[shared] = first, again, found
    assert kept[True] == kept[False]
    assert kept[True][0]["redacted"]["email"]
    assert kept[True][0]["bad"] == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the process by Linux's list of processes")
def test_a_process_that_is_killed_loses_no_committed_call(project: ProjectFolder) -> None:
    record = lines(call(answer="no personal data " * 20))
    with (project.root / "log.jsonl").open("w", encoding="utf-8") as file:
        for number in range(24 * 2**20 // len(record)):
            file.write(record.replace('"c1"', f'"c{number}"'))
    importing = subprocess.Popen(
        [sys.executable, "-m", "promptbench", "import", "log.jsonl"], cwd=project.root, stderr=subprocess.PIPE
    )
    while not (found := _spawned_by(importing.pid)):
        assert importing.poll() is None
        time.sleep(0.05)
    time.sleep(1)
    os.kill(int(found[0]), signal.SIGKILL)
    _, said = importing.communicate()
    assert importing.returncode == 4
    assert "repeat the command" in said.decode()
    before = rows(project)[0]
    assert project.run("import", "log.jsonl", "--json").data["added"] == number + 1 - before


def _spawned_by(process: int) -> list[str]:
    children = [pid for each in Path(f"/proc/{process}/task").glob("*/children") for pid in each.read_text().split()]
    return [pid for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
