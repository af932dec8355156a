"""Repair rules of a project: loaded, checked by their own examples, advisory until they are back-tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import Diagnostics, Location
from promptbench.core.python_process import FunctionFailure
from promptbench.engine.prepare.repair_rules import RepairRule, load_rules, record_of
from promptbench.parsing.ladder import BUILT_IN, LADDER, Ladder

RULE = """\
from promptbench.plugins import RepairSpec


def repair(text):
    return text.replace('" =>', '":')


SPEC = RepairSpec(
    name="arrow",
    trust="safe",
    repair=repair,
    examples={'{"a" => 1}': {"a": 1}},
    unchanged=['{"a": 1}'],
)
"""
COUNTS = {"rescued": 1, "wrong": 0, "failed": 0, "unchanged": 0}


def load(root: Path, *globs: str) -> tuple[tuple[RepairRule, ...], list[str]]:
    found = Diagnostics()
    rules = load_rules(root, globs or ("repairs/*.py",), Location("promptbench.toml"), found)
    return rules, [f"{item.location}: {item.message}" for item in found]


def write(root: Path, text: str, name: str = "arrow") -> Path:
    (root / "repairs").mkdir(exist_ok=True)
    path = root / "repairs" / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(root: Path, text: str = RULE) -> RepairRule:
    write(root, text)
    rules, problems = load(root)
    assert problems == []
    return rules[0]


def test_a_rule_is_tried_behind_the_built_in_repairs(tmp_path: Path) -> None:
    rule = loaded(tmp_path)
    ladder = Ladder((rule.as_rule(),))
    reading = ladder.read('Here: {"a" => 1,}')
    assert (reading.value, reading.rung.value) == ({"a": 1}, "repaired_safe")
    assert [repair.name for repair in reading.repairs] == ["arrow", "prose_around", "trailing_comma"]
    # What the built-in repairs read safely, no rule changes.
    text = '{"a": "b\\" => c"}'
    assert ladder.read(text) == BUILT_IN.read(text)


def test_a_risky_rule_makes_a_guess_of_what_nothing_else_reads(tmp_path: Path) -> None:
    rule = loaded(tmp_path, RULE.replace('"safe"', '"risky"'))
    ladder = Ladder((rule.as_rule(),))
    assert ladder.read('{"a" => 1}').rung.value == "repaired_risky"
    guess = '{"a" => 1, "b": "cut of'
    assert ladder.read(guess).rung.value == "repaired_risky"


def test_the_ladders_hash_names_its_rules(tmp_path: Path) -> None:
    rule = loaded(tmp_path)
    ladder = Ladder((rule.as_rule(),))
    assert BUILT_IN.hash == LADDER != ladder.hash
    changed = loaded(tmp_path, RULE + "# changed\n")
    assert len({rule.hash, changed.hash}) == 2
    assert Ladder((changed.as_rule(),)).hash != ladder.hash
    assert ladder.named_rules() == {"arrow": {"trust": "safe", "hash": rule.hash}}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            '{"a": 1}},',
            '{"a": 2}},',
            "arrow.py:12:15: the repair rule 'arrow' fails its own example: expected {\"a\":2}",
        ),
        ("unchanged=['{\"a\": 1}']", "unchanged=['x\" => y']", "arrow.py:13:16: the repair rule 'arrow' fails its own"),
        ("'{\"a\" => 1}':", "'{\"a\": 1,}':", "already repaired safe without the rule"),
        ("'{\"a\" => 1}':", "'{\"a\" -> 1}':", "the text is unchanged"),
        ("'{\"a\" => 1}':", "'{\"a\" =>':", "not more readable"),
        ("return text", "return '{' + text", "changes its own result again"),
        ("return text", "import random; return str(random.random()) + text", "two different results"),
        ("return text", "raise KeyError(text)", "arrow.py:5"),
        ("return text", "while True: pass\n    return text", "took longer than 1 seconds"),
        ("return text", "import os; os._exit(3)\n    return text", "ended its process (exit code 3)"),
        ("    return text.replace('\" =>', '\":')", "    return 7", "returned int, expected str or None"),
        ('"arrow"', '"Fat Arrow"', "lower-case letters, digits and underscores, got 'Fat Arrow'"),
        ('"arrow"', '"trailing_comma"', "name of a built-in repair"),
        ('"safe"', '"sure"', "expected 'safe' or 'risky', got 'sure'"),
        ('examples={\'{"a" => 1}\': {"a": 1}}', "examples={}", "expected at least one text in 'examples'"),
        ("unchanged=['{\"a\": 1}']", "unchanged=[]", "expected at least one text in 'examples'"),
        ("SPEC =", "SPECS =", "does not load"),
        ("def repair(text):", "def repair(text:", "arrow.py:4:"),
        ("    trust=", "    trusted=", "does not load: TypeError"),
    ],
)
def test_a_broken_rule_has_a_location_and_a_reason(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in RULE
    write(tmp_path, RULE.replace(old, new))
    rules, problems = load(tmp_path)
    assert rules == ()
    assert any(problem in item for item in problems), problems


def test_a_failure_in_use_leaves_the_text_as_it_is(tmp_path: Path) -> None:
    rule = loaded(tmp_path, RULE.replace("    return text", "    assert 'bad' not in text\n    return text"))
    text = '{"bad" => 1}'
    with pytest.raises(FunctionFailure, match="AssertionError"):
        rule.apply(text)
    assert Ladder((rule.as_rule(),)).read(text) == BUILT_IN.read(text)


def test_a_rule_counts_once_its_back_test_is_recorded_for_this_very_text(tmp_path: Path) -> None:
    rule = loaded(tmp_path)
    assert rule.advisory == "it has never been back-tested"
    for counts, advisory in (
        (COUNTS, None),
        (COUNTS | {"wrong": 2}, "2 wrong in its back-test"),
        (COUNTS | {"failed": 1}, "it failed on 1 in its back-test"),
        (COUNTS | {"rescued": 0}, "it rescued nothing in its back-test"),
    ):
        rule.record.write_text(record_of(rule, counts, []), encoding="utf-8")
        assert loaded(tmp_path).advisory == advisory
    rule.record.write_text(record_of(rule, COUNTS, []), encoding="utf-8")
    assert loaded(tmp_path, RULE + "\n").advisory == "it has changed since its back-test"
    rule.record.write_text("[", encoding="utf-8")
    assert "not readable" in str(loaded(tmp_path).advisory)


def test_two_rules_of_one_name_and_globs_that_match_nothing(tmp_path: Path) -> None:
    write(tmp_path, RULE)
    write(tmp_path, RULE, "other")
    _, problems = load(tmp_path, "repairs/*.py", "nowhere/*.py", "/etc/*.py")
    assert len(problems) == 3
    assert "two repair rules are named 'arrow'" in problems[2]
    assert "no Python file matches 'nowhere/*.py'" in problems[0]
    assert "not a valid glob" in problems[1]


def test_a_file_outside_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root/repairs").mkdir(parents=True)
    outside = write(tmp_path, RULE)
    (tmp_path / "root/repairs/link.py").symlink_to(outside)
    rules, problems = load(tmp_path / "root")
    assert rules == ()
    assert "outside the project" in problems[0]


def test_a_rule_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    (site / "ours-1.0.dist-info").mkdir(parents=True)
    (site / "ours_rules.py").write_text(RULE, encoding="utf-8")
    (site / "ours-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
    (site / "ours-1.0.dist-info/entry_points.txt").write_text("[promptbench.repairs]\narrow = ours_rules\n")
    monkeypatch.syspath_prepend(site)
    found = Diagnostics()
    (rule,) = load_rules(tmp_path, (), Location("promptbench.toml"), found)
    assert (rule.name, rule.file, rule.record) == ("arrow", "ours_rules", tmp_path / "repairs/arrow.backtest.json")
    assert not found.errors
