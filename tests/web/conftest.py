"""A project with runs, and its page in this process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from promptbench.cli.app import run
from promptbench.project import Project
from promptbench.web.app import create_app
from promptbench.web.security import Access
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import SUITE, V1, V2, better

PORT = 8788


class Viewer(TestClient):
    """A browser that has access to the page of a project. `app` is a `Guard`."""

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        self.root = root
        self.said: list[str] = []
        self.access = Access(PORT, self.said.append)
        guard = create_app(lambda: Project.open(root, {}), self.access, read_only=read_only, say=self.said.append)
        self.routes = guard.app.routes
        cookies = {self.access.cookie: self.access.session}
        super().__init__(guard, f"http://127.0.0.1:{PORT}", cookies=cookies, follow_redirects=False)

    def text(self, path: str) -> str:
        """Return a page that is there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def submit(self, path: str, **fields: str) -> str:
        """Send a form as the page does, and return where it leads, or the page that says why not."""
        headers = {"sec-fetch-site": "same-origin", "x-token": self.access.token}
        answer = self.post(path, data=fields, headers=headers)
        return answer.headers.get("location", answer.text)


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a plain prompt in production, and a run of a better one against it. Tests only read it."""
    root = tmp_path_factory.mktemp("judged")
    with FakeOpenAI(better) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("OPENAI_API_KEY", "test")
        (root / "promptbench.toml").write_text(f'[providers.openai]\nbase_url = "{server.base_url}"\n')
        folder = root / "suites" / "triage"
        folder.mkdir(parents=True)
        for name, text in {"suite.yaml": SUITE, "triage.plain.prompt": V1, "triage.better.prompt": V2}.items():
            (folder / name).write_text(text, encoding="utf-8")
        assert run(["adopt", "suites/triage/triage.plain.prompt", "--reason", "in use"]) == 0
        assert run(["run", "suites/triage"]) == 0
    return root


@pytest.fixture
def viewer(judged: Path) -> Iterator[Viewer]:
    with Viewer(judged) as page:
        yield page


@pytest.fixture
def judged_copy(judged: Path, tmp_path: Path) -> Iterator[Viewer]:
    """A project of one's own, to change."""
    with Viewer(Path(shutil.copytree(judged, tmp_path / "judged"))) as page:
        yield page
