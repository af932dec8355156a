"""Answers from the pages without a language model: what the best clause says beyond the question's own words."""

from __future__ import annotations

import re
from typing import Any

_PAGE = re.compile(r"^\[(\w+)\] (.+)$", re.MULTILINE)
_CLAUSE = re.compile(r"[^.,]*(?:(?<=\d)[.,](?=\d)[^.,]*)*")
_EMPTY = frozenset(
    re.findall(
        r"\w+",
        """a an and are at be by can cost do does for from have how i in is it its long many may me more must my much
        of on one or our price take that the them there they this to until what when where which who with within you
        your""",
    )
)
_LEAST = 0.5
"""The share of the question's words that a clause must have; with less the pages do not tell."""


def _stem(word: str) -> str:
    low = word.lower()
    return low[:-1] if low.endswith("s") and len(low) > 3 else low


def _words(text: str) -> list[str]:
    return re.findall(r"[\w:]+", text)


def answer(variables: dict[str, Any]) -> str:
    """A few words of the pages and the page's name in brackets, or that the pages do not tell."""
    asked = {_stem(word) for word in _words(variables["question"])} - _EMPTY
    best, score, page = "", 0.0, ""
    for name, text in _PAGE.findall(variables["documents"]):
        for clause in filter(str.strip, _CLAUSE.findall(text)):
            found = {_stem(word) for word in _words(clause)} & asked
            share = len(found) / len(asked) if asked else 0.0
            if share > score:
                best, score, page = clause, share, name
    if score < _LEAST:
        return "not in the pages"
    rest = [word for word in _words(best) if _stem(word) not in asked and word.lower() not in _EMPTY]
    return f"{' '.join(rest) or best.strip()} [{page}]"
