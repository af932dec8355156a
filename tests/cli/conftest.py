from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import judging
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder, better


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(better) as running:
        yield running


@pytest.fixture
def project(
    tmp_path: Path, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> ProjectFolder:
    monkeypatch.chdir(tmp_path)
    return ProjectFolder(tmp_path, server.base_url, capsys)


@pytest.fixture
def support(project: ProjectFolder, server: FakeOpenAI) -> ProjectFolder:
    """A project with a check that a judge decides, and that nobody has agreed with yet."""
    judging.set_up(project, server)
    return project
