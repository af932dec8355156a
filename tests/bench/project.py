"""A project with one big suite against one server, and the command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_PROMPT = """\
---
output: {schema: {team: string, serial: integer}}
---
Which team is this for? {{message}}
"""
_CASE = "  - {{case: case-{n}, vars: {{message: case-{n} was charged twice}}, expect: {{team: billing}}}}\n"


def write(root: Path, base_url: str, cases: int, settings: str = "") -> None:
    """A suite of as many cases, each asked once of `openai_compatible/busy/m`. `settings` is TOML before any table."""
    folder = root / "suites" / "busy"
    folder.mkdir(parents=True, exist_ok=True)
    server = f'[providers.openai_compatible.servers.busy]\nbase_url = "{base_url}"\napi_key_env = ""\n'
    (root / "promptbench.toml").write_text(f"{settings}\n{server}", encoding="utf-8")
    (folder / "busy.prompt").write_text(_PROMPT, encoding="utf-8")
    head = "suite: busy\nprompt: busy.prompt\nmodels: [openai_compatible/busy/m]\nchecks: [json]\ngate: {repeats: 1}\n"
    text = head + "cases:\n" + "".join(_CASE.format(n=n) for n in range(cases))
    (folder / "suite.yaml").write_text(text, encoding="utf-8")


def start(root: Path, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    """`promptbench ARGUMENTS` in `root`."""
    return subprocess.Popen(
        [sys.executable, "-m", "promptbench", *arguments],
        cwd=root,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
