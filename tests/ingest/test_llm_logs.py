"""The databases are those that llm 0.27 and 0.36 write for the same calls, as SQL (`llm/`)."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.core.types import BadRecord, FailureTier, Message, Usage
from promptbench.ingest import detect_format, llm_logs
from promptbench.ingest.files.log_file import LogFile
from tests.helpers.logs import calls, log, read

SCRIPTS = Path(__file__).parent / "llm"
CALL = '[{"name": "weather", "arguments": {"city": "Nowhere"}}]'


@cache
def written(version: str) -> bytes:
    with closing(sqlite3.connect(":memory:")) as made:
        made.executescript((SCRIPTS / f"{version}.sql").read_text(encoding="utf-8"))
        return made.serialize()


def changed(version: str, *statements: str, values: tuple[object, ...] = ()) -> bytes:
    """The database after these statements."""
    with closing(sqlite3.connect(":memory:")) as made:
        made.deserialize(written(version))
        for statement in statements:
            made.execute(statement, values)
        made.commit()
        return made.serialize()


def database(folder: Path, version: str, *statements: str) -> Path:
    path = folder / "logs.db"
    path.write_bytes(changed(version, *statements))
    return path


@pytest.mark.parametrize("version", ["0.27", "0.36"])
def test_both_kinds_of_tables_say_the_same(version: str, tmp_path: Path) -> None:
    found = calls(LogFile.from_path(database(tmp_path, version)), "llm_logs")
    assert [(call.answer, call.finish_reason) for call in found] == [
        ("plain answer", "stop"),
        ("first reply", "stop"),
        ("second reply that is cut", "length"),
        ("about the novel", "stop"),
        (CALL, "stop"),
        ("it is unknown", "stop"),
        ("an image", "stop"),
    ]
    user = [Message("user", text) for text in ("a question", "one", "two", "weather?")]
    assert [call.messages for call in found] == [
        (Message("system", "be brief"), user[0]),
        (user[1],),
        (user[1], Message("assistant", "first reply"), user[2]),
        (Message("system", "Act as a critic."), Message("user", "A long novel.\nwhat is it")),
        (user[3],),
        (user[3], Message("assistant", CALL), Message("tool", "Error: no such city")),
        (Message("user", "see\n[image]"),),
    ]
    assert {call.usage for call in found} == {Usage(31, 12, 8)}
    assert [(call.failed, call.tier) for call in found if call.failed] == [
        ("finish reason length", FailureTier.TRUNCATED),
        ("tool exception: ValueError: no such city", FailureTier.CONTENT),
    ]
    assert found[4].extra["tool_calls"] == [{"id": "tc_1", "name": "weather", "arguments": {"city": "Nowhere"}}]
    assert found[6].extra["parts"] == {"image": 1}
    assert all((call.time or "").startswith("2026-11-24T19:22:0") for call in found)


def test_a_response_that_is_a_turn_too_is_read_once(tmp_path: Path) -> None:
    both = "INSERT INTO responses (id, model, prompt, response) SELECT id, model, 'old', 'old' FROM turns LIMIT 1"
    old = "INSERT INTO responses (id, model, prompt, response) VALUES ('0', 'm', 'hi', 'yes')"
    found = calls(LogFile.from_path(database(tmp_path, "0.36", both, old)))
    assert len(found) == 8
    assert [(call.id, call.answer) for call in found if call.answer in ("yes", "old")] == [("0", "yes")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('{"intent": "x"}', None),
        ("Sure!", "schema: the answer is not JSON"),
        ('{"a": 1}', "schema: missing 'intent'"),
        ('{"intent": 3}', "schema: intent: expected string, got 3"),
    ],
)
def test_an_answer_that_does_not_fit_its_schema(answer: str, said: str | None, tmp_path: Path) -> None:
    schema = '{"type": "object", "properties": {"intent": {"type": "string"}}, "required": ["intent"]}'
    path = database(
        tmp_path,
        "0.27",
        "DELETE FROM responses",
        f"INSERT INTO schemas VALUES ('s', '{schema}')",
        f"INSERT INTO responses (id, model, prompt, response, schema_id) VALUES ('1', 'm', 'hi', '{answer}', 's')",
    )
    (call,) = calls(LogFile.from_path(path))
    assert (call.failed, call.tier) == (said, FailureTier.CONTENT if said else None)


def test_a_turn_whose_answer_does_not_fit_its_schema(tmp_path: Path) -> None:
    statements = ("INSERT INTO schemas VALUES ('s', '{\"type\": \"object\"}')", "UPDATE turns SET schema_id = 's'")
    found = calls(LogFile.from_path(database(tmp_path, "0.36", *statements)))
    assert (found[0].failed, found[0].tier) == ("schema: the answer is not JSON", FailureTier.CONTENT)
    assert found[0].extra["schema"] == {"type": "object"}


def test_a_schema_that_is_none_or_hostile_says_nothing(tmp_path: Path) -> None:
    # The last two take exponential time, unless patterns and choices are bounded.
    choices = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n - 1}"}] * 2} for n in range(1, 40)}
    tree = {"$ref": "#/$defs/d39", "$defs": {**choices, "d0": {"type": "array"}}}
    hostile = [
        '{"type": 7}',
        '{"$ref": "http://x/y"}',
        '{"$ref": "#"}',
        "no JSON",
        json.dumps(tree),
        '{"pattern": "(a+)+$"}',
    ]
    rows = [
        statement
        for number, schema in enumerate(hostile)
        for statement in (
            f"INSERT INTO schemas VALUES ('s{number}', '{schema}')",
            "INSERT INTO responses (id, model, prompt, response, schema_id)"
            f" VALUES ('{number}', 'm', 'hi', '\"{'a' * 40}!\"', 's{number}')",
        )
    ]
    found = calls(LogFile.from_path(database(tmp_path, "0.27", "DELETE FROM responses", *rows)))
    said = [call.failed and call.failed.partition(",")[0] for call in found]
    assert said == [*[None] * 4, "schema: expected one of 2 choices ('d38'", "schema: expected a match of '(a+)+$'"]


def test_one_that_is_compressed_or_came_by_a_pipe(tmp_path: Path) -> None:
    content = database(tmp_path, "0.36").read_bytes()
    assert len(calls(log(content), "llm_logs")) == 7
    (tmp_path / "logs.db.gz").write_bytes(gzip.compress(content))
    assert len(calls(LogFile.from_path(tmp_path / "logs.db.gz"), "llm_logs")) == 7


def test_nothing_is_written(tmp_path: Path) -> None:
    path = database(tmp_path, "0.36")
    before = path.read_bytes()
    calls(LogFile.from_path(path))
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["logs.db"]


def test_another_database_is_none_of_llm(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE turns (id)")
    assert detect_format(LogFile.from_path(path)) is None
    assert not llm_logs.matches(log(b"SQLite format 3\x00"))


def test_a_chain_of_messages_that_never_ends(tmp_path: Path) -> None:
    loop = "UPDATE messages SET parent_hash = hash"
    assert len(read(LogFile.from_path(database(tmp_path, "0.36", loop)))) == 7


@settings(max_examples=40, deadline=None)
@given(data=st.data(), version=st.sampled_from(["0.27", "0.36"]))
def test_damaged_databases_are_read_or_named(data: st.DataObject, version: str) -> None:
    content = bytearray(written(version))
    for _ in range(data.draw(st.integers(1, 30))):
        content[data.draw(st.integers(16, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = log(bytes(content[: data.draw(st.integers(100, len(content)))]))
    detect_format(file)
    for item in llm_logs.read(file):
        if isinstance(item, BadRecord):
            assert item.place
            assert item.reason


ODD = (
    st.none()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.sampled_from(["{}", "[]", '{"text_ref": [1, {"fragment": "x"}]}', '{"choices": [1]}', '{"a": ' * 400])
)
TABLES = ("turns", "messages", "parts", "schemas", "fragments", "responses", "tool_results", "attachments")


@settings(max_examples=60, deadline=None)
@given(table=st.sampled_from(TABLES), value=ODD, version=st.sampled_from(["0.27", "0.36"]), data=st.data())
def test_odd_rows_are_read_or_named(table: str, value: object, version: str, data: st.DataObject) -> None:
    with closing(sqlite3.connect(":memory:")) as made:
        made.deserialize(written(version))
        names = [row[1] for row in made.execute(f"PRAGMA table_info({table})") if not row[5]]
    if not names:
        return
    column = data.draw(st.sampled_from(names))
    for item in llm_logs.read(log(changed(version, f'UPDATE {table} SET "{column}" = ?', values=(value,)))):
        if isinstance(item, BadRecord):
            assert item.reason
        else:
            assert isinstance(item.answer, str | None)
            assert all(isinstance(message.content, str) for message in item.messages)
