"""Where a parser of YAML gives up."""

from __future__ import annotations

from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def gives_up_at(text: str) -> tuple[int, int] | None:
    """The line and column, from 0, at which a parser gives up; None where it reads all."""
    try:
        yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        return (mark.line, mark.column) if mark else (0, 0)
    return None
