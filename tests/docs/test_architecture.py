"""The page on the architecture names files and folders that exist."""

from __future__ import annotations

import re
from pathlib import Path

import promptbench
from tests.docs.test_console import DOCS

PACKAGE = Path(promptbench.__file__).parent
PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")


def test_every_file_of_the_page_exists() -> None:
    named = set(re.findall(r"`((?:\w+/)*\w+\.py)`", PAGE))
    assert len(named) > 12
    assert not [name for name in named if not ((PACKAGE / name).is_file() or (PACKAGE.parent / name).is_file())]


def test_every_folder_is_on_the_page() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    rows = re.findall(r"^\| (`.*?) \|", PAGE.partition("| folder |")[2], re.MULTILINE)
    listed = {name.split("/")[0] for row in rows for name in re.findall(r"`([\w/.]+)`", row)}
    assert folders - {"cli"} <= listed
