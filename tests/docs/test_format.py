"""The Python in the guide about the format: a repair rule and an application."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import Diagnostics, Location
from promptbench.engine.prepare.repair_rules import load_rules
from promptbench.parsing.ladder import Ladder
from tests.docs.test_console import DOCS, blocks

GUIDE = DOCS / "guides" / "format.md"


def test_the_rule_loads_and_repairs(tmp_path: Path) -> None:
    (tmp_path / "arrow.py").write_text(blocks(GUIDE, "python")[0], encoding="utf-8")
    found = Diagnostics()
    (rule,) = load_rules(tmp_path, ["arrow.py"], Location("promptbench.toml"), found)
    assert not found.errors
    assert Ladder((rule.as_rule(),)).read('{"a" => [1], "b" => "c"}').value == {"a": [1], "b": "c"}


def test_the_application_records_what_it_cannot_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(blocks(GUIDE, "python")[1], names)
    route = names["route"]
    assert callable(route)
    assert route("I was charged twice", '{"team": "billing",}') == "billing"
    assert not Path("calls.jsonl").exists()
    assert route("I was charged twice", "Sorry!") == "other"
    assert "Sorry!" in Path("calls.jsonl").read_text(encoding="utf-8")
