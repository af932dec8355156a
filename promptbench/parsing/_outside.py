"""Tell prose around a value from text that carries data: labels, lists, assignments, tags, omissions, other values.

Prose may be dropped without a loss. Text that carries data may not: the value may be only a part of the answer.
"""

import re
from typing import Final

from promptbench.core.types import Repair
from promptbench.parsing._wrap import WINDOW

# The value is not all of the answer, or not the last word.
UNFINISHED: Final = re.compile(
    r"\.{3}|…|\b(?:etc|and so (?:on|forth)|(?:and|\d++) (?:more|others?)|truncated|omitted|abridged|remaining"
    r"|snip(?:ped)?|left out|partial(?:ly)?|incomplete|only the first|scratch that|on (?:second thought|reflection)"
    r"|i meant|ignore (?:this|that|the above))\b|(?:^|[.!?`}\]])\s*+(?:actually|wait|correction|alternatively)\b",
    re.IGNORECASE | re.MULTILINE,
)
_HINTS = (
    *("...", "…", "etc", "and so ", " more", " other", "truncated", "omitted", "abridged", "remaining", "snip"),
    *("left out", "partial", "incomplete", "only the first", "scratch", "on second", "on reflection", "i meant"),
    *("ignore ", "actually", "wait", "correction", "alternatively"),
)
_SIGN = re.compile(r"[<|=→>{\[*]")
_DATA = re.compile(
    r"""<(?:/\w|[^\W\d])[^<>\n]{0,200}+>"""
    r"""|^[ \t]*+\||\|[^|\n]{0,80}+\||\*\*[^*\n]{1,80}+\*\*[ \t]*+[-–—]|[{\[]\s*+["'“{\[]"""
    r"""|[\w\])"'`*][ \t]*+(?::=|=>|->|→|=)[ \t]*+[^\s=]""",
    re.MULTILINE,
)
_DECLINES = re.compile(
    r"(?:\bcan(?:not|['’]t| not)|won['’]t|will not|unable to|not able to)\s+(?:help|assist|comply|fulfil|provide"
    r"|do (?:that|this|so)|answer|continue|share|generate|create|produce|complete|give|support|discuss|process)\b",
    re.IGNORECASE,
)
_LINE = re.compile(r"[^\n]++")
_ITEM = re.compile(r"[ \t]*+(?:>|(?:[-*+•–—]|\(?(?:\d{1,3}|[A-Za-z])[.)])(?:[ \t]|\Z))")
_LABEL = re.compile(
    r"(?:^|[.!?;,|•]\s|\(|//|<!--|/\*|\s[-–—]\s)(?:[\s>*+•#-]++|\(?\d{1,3}[.)]\s)*+"
    r"(?P<label>(?:[^:：=.!?;,(){}\[\]|]|\.(?=\w)|\([^()\n]{0,40}+\)){1,80}?)\s*+[:：](?!//)"
)
_SCALAR = re.compile(r"""[-+]?[\d.,]*\d%?|"[^"]*"|'[^']*'|“[^”]*”|\[[^\[\]]*\]""")
_CLAUSE = re.compile(r"[.!?;,(|:]\s")
# The end of a sentence, a fence, or a title.
_IS_PROSE = re.compile(r"[.!?:：。](?:\s|\Z)|`{3}|~{3}|\A[ \t]*(?:#{1,6}[ \t]|\*\*[^*]++\*\*[: \t]*\Z)")
_IDENTIFIER = re.compile(r"\w[_.:/]\w\S*+\Z")
_SEPARATORS = (",", ";", "|", "&", " -", "–", "—")
_MARKUP = " \t*_#`>\"'“”"
_WORD = re.compile(r"[^\W_]+(?:['’]\w+)?")

# Words of a sentence, which is not a label though it has a colon.
_SENTENCE = re.compile(
    r"\b(?:here|follow(?:s|ing)|below|is|are|was|this|that|these|as|it|i|we|my|you|your|let|me|so|hier|voici|ecco|вот)\b",
    re.IGNORECASE,
)
# With them, words of labels and titles that announce the answer.
_INTRODUCES = re.compile(
    rf"{_SENTENCE.pattern}|\b(?:json|answers?|results?|outputs?|response|reply|solution|object|array|dict(?:ionary)?"
    r"|snippet|classification|calls?|final|updated|corrected|fixed|revised|parsed|extracted|sure|certainly|course|okay|ok|assistant"
    r"|model|thanks|done|hope|regards|well|yes|hi|hello|alright|great|good|understood|perfect|now|then|finally|again"
    r"|better|please|antwort|ergebnis|ausgabe|réponse|résultat|aquí|respuesta|resultado|risposta|risultato"
    r"|resposta|antwoord|odpowiedź|ответ|результат)\b|回答|答案|結果|结果|以下|결과|답변",
    re.IGNORECASE,
)
_COMMENTS = re.compile(
    r"(?:notes?|explanations?|reason(?:ing)?|rationale|analysis|thoughts?|comments?|disclaimer|caveat|warning|tip|summary"
    r"|assumptions?|justification|hinweis|erklärung|begründung|remarque|nota|explicación|explication)\Z",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"(?:\b(?:not|never|instead of|rather than|examples?|e\.g\.|such as|samples?|templates?|wrong|incorrect|invalid"
    r"|placeholder|draft|you (?:wrote|sent|gave|provided)|input (?:is|was)|format is|use this format)\b"
    r"|n['’]t\b)[^.!?\n]{0,60}+\Z|\b(?:in the form|looks? like(?: this)?)\Z",
    re.IGNORECASE,
)
_SENTENCE_GOES_ON = re.compile(r"[ \t]++[a-z]|\s*+\?")
# Fewer words after a label are a value, and not a sentence.
_FEWEST_WORDS = 4


def guesses(text: str, first: int, stop: int, end: int, rest: int, last: int) -> list[Repair]:
    """Return the repairs for prose that says more than that the value is the answer.

    Args:
        first: the start of the text before the value.
        stop: the end of it.
        end: the end of the value.
        rest: the start of the text after it, behind a fence or tag.
        last: the end of it.
    """
    data = _data(text, first, stop, leads=True)
    if data is None:
        data = _data(text, rest, last, leads=False)
    repairs = [] if data is None else [Repair("data_around", data)]
    near = text[max(first, stop - WINDOW // 2) : stop].rstrip(" \t\r\n:")
    goes_on = _SENTENCE_GOES_ON.match(text, rest if text[rest - 1] == "`" else end, last)
    if goes_on or _NEGATED.search(near) or declines(text, rest, last):
        repairs.append(Repair("mentioned", stop))
    return repairs


def declines(text: str, start: int, end: int) -> bool:
    """Return True if the model says here that it does not do what was asked."""
    return _search(_DECLINES, ("not", "n't", "n’t", "unable"), text, start, end) is not None


def _search(pattern: re.Pattern[str], hints: tuple[str, ...], text: str, start: int, end: int) -> re.Match[str] | None:
    """Return the first match, which has one of the hints in it, in lower case.

    Most prose has none, and finding that out is ten times as fast as a pattern of many words.
    """
    prose = text[start:end].lower()
    return pattern.search(text, start, end) if any(hint in prose for hint in hints) else None


def _data(text: str, start: int, end: int, *, leads: bool) -> int | None:
    """Return where a text before (it `leads`) or after a value begins to carry data; None if it is prose."""
    stripped = text[start:end].strip()
    if stripped.endswith(_SEPARATORS) if leads else stripped.startswith(_SEPARATORS[:4]):
        return start
    sign = _search(UNFINISHED, _HINTS, text, start, end)
    if not sign and (first := _SIGN.search(text, start, end)):
        sign = _DATA.search(text, max(start, text.rfind("\n", start, first.start())), end)
    if sign:
        return sign.start()
    last = start + len(text[start:end].rstrip()) if leads else -1
    lines = _LINE.finditer(text, start, end)
    return next(
        (line.start() for line in lines if _is_data(line[0], introduces=line.start() < last <= line.end())), None
    )


def _is_data(line: str, *, introduces: bool) -> bool:
    """Return True if a line is an item of a list, has a label, or is nothing but a value.

    Args:
        introduces: the line ends where a value begins.
    """
    bare = line.strip(_MARKUP + ".~-:：")[-WINDOW:]
    words = _WORD.findall(bare)
    if _ITEM.match(line) and (introduces or len(words) <= _FEWEST_WORDS):
        return True
    if not words:
        return False
    labels = _LABEL.finditer(line) if ":" in line or "：" in line else ()
    if (
        any(_is_label(found["label"], line[found.end() : found.end() + WINDOW]) for found in labels)
        or _SCALAR.fullmatch(line.strip(" \t."))
        or (introduces and _IDENTIFIER.search(line.rsplit(None, 1)[-1]))
    ):
        return True
    if introduces and not line.rstrip(_MARKUP).endswith((".", "!", "?", "。")):
        return not _is_introduction(_CLAUSE.split(bare)[-1])
    return len(words) < _FEWEST_WORDS and all(prose.search(line) is None for prose in (_IS_PROSE, _INTRODUCES))


def _is_label(label: str, rest: str) -> bool:
    label, rest = label.strip(_MARKUP), rest.strip(_MARKUP)
    words, following = _WORD.findall(label), len(rest.split())
    if not words or (rest and label[-1].isdigit() and rest[0].isdigit()):
        return False
    is_prose = label[0].isupper() and _COMMENTS.match(words[0])
    if not rest:
        return not (is_prose or _is_introduction(label))
    return following < _FEWEST_WORDS or not (is_prose or (len(words) > 1 and _SENTENCE.search(label)))


def _is_introduction(label: str) -> bool:
    """Return True if the words before a value announce the answer, and are not the name of a part of it."""
    words: list[str] = _WORD.findall(label)
    # "answer:" may be a key, and "Answer 2:" counts.
    if words and (words[-1].isdigit() or (len(words) == 1 and words[0].islower())):
        return words[0] == "json"
    return len(words) > _FEWEST_WORDS or _INTRODUCES.search(label) is not None
