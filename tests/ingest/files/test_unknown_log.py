from __future__ import annotations

import io
import zipfile

import pytest

from promptbench.ingest import detect_format
from promptbench.ingest.files.unknown_log import describe_unknown, describe_unsupported
from tests.helpers.logs import log


def archive(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name in names:
            made.writestr(name, "x")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"interactions:\n- request:\n    body: x\n", "vcrpy"),
        (b"# recorded\ninteractions:\n  - request: {}\n", "vcrpy"),
        (b'{"resourceLogs": []}\n', "OTLP without a model call"),
    ],
)
def test_logs_that_are_known_and_not_read(content: bytes, said: str) -> None:
    file = log(content)
    assert said in (describe_unsupported(file) or "")
    assert describe_unknown(file) == describe_unsupported(file)
    assert detect_format(file) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PAR1\x00\x00", "Parquet"),
        (archive("a.txt"), "ZIP"),
        (b"\x28\xb5\x2f\xfd\x00", "zstd"),
        (b"BZh9", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"\xd0\xcf\x11\xe0\x00", "old Excel"),
        (b"%PDF-1.7", "PDF"),
        (b"SQLite format 3\x00", "SQLite"),
        (b'{"name": "x", "version": "1"}', "keys name, version"),
        (b'{"a": ', "begins like JSON"),
        (b"\x01\x00\x02", "binary file"),
        (b"just words\n", "is text"),
    ],
)
def test_what_else_a_file_looks_like(content: bytes, said: str) -> None:
    file = log(content)
    assert describe_unsupported(file) is None
    assert said in describe_unknown(file)
    assert detect_format(file) is None
