"""A suite without errors, opened to read its cases with their checks, and to change them."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from promptbench.core.canonical import lf
from promptbench.core.errors import Code, Diagnostics
from promptbench.core.types import Json
from promptbench.engine.prepare.cases import CaseBuilder
from promptbench.engine.prepare.options import PrepareOptions, Selection
from promptbench.engine.prepare.prepared_suite import PreparedCase, Variant
from promptbench.engine.prepare.prompts import load_prompts
from promptbench.project import Project, input_error
from promptbench.store.prompts import Store
from promptbench.suite.cases import read_case
from promptbench.suite.editor import write_whole
from promptbench.suite.loader import load as load_suite
from promptbench.suite.models import Suite, Where
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source
from promptbench.yaml.text import mapping_lines

_HUNK = re.compile(r"\A@@ -(\d+)(.*?) \+(\d+)(.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ValidSuite:
    """A suite without errors and its prompts. `shown` is its path from the project's root."""

    file: Path
    shown: str
    options: PrepareOptions
    store: Store
    suite: Suite
    prompts: Sequence[Variant]

    def builder(self, found: Diagnostics, suite: Suite | None = None) -> CaseBuilder:
        """Return a builder of the suite's cases, or of those of another `suite` with the same prompts."""
        return CaseBuilder(suite or self.suite, self.prompts, found, self.options)

    def build(self, data: Mapping[str, Json], found: Diagnostics) -> tuple[CaseBuilder, PreparedCase | None]:
        """Build a new case as if it were in the file. Raise ValueError if YAML cannot hold its data."""
        document = parse(Source("the new case", "\n".join(mapping_lines(data, 0)) + "\n"), found)
        case = read_case(document.value, Where(document), found, self.suite.common) if document else None
        builder = self.builder(found)
        return builder, builder.build(case) if case else None

    def write(self, content: bytes) -> None:
        """Replace the file. The new one is loaded as any command loads it; with an error, the old one stays."""
        write_whole(self.file, content, lambda new: _load(new, self.shown, self.options, self.store))

    def write_files(self, files: Mapping[Path, tuple[bytes, bytes]]) -> None:
        """Replace files of the suite, each before and after, as `changed_files` returns them."""
        for path, (_, after) in files.items():
            self.write(after) if path == self.file else write_whole(path, after)

    def diff(self, files: Mapping[Path, tuple[bytes, bytes]]) -> str:
        """Return the diff of files of the suite, with their paths from the project's root."""
        folder = Path(self.shown).parent
        return "".join(
            unified_diff((folder / path.relative_to(self.suite.folder)).as_posix(), *texts)
            for path, texts in files.items()
        )


@contextmanager
def open_valid_suite(
    project: Project, path: Path, selection: Selection | None = None, *, validate: bool = True
) -> Iterator[ValidSuite]:
    """Open a suite with the stores that it needs. Raise InputError with every error in the suite and its cases.

    Unless `validate`, its cases are not checked.
    """
    file = project.suite_file(path)
    with project.prompts() as store, project.recordings() as runs:
        options = project.prepare_options(selection or Selection(), store, runs)
        yield _load(file, project.shown(file), options, store, validate=validate)


def _load(file: Path, shown: str, options: PrepareOptions, store: Store, *, validate: bool = True) -> ValidSuite:
    found = Diagnostics()
    suite = load_suite(file, shown, found)
    prompts = load_prompts(suite, options, found) if suite else []
    loaded = ValidSuite(file, shown, options, store, suite, prompts) if suite and prompts else None
    if loaded is not None and validate:
        loaded.builder(found).validate()
    # The first cases of a suite may be those that are added now.
    errors = Diagnostics()
    errors.extend(item for item in found if item.code is not Code.NO_CASES)
    if errors.errors or loaded is None:
        raise input_error(errors)
    return loaded


def unified_diff(shown: str, before: bytes, after: bytes) -> str:
    """Return the diff of two contents of a text file."""
    marks = (b"\xff\xfe", b"\xfe\xff")
    texts = [raw.decode("utf-16" if raw.startswith(marks) else "utf-8-sig") for raw in (before, after)]
    old, new = (lf(text).removesuffix("\n").split("\n") for text in texts)
    # difflib is slow on large files, and these differ in few lines: skip the lines that are the same at the start.
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    start = max(0, start - 3)

    def shift(match: re.Match[str]) -> str:
        return f"@@ -{int(match[1]) + start}{match[2]} +{int(match[3]) + start}{match[4]}"

    lines = difflib.unified_diff(old[start:], new[start:], f"a/{shown}", f"b/{shown}", lineterm="")
    return "".join(f"{_HUNK.sub(shift, line)}\n" for line in lines)
