from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import InputError
from promptbench.core.types import MeasuredCall, Usage
from promptbench.store.runs import RunStore

CALL = MeasuredCall("openai/m", 0, "a case", 12.5, 0.1, 105.0, 5.0, 2, 99.0, 1.0, 80.0, 90.0, Usage(11, 7, 3, 2), 0.5)
FAILED = MeasuredCall("openai/m", 1, "a case", 3.0, 0.0, 70.0, 1.0, 1, error="no")


def test_calls_come_back_as_they_were_due(tmp_path: Path) -> None:
    with RunStore(tmp_path) as runs:
        table = runs.bench_runs()
        name = table.start("triage", "triage", "sha256:0", "1", {"calls": 2})
        table.add(name, [CALL])
        table.add(name, [FAILED])
    with RunStore(tmp_path) as runs:
        table = runs.bench_runs()
        assert list(table.calls(name)) == [FAILED, CALL]
        info = table.find(name)
        assert (info.suite, info.version, info.finished, info.facts) == ("triage", "sha256:0", None, {"calls": 2})
        table.finish(name)
        assert table.find("latest").finished is not None


def test_they_are_found_by_name_suite_and_prompt(tmp_path: Path) -> None:
    with RunStore(tmp_path) as runs:
        table = runs.bench_runs()
        first = table.start("suite", "prompt", "v", "1", {})
        second = table.start("", "prompt", "v", "1", {})
        assert [info.id for info in table.newest()] == [second, first]
        assert [info.id for info in table.newest(about="suite")] == [first]
        assert [info.id for info in table.newest(about="prompt", limit=1)] == [second]
        assert table.find(first[:-1]).id == first
        for name, why in (("2", "several measurements begin with"), ("x", "measurement 'x' not found")):
            with pytest.raises(InputError, match=why):
                table.find(name)


def test_none_is_the_latest(tmp_path: Path) -> None:
    with RunStore(tmp_path) as runs, pytest.raises(InputError, match="measurement 'latest' not found"):
        runs.bench_runs().find("latest")
