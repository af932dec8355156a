"""What this project ships, copied as a fresh clone has it, whatever was promoted here since."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


def copy_store(target: Path) -> None:
    """The prompt store with the first event of each prompt, its adoption, and nothing later."""
    for prompt in (ROOT / "prompt_store" / "text").iterdir():
        for first in (*prompt.glob("events/0001-*.json"), *prompt.glob("versions/1-*.prompt")):
            copy = target / "prompt_store" / "text" / first.relative_to(prompt.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(first, copy)
