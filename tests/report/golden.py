"""Golden files: what a format wrote when somebody looked at it and found it good."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden" / "report"


def check(name: str, text: str, folder: Path = FOLDER) -> None:
    """Fails when `text` differs from the golden file; with PROMPTBENCH_UPDATE_GOLDEN=1 writes it instead."""
    path = folder / name
    if os.environ.get("PROMPTBENCH_UPDATE_GOLDEN"):
        path.write_bytes(text.encode())
    assert path.read_bytes().decode() == text, "if it is meant so: PROMPTBENCH_UPDATE_GOLDEN=1"
