from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import Code, Diagnostics, Location
from promptbench.yaml.source import below


def asked(folder: Path, written: str) -> tuple[Path | None, list[Code]]:
    found = Diagnostics()
    return below(folder, written, Location("suite.yaml", 1, 1), found), [item.code for item in found]


@pytest.mark.parametrize(
    "written", ["a.prompt", "sub/a.prompt", "sub\\a.prompt", "./a.prompt", "sub/../a.prompt", "~", "a..b"]
)
def test_below(written: str, tmp_path: Path) -> None:
    path, codes = asked(tmp_path, written)
    assert codes == []
    assert path is not None
    assert path.resolve().is_relative_to(tmp_path)


@pytest.mark.parametrize(
    "written", ["..", "../a", "..\\a", "sub/../../a", "/a", "\\a", "C:\\a", "C:a", "\\\\host\\share\\a", "//host/a"]
)
def test_elsewhere(written: str, tmp_path: Path) -> None:
    assert asked(tmp_path, written) == (None, [Code.PATH_OUTSIDE])


@pytest.mark.parametrize("written", ["a\0b", "x" * 5000, "loop", "loop/a"])
def test_no_name_at_all(written: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert asked(tmp_path, written) == (None, [Code.BAD_VALUE])


def test_links(tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    folder.mkdir()
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    (folder / "inside").write_text("x", encoding="utf-8")
    (folder / "out").symlink_to(tmp_path)
    (folder / "in").symlink_to(folder / "inside")
    assert asked(folder, "out/secret") == (None, [Code.PATH_OUTSIDE])
    assert asked(folder, "in") == (folder / "in", [])
