from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from promptbench.ingest._records import JoinedRecords, open_join


def test_objects_by_their_ids() -> None:
    with open_join() as found:
        found.add("a", {"n": 1, "é": [None]})
        found.add("b", {"n": 2})
        found.add("a", {"n": 3})
        assert found.find("a") == {"n": 3}
        assert found.find("b") == {"n": 2}
        assert found.find("c") == {}


def test_the_file_of_joined_records_has_no_readable_text(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "join", isolation_level=None)) as database:
        found = JoinedRecords(database)
        for _ in range(2):
            found.add("request-1", {"said": "Hunter22x"})
        assert found.find("request-1") == {"said": "Hunter22x"}
    content = (tmp_path / "join").read_bytes()
    assert len(content) > 4096
    assert not [text for text in (b"request-1", b"said", b"Hunter22x") if text in content]
