"""Find the parts of a prompt that can be left out: its examples, sections, or sentences.

A part is text of the source without a placeholder, so roles, placeholders, schemas and parameters stay as they are.

- An *example* is a message of the user and the model's answer to it, both without a placeholder. Within the text of a
  message it is `<example>…</example>`, or a paragraph that begins with the word "Example".
- A *section* is a heading (`# …`) with what is below it, up to the next one; without headings, a paragraph.
- A *sentence* ends with a full stop, a question or exclamation mark, or with its paragraph or item of a list.

Sections and sentences are those of the system's and the user's messages outside of examples. A message keeps at least
one of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import regex

from promptbench.core.errors import Diagnostics
from promptbench.prompts.parser import FRONT, parse_prompt
from promptbench.prompts.prompt import Prompt
from promptbench.yaml.source import Source

Kind = Literal["example", "section", "sentence"]
KINDS: tuple[Kind, ...] = ("example", "section", "sentence")
_ROLE = r"""(?<!\\)\{\{\s*(?:role\s+["'](?:%s)["']|history)\s*\}\}"""
_ANY = regex.compile(_ROLE % r"\w+")
_SHOT = "".join(_ROLE.replace("|history", "") % role + r"(?:(?!\{\{).)+" for role in ("user", "model|assistant"))
_EXAMPLE = regex.compile(
    rf"(?ims){_SHOT}|<example>.*?</example>\s*|^examples?\b.*?(?:\n[ \t]*\n\s*|(?=\s*(?:{_ANY.pattern}|\Z)))"
)
# What is between the texts of the system and the user: examples, messages of the model, roles.
_BETWEEN = regex.compile(rf"(?s){_SHOT}|{_ROLE % 'model|assistant'}(?:(?!{_ANY.pattern}).)*|{_ANY.pattern}")
# Sections take the blank lines behind them away, sentences the spaces.
_PIECE = r"(?s)\S.*?(?:%s|(?=\s*\Z))"
_HEADED = regex.compile(_PIECE % r"\n\s*(?=#{1,6}[ \t])")
_PARAGRAPH = regex.compile(_PIECE % r"\n[ \t]*\n\s*")
# After "e.g." or "no. 5 of" comes a small letter, which begins no sentence.
_STOP = r"""(?<=[.!?]["'”’)\]]?)(?:[ \t]+(?=[^\s\p{Ll}])|(?=\s*\n\s*[^\s\p{Ll}]))|(?<=[。！？])(?=\S)"""
_SENTENCE = regex.compile(_PIECE % rf"{_STOP}|(?=\n[ \t]*\n|\n\s*(?:[-*+•]|\d+[.)]|\#+)[ \t])")


@dataclass(frozen=True, slots=True)
class PromptPart:
    """The text from `start` up to `end` of a prompt's source; `text` is the same on one line and without roles."""

    name: str
    text: str
    start: int
    end: int


def find_parts(prompt: Prompt, kind: Kind) -> list[PromptPart]:
    """Return the parts of one kind that the prompt is valid without. Of neighbours with the same text it has one."""
    found: dict[str, PromptPart] = {}
    for start, end in _spans(prompt.source, kind):
        text = " ".join(_ANY.sub(" ", prompt.source[start:end]).split())
        part = PromptPart(f"{kind} {len(found) + 1}", text, start, end)
        short = shorten(prompt, [part]) if text and "{{" not in text else None
        if short is not None:
            found.setdefault(short.hash, part)
    return list(found.values())


def shorten(prompt: Prompt, parts: Sequence[PromptPart]) -> Prompt | None:
    """Return the prompt without some of its parts, or None if it is not valid without them."""
    source, messages = prompt.source, len(prompt.messages)
    for part in sorted(parts, key=lambda part: part.start, reverse=True):
        before, after = source[: part.start], source[part.end :]
        if after[:1] in ("", "\n"):
            before = before.rstrip(" \t")
            # A line of which nothing is left goes as a whole.
            after = after[1:] if before.endswith("\n") else after
        source = before + after
        # An example of two messages takes both away, other parts none.
        messages -= len(_ANY.findall(prompt.source, part.start, part.end))
    short = parse_prompt(Source(f"{prompt.name}.prompt", source), Diagnostics())
    return short if short and len(short.messages) == messages and short.variables == prompt.variables else None


def _spans(source: str, kind: Kind) -> Iterator[tuple[int, int]]:
    """Yield where parts of one kind may start and end."""
    front = FRONT.match(source)
    body = front.end() if front else 0
    others = [] if kind == "example" else [found.span() for found in _BETWEEN.finditer(source, body)]
    for start, end in zip([body, *(end for _, end in others)], [*(start for start, _ in others), None], strict=True):
        section = _HEADED if regex.search(r"^#{1,6}[ \t]", source[start:end], regex.M) else _PARAGRAPH
        piece = {"example": _EXAMPLE, "section": section, "sentence": _SENTENCE}[kind]
        yield from (found.span() for found in piece.finditer(source, start, end))
