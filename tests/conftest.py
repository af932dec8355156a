"""No test sees this machine's settings, keys or identity."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Enough to find what a change breaks; `pytest --hypothesis-profile=thorough` looks longer.
settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile("quick")

# Nearly a hundred tests start this program anew. Where nothing may be kept, each of them would compile all of it again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The folders of tests are in memory where there is room: a store waits for the disk at each change, and thousands of
# tests would do little else. What SQLite and the processes do is the same.
_MEMORY = Path("/dev/shm")
if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 2_000_000_000:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

_ROOT = Path(__file__).resolve().parents[1]
_MAY_READ = tuple(
    f"{Path(folder).resolve()}{os.sep}"
    for folder in (_ROOT, sys.prefix, sys.base_prefix, tempfile.gettempdir(), _MEMORY, "/proc", "/dev", "/sys", "/etc")
)


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores, because tests also wait, for servers and for processes."""
    return (os.cpu_count() or 1) + 1


def _refuse_files_beside_the_repository(event: str, arguments: tuple[object, ...]) -> None:
    """Raise AssertionError for a file that lies next to the repository or further up.

    A clone in an empty folder has nothing there, so a test that reads it works on one machine only. System folders are
    left alone: Python, SQLite and the browser read them.
    """
    if event not in ("open", "os.listdir", "os.scandir", "sqlite3.connect") or not arguments:
        return
    path = arguments[0]
    if not isinstance(path, str | bytes | os.PathLike):
        return
    # Not `resolve`, which opens folders and would call this again.
    name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
    if name.startswith(f"{_ROOT.parent}{os.sep}") and not f"{name}{os.sep}".startswith(_MAY_READ):
        raise AssertionError(f"{name} is outside the repository; build it in a fixture or keep an excerpt in tests/")


# Where the repository lies directly below the root of the disk, everything would be beside it.
if _ROOT.parent != Path(_ROOT.anchor):
    sys.addaudithook(_refuse_files_beside_the_repository)

_PRIVATE = ("OPENAI_", "ANTHROPIC_", "AZURE_", "PROMPTBENCH_", "GITHUB_", "GITLAB_", "BUILD", "XDG_")


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names of new folders. A `mktemp` for each test would look through thousands of folders each time."""
    base = tmp_path_factory.mktemp("homes")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _clean_environment(_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    home = next(_homes)
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(_PRIVATE) and name != "PROMPTBENCH_UPDATE_GOLDEN":
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("USER", "tester")
    monkeypatch.setenv("TERM", "xterm")
