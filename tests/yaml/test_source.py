from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from promptbench.core.errors import Code
from promptbench.yaml.source import Source, SourceError, read_source


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_reads_what_editors_write(encoding: str, tmp_path: Path) -> None:
    source = read_source(written(tmp_path, "ä: 1\r\nb: 2\rc".encode(encoding)), "shown.yaml")
    assert (source.path, source.text, source.lines) == ("shown.yaml", "ä: 1\nb: 2\nc", ["ä: 1", "b: 2", "c"])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", Code.EMPTY_FILE),
        (b" \n\t", Code.EMPTY_FILE),
        (b"\xef\xbb\xbf", Code.EMPTY_FILE),
        (b"a\0b", Code.UNREADABLE_FILE),
        (b"a\0b\0c\0", Code.UNREADABLE_FILE),
        (b"x" * 101, Code.TOO_BIG),
    ],
)
def test_refuses(content: bytes, code: Code, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read_source(written(tmp_path, content), "shown.yaml", max_bytes=100)
    assert (caught.value.diagnostic.code, str(caught.value.diagnostic.location)) == (code, "shown.yaml")


def test_another_encoding_is_told_at_its_first_letter(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read_source(written(tmp_path, b"one\r\n caf\xe9 \xfc\r\n"), "shown.yaml")
    location = caught.value.diagnostic.location
    assert (str(location), location.text) == ("shown.yaml:2:5", " café ü")


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    for path, code in (
        (tmp_path / "none", Code.FILE_NOT_FOUND),
        (tmp_path, Code.UNREADABLE_FILE),
        (tmp_path / ("x" * 5000), Code.UNREADABLE_FILE),
        (tmp_path / "a\0b", Code.UNREADABLE_FILE),
    ):
        with pytest.raises(SourceError) as caught:
            read_source(path, "shown")
        assert caught.value.diagnostic.code is code


def test_a_place_ends_with_its_line() -> None:
    location = Source("f", "one\ntwo three\n").location_at(8, length=100)
    assert (str(location), location.length, location.text) == ("f:2:5", 5, "two three")


@given(st.text(), st.data())
def test_every_offset_has_its_place(text: str, data: st.DataObject) -> None:
    source = Source("f", text)
    offset = data.draw(st.integers(0, len(text)))
    location = source.location_at(offset)
    assert source.starts[location.line - 1] + location.column - 1 == offset
    assert location.text == source.lines[location.line - 1]
