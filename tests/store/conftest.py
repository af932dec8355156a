from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptbench.store.prompts import Store
from tests.store.kit import adopt, open_store, promote


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "prompt_store"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with open_store(folder) as opened:
        yield opened


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: every commit waits for the disk."""
    folder = tmp_path_factory.mktemp("template") / "prompt_store"
    with open_store(folder) as store:
        adopt(store, "triage", "one\n")
        promote(store, "triage", "two\n")
        store.rollback("triage", actor="ci", reason="two was worse")
    return folder


@pytest.fixture
def triage(template: Path, folder: Path) -> Iterator[Store]:
    """A store with `triage`: one adopted, two promoted, back to one again."""
    shutil.copytree(template, folder)
    with open_store(folder) as opened:
        yield opened
