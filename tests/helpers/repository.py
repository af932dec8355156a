"""A real git repository in a folder."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

_WHO = ("-c", "user.name=tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false")


class Repository:
    """What is in the folder when it is made is the first commit, on `main`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._count = itertools.count()
        self.git("init", "--quiet", "--initial-branch=main")
        (root / ".gitignore").write_text(".promptbench/\nprompt_store/*.sqlite*\nout/\n", encoding="utf-8")
        self.commit()

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *_WHO, *words], cwd=self.root, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.strip()

    def commit(self) -> str:
        """Commits everything; the commit's name."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", f"work {next(self._count)}")
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str = "work") -> None:
        self.git("checkout", "--quiet", "-b", name)
