"""The panels of `promptbench --help`, the sections of the guides and the folders of `workflows/` have the same names."""

from __future__ import annotations

import re
from pathlib import Path

import promptbench
from promptbench.cli.app import PANELS
from tests.docs.test_console import DOCS, ROOT

GUIDES = DOCS / "guides"
INDEX = (GUIDES / "README.md").read_text(encoding="utf-8")


def listed(text: str, folder: str) -> list[str]:
    """Return the files of one folder that a text links to."""
    return re.findall(rf"\]\({folder}(\w+\.md)\)", text)


def test_the_sections_are_the_panels_and_the_folders() -> None:
    folders = {path.parent.name for path in (Path(promptbench.__file__).parent / "workflows").glob("*/__init__.py")}
    assert re.findall(r"^## (\w+)$", INDEX, re.MULTILINE) == list(PANELS)
    assert folders == {panel.lower() for panel in PANELS}


def test_every_guide_is_in_one_section() -> None:
    assert sorted(listed(INDEX, "")) == sorted(path.name for path in GUIDES.glob("*.md") if path.name != "README.md")


def test_readme_has_the_same_sections() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## More")[2]
    parts = dict(re.findall(r"^- \*\*(\w+)\*\*: (.*?)(?=^- |\n\n)", readme, re.DOTALL | re.MULTILINE))
    index = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", INDEX, re.DOTALL | re.MULTILINE))
    assert list(parts) == list(PANELS)
    for name, text in parts.items():
        assert listed(text, "promptbench/docs/guides/") == listed(index[name], ""), name
