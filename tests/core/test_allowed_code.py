"""What is said of a name is tested with the Python models and the Python checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core import allowed_code


@pytest.mark.parametrize("file", ["../x.py", "/etc/x.py", "a\0.py", "loop.py", "link.py"])
def test_a_file_outside_of_the_project_is_not_located(tmp_path: Path, file: str) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "loop.py").symlink_to(root / "loop.py")
    (root / "link.py").symlink_to(tmp_path / "x.py")
    assert allowed_code.locate(file, root, root) is None


def test_a_file_beside_the_suite_is_located(tmp_path: Path) -> None:
    assert allowed_code.locate("b.py", tmp_path / "suites", tmp_path) == (tmp_path / "suites" / "b.py").resolve()


@pytest.mark.parametrize(
    ("path", "glob", "matches"),
    [
        ("suites/a/x.py", "suites/*/*.py", True),
        ("suites/a/b/x.py", "suites/*/*.py", False),
        ("suites/a/b/x.py", "suites/**/*.py", True),
        ("suites/x.py", "suites/**/*.py", True),
        ("suites/x.py", "*.py", False),
        ("x.py", "*.py", True),
        ("x.py", "/x.py", True),
        ("a/x.py", "**", True),
        ("suites/a/x.py", "suites/a", False),
        ("suites/a/x.py", "suites/a/x.p?", True),
    ],
)
def test_globs(path: str, glob: str, matches: bool) -> None:
    assert allowed_code.is_allowed(path, [glob]) is matches
