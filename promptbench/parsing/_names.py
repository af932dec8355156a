"""The names of all repairs, how far each can be trusted, and the error of a text that cannot be read."""

from collections.abc import Iterable

from promptbench.core.types import Repair, Rung

# The data is unchanged; only the text around it is removed.
EXTRACTION = frozenset({"bom", "think_block", "chat_token", "fence", "xml_wrap", "prose_around"})

# The text is not JSON, but can be read in one way only.
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

# The text can be read in several ways; one is guessed.
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
        "data_around",
        "mentioned",
        "duplicate_key",
    }
)


def rung_of(repairs: Iterable[Repair]) -> Rung:
    """Return the rung of an answer that needed these repairs."""
    names = {repair.name for repair in repairs}
    if names & RISKY:
        return Rung.REPAIRED_RISKY
    if names & SAFE:
        return Rung.REPAIRED_SAFE
    return Rung.EXTRACTED if names else Rung.RAW


class ReadError(Exception):
    """A text that cannot be read.

    Args:
        kind: a short name that does not depend on the content.
        reason: a sentence for people.
        position: the offset in characters, if there is one.
    """

    def __init__(self, kind: str, reason: str, position: int | None = None) -> None:
        super().__init__(kind, reason, position)
        self.kind = kind
        self.reason = reason
        self.position = position

    def sentence(self) -> str:
        return self.reason if self.position is None else f"{self.reason} (at character {self.position})"
