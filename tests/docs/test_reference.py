"""The reference pages say what the code does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from promptbench.store import runs_schema
from promptbench.store.runs import FILE_NAME, RunStore
from tests.docs.reference import FOLDER, pages


@pytest.mark.parametrize("name", sorted(pages()))
def test_page_is_as_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run: python -m tests.docs.reference"


def test_every_column_of_the_run_record_is_explained(tmp_path: Path) -> None:
    RunStore(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' OR name IN ('attempt', 'recording')"
        tables = [row[0] for row in database.execute(sql)]
        real = {table: [row[1] for row in database.execute(f"PRAGMA table_info({table})")] for table in tables}
    del real["_sqlite_migrations"]
    assert real == {table: list(columns) for table, columns in runs_schema.COLUMNS.items()}
