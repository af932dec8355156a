"""Breakage that leaves several readings, or none: a reader may guess on the risky rung, or refuse."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from tests.parsing.breakage import breakage, change, document, dump, join, tokens


def _without(source: random.Random, doc: Any, kinds: str) -> str | None:
    return change(source, doc, kinds, lambda text: "")


def _cut(source: random.Random, text: str) -> str:
    return text[: source.randint(1, max(1, len(text) - 1))]


@breakage
def missing_comma(source: random.Random, doc: Any) -> str | None:
    return _without(source, doc, ",")


@breakage
def missing_comma_at_line_end(source: random.Random, doc: Any) -> str | None:
    return join(tokens(doc, pretty=True)).replace(",\n", "\n", 1)


@breakage
def missing_colon(source: random.Random, doc: Any) -> str | None:
    return _without(source, doc, ":")


@breakage
def missing_quotes(source: random.Random, doc: Any) -> str | None:
    words = r'"(?!(?:true|false|null|True|None)")[a-zA-Z][\w ]*"'
    return change(source, doc, "text", lambda text: text[1:-1] if re.fullmatch(words, text) else None, share=0.5)


@breakage
def missing_first_quote(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "text key", lambda text: text[1:])


@breakage
def missing_last_quote(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "text key", lambda text: text[:-1])


@breakage
def missing_last_quote_pretty(source: random.Random, doc: Any) -> str | None:
    return re.sub(r'"(,?)\n', r"\1\n", join(tokens(doc, pretty=True)), count=1)


@breakage
def unescaped_quotes(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "text", lambda text: text.replace('\\"', '"'), share=1)


@breakage
def unescaped_apostrophe(source: random.Random, doc: Any) -> str | None:
    return change(
        source, doc, "key text", lambda text: None if re.search(r"\\|','", text) else f"'{text[1:-1]}'", share=1
    )


@breakage
def mixed_quotes(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "key text", lambda text: f"“{text[1:]}", share=0.3)


@breakage
def bad_escape(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "text", lambda text: text.replace("\\\\", "\\"), share=1)


@breakage
def truncated(source: random.Random, doc: Any) -> str | None:
    return _cut(source, dump(source, doc))


@breakage
def truncated_in_fence(source: random.Random, doc: Any) -> str | None:
    return f"```json\n{_cut(source, dump(source, doc))}\n```"


@breakage
def truncated_then_prose(source: random.Random, doc: Any) -> str | None:
    return _cut(source, dump(source, doc)) + "\n\nI hope this helps!"


@breakage
def truncated_in_number(source: random.Random, doc: Any) -> str | None:
    text = dump(source, doc)
    places = [found.end() for found in re.finditer(r"[0-9.]", text)]
    return text[: source.choice(places)] if places else None


@breakage
def truncated_in_array(source: random.Random, doc: Any) -> str | None:
    text = dump(source, doc)
    places = [found.end() for found in re.finditer(r"[,\[]", text)]
    return text[: source.choice(places)] if places else None


@breakage
def no_last_closer(source: random.Random, doc: Any) -> str | None:
    return dump(source, doc)[:-1].rstrip()


@breakage
def missing_closer(source: random.Random, doc: Any) -> str | None:
    return _without(source, doc, "} ]")


@breakage
def missing_opener(source: random.Random, doc: Any) -> str | None:
    return _without(source, doc, "{ [")


@breakage
def beheaded(source: random.Random, doc: Any) -> str | None:
    """A rest that starts with an object is, to a reader, that object and too many closing brackets."""
    text = dump(source, doc)
    rest = text[source.randint(1, max(1, len(text) - 1)) :]
    return None if rest.lstrip().startswith("{") else rest


@breakage
def beheaded_by_one(source: random.Random, doc: Any) -> str | None:
    return dump(source, doc)[1:]


@breakage
def swapped_closer(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "} ]", lambda text: "]" if text == "}" else "}")


@breakage
def swapped_opener(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "{ [", lambda text: "[" if text == "{" else "{")


@breakage
def early_closer(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, ",", lambda text: "},")


@breakage
def doubled_structure(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "{ } [ ] , :", lambda text: text * 2)


@breakage
def doubled_quote(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "key text", source.choice([lambda text: '"' + text, lambda text: text + '"']))


@breakage
def ellipsis(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "} ]", lambda text: ", ..." + text)


@breakage
def duplicate_key(source: random.Random, doc: Any) -> str | None:
    if not isinstance(doc, dict):
        return None
    key = json.dumps(source.choice(list(doc)), ensure_ascii=False)
    return f'{{{key}: "draft", {dump(source, doc)[1:]}'


@breakage
def two_values(source: random.Random, doc: Any) -> str | None:
    return f"{dump(source, document(source))}\n{dump(source, doc)}"


@breakage
def repeated_value(source: random.Random, doc: Any) -> str | None:
    text = dump(source, doc)
    return f"{text}\n\n{text}"


@breakage
def draft_in_fence(source: random.Random, doc: Any) -> str | None:
    return f"```json\n{dump(source, document(source))}\n```\nBetter:\n```json\n{dump(source, doc)}\n```"


@breakage
def members_only(source: random.Random, doc: Any) -> str | None:
    return dump(source, doc)[1:-1].strip() if isinstance(doc, dict) else None


@breakage
def lone_surrogate(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "text", lambda text: text.replace("💥", "\\ud83d"))


@breakage
def semicolons(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, ",", lambda text: ";", share=0.5)


@breakage
def equals_signs(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, ":", lambda text: " =", share=0.5)


@breakage
def arithmetic(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "number", lambda text: f"{text} + 0")


@breakage
def call(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "text number", lambda text: f"f({text})")


@breakage
def concatenation(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "text", lambda text: f'"" + {text}')


@breakage
def assignment(source: random.Random, doc: Any) -> str | None:
    return f"result = {dump(source, doc)}"


@breakage
def printed(source: random.Random, doc: Any) -> str | None:
    return f"```python\nprint({dump(source, doc)})\n```"


@breakage
def double_braces(source: random.Random, doc: Any) -> str | None:
    return dump(source, doc).replace("{", "{{").replace("}", "}}")


@breakage
def escaped_markup(source: random.Random, doc: Any) -> str | None:
    return dump(source, doc).replace('"', "&quot;")


@breakage
def hidden_character(source: random.Random, doc: Any) -> str | None:
    text = dump(source, doc)
    at = source.randint(0, len(text))
    return text[:at] + source.choice("\x00\x1b\ufffd\udc00") + text[at:]


@breakage
def lost_structure(source: random.Random, doc: Any) -> str | None:
    """One quote, bracket, comma or colon is gone, wherever it stood."""
    text = dump(source, doc)
    places = [found.start() for found in re.finditer(r'(?<!\\)["{}\[\],:]', text)]
    at = source.choice(places)
    return text[:at] + text[at + 1 :]


@breakage
def stray_structure(source: random.Random, doc: Any) -> str | None:
    text = dump(source, doc)
    at = source.randint(0, len(text))
    return text[:at] + source.choice('"{}[],:') + text[at:]
