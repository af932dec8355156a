"""The sections of the guides and of README are the panels of `promptbench --help`, and their commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promptbench.cli.app import PANELS, command_tree
from tests.docs.test_console import DOCS, PAGES, ROOT, blocks

GUIDES = DOCS / "guides"
INDEX = (GUIDES / "README.md").read_text(encoding="utf-8")


def listed(text: str) -> list[str]:
    """Return the pages that a text links to."""
    return re.findall(r"\]\(([\w-]+\.md)\)", text)


def test_the_sections_are_the_panels() -> None:
    assert re.findall(r"^## (\w+)$", INDEX, re.MULTILINE) == list(PANELS)


def test_every_guide_is_in_one_section() -> None:
    assert sorted(listed(INDEX)) == sorted(path.name for path in GUIDES.glob("*.md") if path.name != "README.md")


def test_readme_has_the_same_sections() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## More")[2]
    parts = dict(re.findall(r"^- \*\*(\w+)\*\*: (.*?)(?=^- |\n\n)", readme, re.DOTALL | re.MULTILINE))
    index = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", INDEX, re.DOTALL | re.MULTILINE))
    assert list(parts) == list(PANELS)
    for name, text in parts.items():
        assert [f"{page}.md" for page in re.findall(r"\(`([\w-]+)`\)", text)] == listed(index[name]), name


def test_readme_has_no_link_that_breaks_on_a_package_index() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not re.findall(r"\]\((?!https://)[^)]*\)", readme)


PROSE = [*PAGES, DOCS / "architecture.md", DOCS / "reference" / "glossary.md", DOCS / "reference" / "diagnostics.md"]


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_the_commands_in_the_text_exist(page: Path) -> None:
    commands = command_tree().commands
    text = page.read_text(encoding="utf-8")
    code = "\n".join([*blocks(page, "sh"), *re.findall(r"(?:^ {4,}|^\$ |`)(promptbench [^`\n]*)", text, re.MULTILINE)])
    written = re.findall(r"^promptbench ([a-z]+)(?: ([a-z]+))?", code, re.MULTILINE)
    for name, second in written:
        assert name in commands, name
        group = getattr(commands[name], "commands", {})
        assert not (group and second) or second in group, f"{name} {second}"
