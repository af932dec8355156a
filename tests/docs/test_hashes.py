"""The page on hashes is enough to check a store without promptbench."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.canonical import digest
from promptbench.project import rejudge, version_of
from promptbench.store.prompts import Store
from tests.docs.verifier import check_store, data_hash

ROOT = Path(__file__).parents[2]


def test_the_verifier_knows_nothing_of_promptbench() -> None:
    lines = (ROOT / "tests" / "docs" / "verifier.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert not any("import promptbench" in line or "from promptbench" in line for line in lines)


@pytest.mark.parametrize(
    "value",
    [
        {"b": 1, "a": [1.0, 1e16, 1e-7, 0.1, True, None], "é": "ü\r\n\t\x01", "\ud800": "\r", "😀": "\uffff"},
        {"a\r": {"c": 0.30000000000000004, "b": -0.0, "a": 12345678901234567890}},
    ],
)
def test_hashes_are_those_of_the_page(value: Any) -> None:
    assert data_hash(json.loads(json.dumps(value))) == digest(value)


def test_this_repositorys_own_store(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "prompt_store" / "text", tmp_path / "prompt_store" / "text")
    with Store.open(tmp_path / "prompt_store", hash_of=version_of, rejudge=rejudge) as store:
        assert store.verify() == []
        labels = {name: {label: held.hash for label, held in store.labels(name).items()} for name in store.prompts()}
    assert check_store(ROOT / "prompt_store") == check_store(tmp_path / "prompt_store") == labels != {}
