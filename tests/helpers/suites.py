"""Suites on disk, loaded and joined without a store, for tests of what lies below the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptbench.core.errors import Diagnostics
from promptbench.engine.prepare.assemble import assemble
from promptbench.engine.prepare.options import PrepareOptions, Selection, StoredPrompt
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.parsing.ladder import BUILT_IN
from promptbench.suite.loader import load
from promptbench.suite.models import Suite

PROMPT = """\
---
output: {schema: {team: string}}
---
Which team is this for? {{message}}
"""
HEAD = "suite: triage\nprompt: triage.prompt\nmodels: [openai/fake]\n"


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")


def loaded(folder: Path, text: str) -> tuple[Suite | None, Diagnostics]:
    """A suite, and all that is wrong with it and its cases."""
    write(folder, {"suite.yaml": text})
    found = Diagnostics()
    suite = load(folder / "suite.yaml", "suite.yaml", found)
    if suite is not None:
        list(suite.cases.scan(found))
    return suite, found


def joined(
    folder: Path,
    text: str,
    files: Mapping[str, str] | None = None,
    *,
    champion: str | None = None,
    environ: Mapping[str, str] | None = None,
    **selection: Any,
) -> tuple[PreparedSuite | None, Diagnostics]:
    """Write a suite and its files, and prepare it; `openai` is a server on this machine that is never called."""
    write(folder, {"triage.prompt": PROMPT, "suite.yaml": text, **(files or {})})
    found = Diagnostics()
    suite = load(folder / "suite.yaml", "suite.yaml", found)
    options = PrepareOptions(
        root=folder,
        environ=environ or {},
        allowed_code=("*.py",),
        provider_options={"openai": {"base_url": "http://127.0.0.1:9/v1"}},
        champion=lambda _: StoredPrompt("triage@1", champion) if champion else None,
        ladder=BUILT_IN,
        selection=Selection(**selection),
    )
    return (assemble(suite, options, found) if suite else None), found


def messages(found: Diagnostics) -> list[str]:
    return [item.message for item in found]
