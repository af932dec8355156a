from __future__ import annotations

import gzip
import io
import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from promptbench.core.types import BadRecord
from promptbench.ingest.files import log_file
from promptbench.ingest.files.log_file import RECORD_BYTES, WHOLE_BYTES, LogFile
from promptbench.ingest.files.streams import KEPT_BYTES, LogError, PipeBuffer


def log(folder: Path, content: bytes | str, name: str = "log") -> LogFile:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return LogFile.from_path(folder / name)


def read(folder: Path, content: bytes | str, at: tuple[str, ...] = ()) -> list[tuple[str, Any]]:
    """Location and value, or place and reason as bytes so that the two cannot be mixed up."""
    return [
        (item.place, item.reason.encode()) if isinstance(item, BadRecord) else item
        for item in log(folder, content).records(at)
    ]


A, B = {"a": 1}, {"a": "ü"}


@pytest.mark.parametrize(
    ("content", "places"),
    [
        ('{"a": 1}\n{"a": "ü"}\n', ["line 1", "line 2"]),
        ('{"a": 1}\r\n\r\n  {"a": "ü"}', ["line 1", "line 3"]),
        ('[{"a": 1}, {"a": "ü"}]', ["record 1", "record 2"]),
        ('\n [\n{"a": 1},\n{"a": "ü"}\n]\n', ["record 1", "record 2"]),
        ('{"data": [{"a": 1}, {"a": "ü"}], "has_more": false}', ["record 1", "record 2"]),
        ('{\n "x": 1,\n "runs": [{"a": 1},\n {"a": "ü"}]}', ["record 1", "record 2"]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_records_in_every_shape_and_encoding(content: str, places: list[str], encoding: str, tmp_path: Path) -> None:
    assert read(tmp_path, content.encode(encoding)) == list(zip(places, [A, B], strict=True))


def test_one_document_is_one_record(tmp_path: Path) -> None:
    assert read(tmp_path, '{"a":\n 1}') == [("record 1", A)]
    assert read(tmp_path, '{"a": 1}') == [("record 1", A)]
    assert read(tmp_path, '{"data": 1}') == [("record 1", {"data": 1})]


def test_a_list_deep_in_a_document(tmp_path: Path) -> None:
    content = json.dumps({"results": {"version": 3, "results": [A, B]}})
    assert [value for _, value in read(tmp_path, content, ("results", "results"))] == [A, B]
    assert read(tmp_path, content, ("results", "none")) == []


def test_what_cannot_be_read_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    bad = ["{", '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": ' * 300 + "1" + "}" * 300, '{"a": 1e999}', '"\\ud800"', "x"]
    found = read(tmp_path, "\n".join(['{"a": 1}', *bad, '{"a": "ü"}']))
    assert [found[0], found[-1]] == [("line 1", A), (f"line {len(bad) + 2}", B)]
    reasons = [reason.decode() for _, reason in found[1:-1]]
    assert [place for place, _ in found[1:-1]] == [f"line {number}" for number in range(2, len(bad) + 2)]
    assert reasons[0] == "not JSON: Expecting property name enclosed in double quotes, at column 2"
    assert reasons[3] == "nested more than 256 levels deep"
    assert all("JSON" in reason for index, reason in enumerate(reasons) if index != 3)


def test_a_bad_first_line_hides_nothing(tmp_path: Path) -> None:
    assert [place for place, _ in read(tmp_path, '{"a": \n{"a": 1}\n')] == ["line 1", "line 2"]


def test_latin_1_in_one_line_only(tmp_path: Path) -> None:
    content = '{"a": "ü"}\n'.encode() + '{"a": "ü"}\n'.encode("latin-1") + '{"a": "\u201cü\u201d"}'.encode("cp1252")
    assert [value["a"] for _, value in read(tmp_path, content)] == ["ü", "ü", "\u201cü\u201d"]


def test_a_line_of_100_mb_is_named_and_the_rest_is_read_in_flat_memory(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.write(b'{"a": 1}\n{"a": "')
        for _ in range(100):
            file.write(b"x" * 1024 * 1024)
        file.write(b'"}\n{"a": 1}\n')
    one = LogFile.from_path(tmp_path / "log")
    tracemalloc.start()
    found = list(one.records())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [("line 1", A), BadRecord("line 2", "longer than 16 MB"), ("line 3", A)]
    assert peak < 3.5 * RECORD_BYTES


def test_a_single_line_of_more_than_the_bound(tmp_path: Path) -> None:
    content = b'{"a": "' + b"x" * (RECORD_BYTES + 10) + b'"}'
    assert read(tmp_path, content) == [("record 1", b"longer than 16 MB, and not a list of records")]


def test_a_large_array_comes_item_by_item(tmp_path: Path) -> None:
    item = json.dumps({"a": "x" * 1000})
    count = WHOLE_BYTES // len(item) + 100
    many = ",\n".join([item] * count)
    for content in (f"[{many}]", f"[{many},\n]", f'{{"object": "list", "more": {{"x": [1]}}, "data": [{many}]}}'):
        one = log(tmp_path, content)
        tracemalloc.start()
        places = [place for place, _ in one.records()]  # type: ignore[misc]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (places[0], places[-1], len(places)) == ("record 1", f"record {count}", count)
        assert peak < 3 * WHOLE_BYTES


def test_a_large_array_that_breaks_off(tmp_path: Path) -> None:
    item = json.dumps({"a": "x" * 1000})
    count = WHOLE_BYTES // len(item) + 100
    found = read(tmp_path, "[" + ",".join([item] * count) + ', {"a": ')
    assert found[-1] == (f"record {count + 1}", b"not JSON from here on, or nested more than 256 levels deep")
    assert len(found) == count + 1


def test_depth_in_a_large_array(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    filler = json.dumps("x" * WHOLE_BYTES)
    _, second = read(tmp_path, f'[{filler}, {deep}, {{"a": 1}}]')
    assert second == ("record 2", b"not JSON from here on, or nested more than 256 levels deep")


def test_gzip(tmp_path: Path) -> None:
    one = log(tmp_path, gzip.compress(b'{"a": 1}\n' * 3))
    assert one.path is None
    assert one.head == b'{"a": 1}\n' * 3
    assert len(list(one.records())) == 3
    assert len(list(one.records())) == 3


def test_gzip_that_is_cut_short(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"a": index * 7919 % 10007}) + "\n" for index in range(40_000))
    found = read(tmp_path, gzip.compress(lines.encode())[:-5000])
    assert len(found) > 1000
    assert found[-1][1] == b"the gzip data is damaged or truncated"
    with pytest.raises(LogError, match="not a valid gzip"):
        log(tmp_path, b"\x1f\x8b nonsense")


@pytest.mark.slow
def test_a_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "bomb", "wb") as file:
        for _ in range(300):
            file.write(b"\0" * 1024 * 1024)
    one = LogFile.from_path(tmp_path / "bomb")
    found = list(one.records())
    assert isinstance(found[-1], BadRecord)
    assert "expands to more than 250 times its size" in found[-1].reason


def test_text_has_its_line_ends_as_lf(tmp_path: Path) -> None:
    assert list(log(tmp_path, b"\xef\xbb\xbfa\r\nb\n\nc").text()) == ["a\n", "b\n", "\n", "c"]
    assert list(log(tmp_path, "a\r\nü".encode("utf-16")).text()) == ["a\n", "ü"]
    with pytest.raises(LogError, match="line 2"):
        list(log(tmp_path, b"a\n" + b"x" * (RECORD_BYTES + 1)).text())


def test_sample_and_keys(tmp_path: Path) -> None:
    assert log(tmp_path, '{"a": 1}\n{"b": 1}').first_record == A
    assert log(tmp_path, 'oops\n{"a": 1}').first_record == A
    assert log(tmp_path, "[1, 2]").first_record is None
    assert log(tmp_path, "").first_record is None
    assert log(tmp_path, '{"object": "list", "data": [{"a": 1}]}').document_keys == {"object", "data"}
    assert log(tmp_path, '{"a": {"inner": 1}, "b": 1}\n{}').document_keys == {"a", "b"}
    big = '{"evalId": 1, "results": {"x": [' + ",".join(['"' + "y" * 1000 + '"'] * 5000) + "]}}"
    assert log(tmp_path, big).document_keys == {"evalId", "results"}


def test_the_same_file_with_others_beside_it(tmp_path: Path) -> None:
    one, other = log(tmp_path, "{}", "one"), log(tmp_path, "{}", "other")
    assert one.with_others([other]).others == (other,)


def test_a_pipe_is_read_again_from_the_start() -> None:
    piped = PipeBuffer(io.BytesIO(b'{"a": 1}\n{"a": "' + "ü".encode() + b'"}\n'))
    one = LogFile.from_opener(piped.open, "standard input")
    assert one.first_record == A
    assert list(one.records()) == list(one.records()) == [("line 1", A), ("line 2", B)]


def test_a_long_pipe_is_read_once_and_never_kept_on_disk() -> None:
    line = json.dumps({"a": "x" * 1_000_000}).encode() + b"\n"
    count = KEPT_BYTES // len(line) + 5
    piped = PipeBuffer(io.BytesIO(line * count))
    one = LogFile.from_opener(piped.open, "standard input")
    assert one.first_record is not None
    assert len(list(one.records())) == count
    with pytest.raises(OSError, match="only once"):
        list(one.records())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=300) | st.text(alphabet='{}[]",:\\ \n\r\t0aü\0', max_size=80).map(str.encode))
def test_any_bytes_are_records_or_named(content: bytes, tmp_path: Path) -> None:
    try:
        one = log(tmp_path, content)
    except LogError:
        return
    assert isinstance(one.document_keys, frozenset)
    assert one.first_record is None or isinstance(one.first_record, dict)
    for item in one.records():
        assert isinstance(item, BadRecord) or isinstance(item[0], str)


LINES = st.sampled_from(
    [b'{"a": 1}\n', b'{"a": "\xc3\xbc"}\r\n', b'{"a": "\xfc"}\n', b"\n", b"{broken\n", b'{"a": "' + b"x" * 90 + b'"}\n']
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, max_size=30), end=st.sampled_from([b"", b"{}"]))
def test_the_parts_of_a_file_have_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], end: bytes
) -> None:
    monkeypatch.setattr(log_file, "_PART_BYTES", 64)
    monkeypatch.setattr(log_file, "CHUNK_BYTES", 16)
    monkeypatch.setattr(log_file, "RECORD_BYTES", 80)
    content = b'{"first": 1}\n{"second": 2}\n' + b"".join(lines) + end
    assert_parts_equal(log(tmp_path, content))


def assert_parts_equal(whole: LogFile) -> None:
    assert whole.is_json_lines
    parts = pickle.loads(pickle.dumps(list(whole.split_lines())))
    assert [record for part in parts for record in part.records()] == list(whole.records())


def test_the_last_part_of_a_damaged_file_says_where_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_PART_BYTES", 10_000)
    content = gzip.compress(b"".join(b'{"n": %d}\n' % number for number in range(20_000)))
    for end in (-4, -100, -5000):
        whole = log(tmp_path, content[:end])
        assert_parts_equal(whole)
        assert "damaged" in str(list(whole.records())[-1])
