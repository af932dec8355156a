"""Quote texts for YAML, and recognise the quotation marks of word processors."""

from __future__ import annotations

# The quotation marks of word processors, each with the marks that may close it.
CURLY = {"“": "”", "„": "“”", "”": "”", "‘": "’", "‚": "‘’", "«": "»", "»": "«"}


def quote(text: str) -> str:
    """Return a one-line text in YAML quotes, preferring those that need no escapes."""
    if "'" in text and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def in_curly(text: str) -> str | None:
    """Return the text inside word-processor quotation marks; None if they do not enclose all of it."""
    inside = text[1:-1]
    if len(text) < 3 or text[0] not in CURLY or text[-1] not in CURLY[text[0]]:
        return None
    return None if any(mark in inside for mark in "“”„«»") else inside
