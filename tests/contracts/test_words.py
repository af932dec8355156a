"""The words of messages, help and docs, and one meaning for each name."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import promptbench

PACKAGE = Path(promptbench.__file__).parent
ROOT = PACKAGE.parent
OUTSIDE = (ROOT / "README.md", ROOT / ".github" / "CONTRIBUTING.md", *sorted(ROOT.glob("suites/*/README.md")))
BANNED = {
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\b(told|tells)\b": "report, warn, print",
    r"\bgoes on\b": "resumes, continues",
    r"(?<!here )\bis no [a-z]": "is not a valid …",
    r"\bso (many|long)\b(?! (as|that)\b)": "n, the given …",
    r"\ball is well\b": "no errors",
    r"\bstands? beside\b": "is next to",
    r"\bheld against\b": "compared with",
    r"\bgiven up\b": "is unavailable, is disabled for this run",
    r"\bfallen silent\b": "is unavailable",
}
# What a newcomer stumbles over, and what the field writes.
RELEASED_KEYS = {"mend"}
# Keys of `--json` with schema version 1, which stay.


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Every text in a Python file with its line: messages, help and docstrings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in RELEASED_KEYS:
            yield node.lineno, node.value


def texts(path: Path) -> Iterator[tuple[int, str]]:
    if path.suffix == ".py":
        yield from strings(path)
    else:
        yield from enumerate(path.read_text(encoding="utf-8").splitlines(), 1)


FILES = [*sorted(path for kind in ("py", "md", "html", "js") for path in PACKAGE.rglob(f"*.{kind}")), *OUTSIDE]


def test_texts_are_in_the_words_of_the_field() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: '{match.group()}': write {better}"
        for path in FILES
        for line, text in texts(path)
        for pattern, better in BANNED.items()
        for match in re.finditer(pattern, text)
    ]
    assert not found, "\n".join(found)


def test_no_public_class_name_has_two_meanings() -> None:
    homes = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(path.relative_to(PACKAGE).as_posix())
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}
