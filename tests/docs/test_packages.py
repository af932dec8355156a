"""The source distribution and the wheel: what is in them, and that an empty environment can use them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import promptbench
from tests.docs.test_ci import empty_environment, needs_shell, shell
from tests.docs.test_console import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packages")]

NAME = f"promptbench_gate-{promptbench.__version__}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel of this folder as it is, with all that lies about in it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return folder


def known(*below: str) -> set[str]:
    """The files that git has, or would take."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *below]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return {name for name in done.stdout.splitlines() if (ROOT / name).is_file()}


def test_the_wheel_has_the_package_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        names = {name for name in wheel.namelist() if not name.startswith(f"{NAME}.dist-info/")}
        assert names == known("promptbench")
        parts = ("docs/guides/ci.md", "docs/reference/commands.md", "py.typed", "web/static", "web/templates")
        missing = [part for part in parts if not any(name.startswith(f"promptbench/{part}") for name in names)]
        assert missing == []
        assert wheel.read(f"{NAME}.dist-info/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        scripts = wheel.read(f"{NAME}.dist-info/entry_points.txt").decode()
    assert {line.partition(" ")[0] for line in scripts.splitlines() if "__main__:main" in line} == {
        "promptbench",
        "promptbench-gate",
    }


def test_the_sdist_has_what_its_tests_need_and_nothing_else(built: Path) -> None:
    with tarfile.open(built / f"{NAME}.tar.gz") as sdist:
        names = {name.removeprefix(f"{NAME}/") for name in sdist.getnames()}
    folders = ("promptbench", "tests", "suites", "prompt_store/text", ".github", ".ci")
    files = {"README.md", "LICENSE", "pyproject.toml", ".gitignore", ".pre-commit-hooks.yaml", "PKG-INFO"}
    assert names == known(*folders) | files


def test_the_index_can_show_both(built: Path) -> None:
    words = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built.iterdir())]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout.count("PASSED")) == (0, 2), done.stdout


@needs_shell
@pytest.mark.parametrize("suffix", [".tar.gz", "-py3-none-any.whl"])
def test_an_empty_environment_runs_it(
    built: Path, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = empty_environment(tmp_path / "venv", monkeypatch)
    (tmp_path / "empty").mkdir()
    script = f"""
    python -m pip install --quiet --disable-pip-version-check {built / NAME}{suffix}
    promptbench --version; promptbench-gate --version; python -m promptbench --version
    promptbench docs ci | head -n 1
    promptbench init >&2; promptbench validate -q >&2
    """
    done = shell(tmp_path / "empty", script)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == [f"promptbench {promptbench.__version__}"] * 3
    assert "promptbench in CI" in lines[3]
    assert (packages / "promptbench/docs/guides/ci.md").is_file()
