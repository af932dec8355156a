"""A tiny prompt language, evidence for it, and a store opened with both."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from promptbench.core.canonical import digest
from promptbench.store.prompts import LabelEvent, Store

ROOT = Path(__file__).parents[2]


def hash_of(source: str) -> tuple[str, dict[str, str]]:
    """A text is its own content; `#` starts a comment line, which is no content; BAD is no prompt."""
    if source.startswith("BAD"):
        raise ValueError("it starts with BAD")
    content = {"text": "".join(line for line in source.splitlines(keepends=True) if not line.startswith("#"))}
    return digest(content), content


def version_of(source: str) -> str:
    return hash_of(source)[0]


def evidence(prompt: str, source: str, champion: str | None, result: str = "PASS", **more: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "prompt": prompt,
        "candidate": version_of(source),
        "champion": champion,
        "verdict": {"result": result, "sentence": f"{result}: 2 of 2 fixed", "initial": champion is None},
        "attempts": [{"case": "INC-1", "model": "fake/one", "k": k, "outcome": "passed"} for k in range(3)],
        **more,
    }


def open_store(folder: Path, **options: Any) -> Store:
    return Store.open(folder, hash_of=hash_of, rejudge=lambda evidence: [], **options)


def adopt(store: Store, prompt: str, source: str, **options: Any) -> LabelEvent:
    return store.adopt(prompt, source, actor="ci", reason="in use today", **options)


def promote(store: Store, prompt: str, source: str, **options: Any) -> LabelEvent:
    """Promotes with evidence against what is in production now."""
    labels = store.labels(prompt) if prompt in store.prompts() else {}
    holder = labels.get("production")
    proof = evidence(prompt, source, holder.hash if holder else None)
    return store.promote(prompt, source, evidence=proof, actor="ci", **options)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below, by its path."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def child(*words: str, **options: Any) -> subprocess.Popen[str]:
    """`python -m tests.store.worker …` from the project's root."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.worker", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        **options,
    )
