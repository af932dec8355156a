"""An excerpt of the Berkeley Function Calling Leaderboard: prompts, and two models' answers with its verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

EXCERPT = Path(__file__).parent / "data" / "bfcl"
MODELS = ("claude-instant-1.2", "gpt-3.5-turbo-0125")


def read_records(name: str, folder: Path = EXCERPT) -> list[dict[str, Any]]:
    """Return the records of one file: `prompts`, or the name of a model."""
    lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
