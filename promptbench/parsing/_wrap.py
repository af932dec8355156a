"""Remove what models put around their answer: a byte order mark, thinking, tokens of a chat, a code fence, a tag."""

import re
from dataclasses import dataclass
from typing import Final

from promptbench.core.types import Repair
from promptbench.parsing._names import ReadError

_BOM = "\ufeff"
_SPACE = re.compile(r"\s*")

_THINKING = {
    f"<{word}>": f"</{word}>" for word in ("think", "thinking", "thought", "reasoning", "reflection", "scratchpad")
} | {
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel|>analysis": "<|channel|>final<|message|>",
}
_CLOSER_OF = {opener.lower(): closer.lower() for opener, closer in _THINKING.items()}
_MARK = re.compile("|".join(map(re.escape, [*_THINKING, *_THINKING.values()])), re.IGNORECASE)
_DATA_OR_MARK = re.compile(rf"(?P<mark>{_MARK.pattern})|[{{\[\"`]", re.IGNORECASE)

_FENCE = re.compile(r"(?P<ticks>`{3,}|~{3,})[ \t]*(?P<language>[A-Za-z][\w+-]*)?(?!\S*`)|(?P<tick>`)(?!`)")
_TAG = re.compile(r"<(?P<tag>[A-Za-z][\w.:-]*)(?:\s[^<>]*)?>(?:\s*<!\[CDATA\[)?")
# Tokens that end or begin a turn. The role of the turn may follow.
_TOKEN = (
    r"(?:<\|(?!user|system|human)[^|<>\s]{1,40}\|>|<｜[^｜<>\s]{1,40}｜>|</?s>|<(?:bos|eos|pad|EOT|(?:start|end)_of_turn)>"
    r"|\[(?:/INST|/?TOOL_CALLS|EOS)\])"
)
TOKENS_BEFORE: Final = re.compile(rf"(?:{_TOKEN}\s*+(?:(?:assistant|model|final)\b\s*+)?+)++")
TOKENS_AFTER: Final = re.compile(rf"\s*+(?:{_TOKEN}\s*+)++")
_TOKENS_AT_END = re.compile(rf"(?:{_TOKEN}\s*+)++\Z")
# How far around a value its neighbours are looked for, in characters.
WINDOW: Final = 200
_ATTRIBUTE = re.compile(r"\s(?!(?:type|format|lang|language|class|encoding|version)\b)[\w:-]+\s*=", re.IGNORECASE)
_CODE_LANGUAGES = re.compile(
    r"(?:py(?:thon)?3?|java(?:script)?|jsx?|typescript|tsx?|c|cpp|csharp|cs|go|rust|ruby|rb|php|bash|sh|shell|sql"
    r"|ya?ml|toml|xml|html|css|kotlin|swift|r|perl)\Z"
)
_LEFT_OVER = re.compile(
    r"(?:(?<=\n)|\A)[ \t]*(?P<early></think(?:ing)?>)|(?P<late></think(?:ing)?>)[ \t]*(?=\n|\Z)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Body:
    """The part of a text that may hold data.

    Args:
        start: offset in characters of the whole text.
        end: offset after the last character.
        repairs: what was removed around it.
        language: the language of the innermost fence, in lower case.
    """

    start: int
    end: int
    repairs: tuple[Repair, ...] = ()
    language: str = ""


def is_code(language: str) -> bool:
    """Return True if a fence with this language, in lower case, holds a program and not data."""
    return _CODE_LANGUAGES.match(language) is not None


def unwrap(text: str) -> Body:
    """Return the text without mark, thinking, tokens, fence and tag. Raises ReadError if there is only thinking."""
    start = len(text) - len(text.lstrip(_BOM))
    repairs = [Repair("bom", 0)] if start else []
    if left_over := _thinking_without_opener(text, start):
        repairs.append(Repair("think_block", start))
        start = left_over
    # A mark after the first sign of data is not thinking.
    while (found := _DATA_OR_MARK.search(text, start)) and found["mark"]:
        end = _end_of_thinking(text, found)
        repairs.append(Repair("think_block", found.start()))
        start = end
    return _peel(text, Body(start, len(text), tuple(repairs)))


def _thinking_without_opener(text: str, start: int) -> int:
    """Return the end of thinking whose opening mark was part of the prompt; 0 if there is none.

    Only a mark at an end of its line counts, because a JSON string contains no line ends.
    """
    first = _SPACE.match(text, start)
    begin = first.end() if first else start
    if text.startswith(("{", "[", '"', "`", "<"), begin):
        return 0
    left_over = _LEFT_OVER.search(text, begin)
    if not left_over or _MARK.search(text, begin, left_over.start("early" if left_over["early"] else "late")):
        return 0
    return left_over.end()


def _end_of_thinking(text: str, found: re.Match[str]) -> int:
    mark = found["mark"].lower()
    closer = _CLOSER_OF.get(mark)
    if closer is None:
        return found.end()
    depth, closers, first_end = 1, 0, 0
    for other in _MARK.finditer(text, found.end()):
        if other[0].lower() == mark:
            depth += 1
        elif other[0].lower() == closer:
            depth, closers = depth - 1, closers + 1
            first_end = first_end or other.end()
            if depth == 0:
                return other.end()
    if closers == 1:
        return first_end
    if closers:
        raise ReadError("thinking", "The marks around the thinking do not match", found.start())
    raise ReadError("thinking", "The thinking never ends, so there is no answer", found.start())


def _peel(text: str, body: Body) -> Body:
    for _ in range(8):
        start, end = _trim(text, body.start, body.end)
        inner = _peel_tokens(text, start, end) or _peel_fence(text, start, end) or _peel_tag(text, start, end)
        if inner is None:
            return Body(start, end, body.repairs, body.language)
        body = Body(inner.start, inner.end, body.repairs + inner.repairs, inner.language or body.language)
    return body


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    inner = text[start:end]
    first = end - len(inner.lstrip())
    return first, max(first, start + len(inner.rstrip()))


def _peel_tokens(text: str, start: int, end: int) -> Body | None:
    if before := TOKENS_BEFORE.match(text, start, end):
        return Body(before.end(), end, (Repair("chat_token", start),))
    after = _TOKENS_AT_END.search(text, max(start, end - WINDOW), end)
    return Body(start, after.start(), (Repair("chat_token", after.start()),)) if after else None


def _peel_fence(text: str, start: int, end: int) -> Body | None:
    opener = _FENCE.match(text, start, end)
    if not opener:
        return None
    inner_end = _inner_end(text, opener.end(), end, opener["ticks"] or opener["tick"])
    language = (opener["language"] or "").lower()
    return None if inner_end is None else Body(opener.end(), inner_end, (Repair("fence", start),), language)


def _inner_end(text: str, start: int, end: int, closer: str) -> int | None:
    """Return where the content before `closer` ends, which may be missing; None if it is not at the end."""
    if text.endswith(closer, start, end):
        return end - len(closer)
    return None if text.find(closer, start, end) >= 0 else end


def _peel_tag(text: str, start: int, end: int) -> Body | None:
    opener = _TAG.match(text, start, end)
    if not opener:
        return None
    inner_end = _inner_end(text, opener.end(), end, f"</{opener['tag']}>")
    if inner_end is None:
        return None
    if opener[0].endswith("<![CDATA["):
        _, inner_end = _trim(text, opener.end(), inner_end)
        inner_end -= 3 * text.endswith("]]>", opener.end(), inner_end)
    return Body(opener.end(), inner_end, (Repair("data_around" if assigns(opener[0]) else "xml_wrap", start),))


def assigns(tag: str) -> bool:
    """Return True if an opening tag has an attribute that may be a part of the answer, such as a function's name."""
    return _ATTRIBUTE.search(tag) is not None
