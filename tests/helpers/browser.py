"""A real browser without a window, the one of this machine, and a server for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from promptbench.project import Project
from promptbench.web.app import create_app
from promptbench.web.security import Access
from promptbench.web.serve import _listen

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def executable() -> str | None:
    """The path of the browser; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched() -> Iterator[Any]:
    """The browser, as playwright has it."""
    from playwright.sync_api import sync_playwright

    # Root has no sandbox in Chromium.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def serving(root: Path) -> Iterator[Access]:
    """The page of a project, served by a thread."""
    import uvicorn

    listening = _listen(0)
    access = Access(listening.getsockname()[1], print)
    app = create_app(lambda: Project.open(root, {}), access)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="critical"))
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield access
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
