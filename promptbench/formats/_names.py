"""The names of all repairs, how far each can be trusted, and the refusal that stands for the rung `none`."""

from __future__ import annotations

from collections.abc import Iterable

from promptbench.core.types import Repair, Rung

EXTRACTION = frozenset({"bom", "think_block", "fence", "xml_wrap", "prose_around"})
"""The data is untouched; what stood around it was removed."""

SAFE = frozenset(
    {
        "trailing_comma",
        "python_literal",
        "single_quotes",
        "smart_quotes",
        "unquoted_key",
        "line_comment",
        "block_comment",
        "hash_comment",
        "raw_control_char",
        "escaped_apostrophe",
        "odd_space",
        "number_form",
        "nan_literal",
        "double_encoded",
        "extra_closer",
    }
)
"""The text has one reading, although it is not JSON."""

RISKY = frozenset(
    {
        "missing_comma",
        "missing_colon",
        "missing_quote",
        "unescaped_quote",
        "unclosed",
        "truncated_value",
        "mismatched_closer",
        "orphan_members",
        "ellipsis",
        "bad_escape",
        "many_values",
        "duplicate_key",
    }
)
"""A guess."""


def rung_of(repairs: Iterable[Repair]) -> Rung:
    """The rung that an answer is on which needed these repairs."""
    names = {repair.name for repair in repairs}
    if names & RISKY:
        return Rung.REPAIRED_RISKY
    if names & SAFE:
        return Rung.REPAIRED_SAFE
    return Rung.EXTRACTED if names else Rung.RAW


class Refused(Exception):
    """The text cannot be read. `kind` is short and independent of the content, `reason` is a sentence for people."""

    def __init__(self, kind: str, reason: str, position: int | None = None) -> None:
        super().__init__(kind, reason, position)
        self.kind = kind
        self.reason = reason
        self.position = position

    def sentence(self) -> str:
        return self.reason if self.position is None else f"{self.reason} (at character {self.position})"
