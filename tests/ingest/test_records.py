from __future__ import annotations

from promptbench.ingest._records import open_join


def test_objects_by_their_ids() -> None:
    with open_join() as found:
        found.add("a", {"n": 1, "é": [None]})
        found.add("b", {"n": 2})
        found.add("a", {"n": 3})
        assert found.find("a") == {"n": 3}
        assert found.find("b") == {"n": 2}
        assert found.find("c") == {}
