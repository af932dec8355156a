"""A model of our own for the same task: two patterns instead of a language model."""

from __future__ import annotations

import re
from typing import Any

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ORDER = re.compile(r"\b(?:order|bestellung)(?: number)?\W{1,3}((?=\S*\d)[\w-]+)", re.IGNORECASE)


def extract(variables: dict[str, Any]) -> dict[str, str | None]:
    """The first order number and the first address of `variables["message"]`, None where there is none."""
    message = variables["message"]
    email, order = _EMAIL.search(message), _ORDER.search(message)
    return {"order": order[1] if order else None, "email": email[0].rstrip(".") if email else None}
