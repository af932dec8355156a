"""The documentation that is installed with the package: list its pages, and read one."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import promptbench
from promptbench.core.errors import InputError, suggest

_FOLDER = Path(promptbench.__file__).parent / "docs"
# The section of pages by their folder; the guides are in those of their index.
_SECTIONS = {"reference": "Reference", "": "The project", "design": "Design"}
_LISTED = re.compile(r"^## (?P<section>.+)$|^- \[(?P<title>[^\]]+)\]\((?P<file>[\w-]+\.md)\)", re.MULTILINE)
_LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?![a-z]+:)(?P<path>[^)#]*)(?:#[^)]*)?\)")


@dataclass(frozen=True, slots=True)
class DocsPage:
    """A page: its name for the command line, its heading, its section, and its file below `docs`."""

    name: str
    title: str
    section: str
    file: str

    @property
    def markdown(self) -> str:
        """Return its text, without the note on top of a generated page."""
        return re.sub(r"\A<!--.*?-->\n", "", (_FOLDER / self.file).read_text(encoding="utf-8"))


@cache
def list_pages() -> tuple[DocsPage, ...]:
    """Return all pages: the guides in the order of their index, then those of the other sections."""
    pages, section = [], ""
    for found in _LISTED.finditer((_FOLDER / "guides" / "README.md").read_text(encoding="utf-8")):
        section = found["section"] or section
        if found["file"]:
            name = found["file"].removesuffix(".md")
            pages.append(DocsPage(name, found["title"], section, f"guides/{found['file']}"))
    for folder, title in _SECTIONS.items():
        for path in sorted((_FOLDER / folder).glob("*.md")):
            file = path.relative_to(_FOLDER).as_posix()
            with path.open(encoding="utf-8") as opened:
                heading = next((line[2:].strip() for line in opened if line.startswith("# ")), path.stem)
            # A guide has the short name.
            name = path.stem if all(page.name != path.stem for page in pages) else file.removesuffix(".md")
            pages.append(DocsPage(name, heading, title, file))
    return tuple(pages)


def find_page(written: str) -> DocsPage:
    """Return a page by its name or file, such as `verdict` or `guides/verdict.md`. Raise InputError if not found."""
    pages = {page.name: page for page in list_pages()}
    pages |= {page.file.removesuffix(".md"): page for page in list_pages()}
    name = written.strip().lower().replace("_", "-").replace(" ", "-").removesuffix(".md").removeprefix("docs/")
    if name not in pages:
        raise InputError(f"page '{written}' not found", hint=suggest(name, pages, "`promptbench docs` lists all pages"))
    return pages[name]


def without_links(page: DocsPage) -> str:
    """Return the text of a page in which a link to another page is that page's name for this command."""
    by_file = {_FOLDER / other.file: other.name for other in list_pages()}

    def name(link: re.Match[str]) -> str:
        target = by_file.get((_FOLDER / page.file).parent.joinpath(link["path"]).resolve())
        return f"{link['text']} (docs {target})" if target and link["path"] else link["text"]

    return _LINK.sub(name, page.markdown)
