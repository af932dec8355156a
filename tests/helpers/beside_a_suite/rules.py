"""A check function as people write one."""

from __future__ import annotations

from typing import Any


def polite(answer: str, vars: dict[str, Any], argument: dict[str, str]) -> tuple[bool, str]:
    return argument["name"] in answer, f"the answer does not greet {argument['name']}"
