from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from promptbench.checks._agreement import FILE_NAME, Agreement, read_all, save
from promptbench.metrics.agreement import Confusion

FOUND = Agreement("sha256:1", "it is polite", {"openai/j": ["j-1"]}, Confusion(9, 1, 2, 8), 1, "2026-01-01", 0.25, None)


def test_what_is_kept_is_read(tmp_path: Path) -> None:
    assert read_all(tmp_path) == {}
    other = replace(FOUND, check="sha256:2", rubric="a is short")
    for item in (FOUND, other):
        assert save(tmp_path, item) == tmp_path / FILE_NAME
    assert read_all(tmp_path) == {"sha256:1": FOUND, "sha256:2": other}
    text = (tmp_path / FILE_NAME).read_text(encoding="utf-8")
    assert text.index("a is short") < text.index("it is polite"), "in an order that a diff can be read in"


def test_the_same_finding_later_changes_nothing(tmp_path: Path) -> None:
    before = save(tmp_path, FOUND).read_bytes()
    assert save(tmp_path, replace(FOUND, made="2027-01-01")).read_bytes() == before
    assert save(tmp_path, replace(FOUND, counts=Confusion(9, 1, 2, 9), made="2027-01-01")).read_bytes() != before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1}', "[" * 100_000])
def test_another_file_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=FILE_NAME) as caught:
        read_all(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"kappa": 0.99},
        {"low": 0.99},
        {"labelled": 21},
        {"counts": {}},
        {"judges": []},
        {"without_verdict": True},
        {"without_verdict": -1},
        {"correlation_with_length": None},
    ],
)
def test_an_entry_whose_figures_do_not_fit_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = save(tmp_path, FOUND)
    data = json.loads(path.read_text(encoding="utf-8"))
    data["agreements"][0] |= change
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ValueError, match=f"{FILE_NAME} cannot be used"):
        read_all(tmp_path)
