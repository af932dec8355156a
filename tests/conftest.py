"""No test sees this machine's settings, keys or identity."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_PRIVATE = ("OPENAI_", "ANTHROPIC_", "AZURE_", "PROMPTBENCH_", "GITHUB_", "GITLAB_", "BUILD", "XDG_")


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home: Path = tmp_path_factory.mktemp("home")
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
