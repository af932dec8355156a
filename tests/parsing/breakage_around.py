"""What models write around their data, and texts in which a value is not the answer.

The kinds of the first part leave the document whole: a reader must return it, or refuse. In those of the second part
(`@no_answer`) the text says more than the value or does not give it as the answer, so that only a guess may return it.
"""

from __future__ import annotations

import json
import random
from typing import Any

from tests.parsing.breakage import breakage, change, document, dump, join, no_answer, tokens, value

_LABELS = ["intent", "Team", "order status", "confidence", "is_open", "date of birth", "Action", "reason", "x-y", "ID"]
_WORDS = ["refund", "billing", "0.93", "true", "S-2291", "New York", '"cancel"', "2026-11-28", "high", "12 %"]
_SENTENCES = [
    "The customer was charged twice for the same order.",
    "I looked at every message in the thread before deciding.",
    "Please tell me if anything in here should look different!",
    "This follows the rules from your message, and nothing else was added.",
]
_TOKENS = [
    "<|im_end|>",
    "</s>",
    "<|eot_id|>",
    "<|endoftext|>",
    "<end_of_turn>",
    "<|end|>",
    "<｜end▁of▁sentence｜>",
    "[EOS]",
]


def _compact(doc: Any) -> str:
    return join(tokens(doc))


def _label(source: random.Random) -> str:
    return f"{source.choice(_LABELS)}: {source.choice(_WORDS)}"


# --- the document is the whole answer ---------------------------------------------------------------------------------


@breakage
def stop_token(source: random.Random, doc: Any) -> str | None:
    return dump(source, doc) + source.choice(["", "\n", " "]) + source.choice(_TOKENS)


@breakage
def stop_tokens_after_fence(source: random.Random, doc: Any) -> str | None:
    return f"```json\n{dump(source, doc)}\n```\n{source.choice(_TOKENS)}{source.choice(_TOKENS)}"


@breakage
def chat_template(source: random.Random, doc: Any) -> str | None:
    before = source.choice(
        [
            "<|im_start|>assistant\n",
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "<start_of_turn>model\n",
            "<|start|>assistant<|channel|>final<|message|>",
            "[/INST] ",
            "<s>",
        ]
    )
    return before + dump(source, doc) + source.choice([*_TOKENS, ""])


@breakage
def tool_calls_token(source: random.Random, doc: Any) -> str | None:
    return source.choice(["[TOOL_CALLS]", "[TOOL_CALLS] ", "<|python_tag|>", "<|tool_call|>"]) + _compact(doc)


@breakage
def left_over_closer(source: random.Random, doc: Any) -> str | None:
    return dump(source, doc) + source.choice(["\n```", "```", "`", "</json>", "\n</answer>", "\n~~~", "]]>"])


@breakage
def think_in_other_words(source: random.Random, doc: Any) -> str | None:
    opener, closer = source.choice(
        [("[THINK]", "[/THINK]"), ("<reasoning>", "</reasoning>"), ("<thought>", "</thought>"), ("◁think▷", "◁/think▷")]
    )
    return f"{opener}team: {source.choice(_WORDS)}, or {_compact(document(source))}…{closer}\n{dump(source, doc)}"


@breakage
def html_comment_beside(source: random.Random, doc: Any) -> str | None:
    return f"<!-- {source.choice(_SENTENCES)} -->\n{dump(source, doc)}"


@breakage
def draft_in_comment(source: random.Random, doc: Any) -> str | None:
    return f"<!-- {_compact(document(source))} -->\n{dump(source, doc)}"


@breakage
def sentences_around(source: random.Random, doc: Any) -> str | None:
    first, last = source.sample(_SENTENCES, 2)
    return f"{first}\n\n{dump(source, doc)}\n\n{last}"


@breakage
def headings(source: random.Random, doc: Any) -> str | None:
    title = source.choice(["## Analysis", "### Reasoning", "**Analysis**"])
    return f"{title}\n{source.choice(_SENTENCES)}\n\n{source.choice(['## Answer', '**Result:**'])}\n{dump(source, doc)}"


@breakage
def introduced(source: random.Random, doc: Any) -> str | None:
    words = [
        "Final answer:",
        "Here you go:",
        "JSON:",
        "Output:",
        "Hier ist die Antwort:",
        "Voici le résultat :",
        "回答：",
    ]
    return f"{source.choice(words)}{source.choice([' ', chr(10)])}{dump(source, doc)}"


@breakage
def note_after_fence(source: random.Random, doc: Any) -> str | None:
    note = source.choice(["Note", "**Explanation**", "Reasoning", "Disclaimer"])
    return f"```json\n{dump(source, doc)}\n```\n\n{note}: {source.choice(_SENTENCES)}"


@breakage
def python_set_up(source: random.Random, doc: Any) -> str | None:
    return f"```python\nanswer = {doc!r}\nprint(answer)\n```"


@breakage
def python_repr_in_prose(source: random.Random, doc: Any) -> str | None:
    return f"The result is: {doc!r}"


@breakage
def cut_stream(source: random.Random, doc: Any) -> str | None:
    text = dump(source, doc)
    return text[: source.randint(1, len(text) - 1)] + source.choice(_TOKENS)


@breakage
def stream_of_events(source: random.Random, doc: Any) -> str | None:
    text, parts = _compact(doc), []
    while text:
        size = source.randint(1, 9)
        parts.append(f"data: {json.dumps({'delta': text[:size]})}")
        text = text[size:]
    return "\n\n".join([*parts, "data: [DONE]"])


@breakage
def begun_again(source: random.Random, doc: Any) -> str | None:
    text = dump(source, doc)
    return text[: source.randint(1, len(text) - 1)] + "\n" + text


@breakage
def diff_of_lines(source: random.Random, doc: Any) -> str | None:
    text = join(tokens(doc, pretty=True))
    return "\n".join(source.choice(["+ ", "  ", "- "]) + line for line in text.splitlines())


@breakage
def numbered_lines(source: random.Random, doc: Any) -> str | None:
    return "\n".join(f"{n}: {line}" for n, line in enumerate(join(tokens(doc, pretty=True)).splitlines(), 1))


@breakage
def quoted_lines(source: random.Random, doc: Any) -> str | None:
    return "\n".join(f"> {line}" for line in join(tokens(doc, pretty=True)).splitlines())


@breakage
def full_width_signs(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, ": ,", lambda text: {":": "：", ",": "，"}[text], share=0.5)


@breakage
def html_entities(source: random.Random, doc: Any) -> str | None:
    return _compact(doc).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


@breakage
def markdown_escapes(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "key text", lambda text: text.replace("_", "\\_").replace("[", "\\["), share=1)


@breakage
def bold_values(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "key text", lambda text: f"**{text}**")


@breakage
def stray_words_inside(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, ",", lambda text: f", {source.choice(['and', 'then', 'refund'])} ")


@breakage
def undefined_value(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "literal number", lambda text: source.choice(["undefined", "N/A", "n/a", "nil", "-"]))


@breakage
def hex_or_date(source: random.Random, doc: Any) -> str | None:
    return change(source, doc, "number", lambda text: source.choice(["0x1F", "2026-11-28", "1/2", "12%", "1,5", "1e"]))


# --- the value is not the answer, or only a part of it ---------------------------------------------------------------


@no_answer
def label_before(source: random.Random, doc: Any) -> str | None:
    return f"{_label(source)}{source.choice([chr(10), ', ', '; ', chr(10) * 2])}{dump(source, doc)}"


@no_answer
def label_after(source: random.Random, doc: Any) -> str | None:
    return f"{dump(source, doc)}{source.choice([chr(10), ', ', ' ', chr(10) * 2])}{_label(source)}"


@no_answer
def labels_of_all(source: random.Random, doc: Any) -> str | None:
    return f"{_label(source)}\nslots: {dump(source, doc)}\n{_label(source)}"


@no_answer
def yaml_around(source: random.Random, doc: Any) -> str | None:
    return f"answer:\n  team: {source.choice(_WORDS)}\n  slots: {_compact(doc)}"


@no_answer
def bold_labels(source: random.Random, doc: Any) -> str | None:
    return f"**{source.choice(_LABELS)}:** {source.choice(_WORDS)}\n\n**Slots:** {dump(source, doc)}"


@no_answer
def tags(source: random.Random, doc: Any) -> str | None:
    return f"<intent>{source.choice(_WORDS)}</intent>\n<slots>{dump(source, doc)}</slots>"


@no_answer
def tag_with_name(source: random.Random, doc: Any) -> str | None:
    return source.choice(['<invoke name="{0}">{1}</invoke>', "<function={0}>{1}</function>"]).format(
        "book", _compact(doc)
    )


@no_answer
def react_call(source: random.Random, doc: Any) -> str | None:
    return f"Thought: I need the weather.\nAction: get_weather\nAction Input: {_compact(doc)}"


@no_answer
def python_call(source: random.Random, doc: Any) -> str | None:
    return source.choice(["get_weather({0})", "call get_weather with args={0}", "functions.book:0 {0}"]).format(
        _compact(doc)
    )


@no_answer
def commentary_channel(source: random.Random, doc: Any) -> str | None:
    return f"<|channel|>commentary to=functions.book <|constrain|>json<|message|>{_compact(doc)}<|call|>"


@no_answer
def bullets(source: random.Random, doc: Any) -> str | None:
    items = "\n".join(f"{source.choice(['-', '*', '1.', '2)'])} {source.choice(_WORDS)}" for _ in range(2))
    return source.choice([f"{items}\n{dump(source, doc)}", f"{dump(source, doc)}\n{items}"])


@no_answer
def one_item(source: random.Random, doc: Any) -> str | None:
    return source.choice(["- {0}", "1. {0}", "* {0}\n* none", "a) {0}"]).format(_compact(doc))


@no_answer
def table(source: random.Random, doc: Any) -> str | None:
    return f"| intent | slots |\n|---|---|\n| {source.choice(_WORDS)} | {_compact(doc)} |"


@no_answer
def csv_row(source: random.Random, doc: Any) -> str | None:
    return f"intent,slots\n{source.choice(_WORDS)},{_compact(doc)}"


@no_answer
def second_scalar(source: random.Random, doc: Any) -> str | None:
    scalar = source.choice(["5", '"x"', "true", "null", "refund", "-1.5"])
    join_by = source.choice([", ", "\n", " ", "; ", " | "])
    return join_by.join(source.choice([[_compact(doc), scalar], [scalar, _compact(doc)]]))


@no_answer
def words_list_beside(source: random.Random, doc: Any) -> str | None:
    return f"[refund, cancel]\n{_compact(doc)}"


@no_answer
def several_records(source: random.Random, doc: Any) -> str | None:
    return "\n".join(_compact(item) for item in [doc, *(document(source) for _ in range(source.randint(1, 3)))])


@no_answer
def several_candidates(source: random.Random, doc: Any) -> str | None:
    return f"Either {_compact(doc)} or {_compact(document(source))} would fit."


@no_answer
def omission(source: random.Random, doc: Any) -> str | None:
    rest = source.choice(["...", "…", "and 8 more", "(truncated)", "etc.", "// 3 more", "[...]", "and so on"])
    return source.choice(
        [f"{dump(source, doc)}\n{rest}", f"{dump(source, doc)} {rest}", f"{rest}\n{dump(source, doc)}"]
    )


@no_answer
def omission_in_comment(source: random.Random, doc: Any) -> str | None:
    words = ["... 8 more", "and so on", "rest omitted", "more items here", "same for the others", "… etc."]
    mark = source.choice(["// {0}\n", "/* {0} */", "# {0}\n"]).format(source.choice(words))
    return change(source, doc, "} ]", lambda text: f" {mark}{text}")


@no_answer
def in_html_comment(source: random.Random, doc: Any) -> str | None:
    return source.choice(["<!-- {0} -->", "Nothing.\n<!--\n{0}\n-->", "<!-- {0}"]).format(dump(source, doc))


@no_answer
def in_comment(source: random.Random, doc: Any) -> str | None:
    return source.choice(["// {0}", "# {0}", "/* {0} */", "Nothing found. // {0}"]).format(_compact(doc))


@no_answer
def in_refusal(source: random.Random, doc: Any) -> str | None:
    texts = [
        "I'm sorry, but I can't return {0} for this.",
        "I cannot help with that. It would look as follows:\n{0}",
        "I am unable to provide {0}.",
        "{0}\n\nI'm sorry, but I cannot complete this request.",
    ]
    return source.choice(texts).format(_compact(doc))


@no_answer
def echo_of_schema(source: random.Random, doc: Any) -> str | None:
    kind = source.choice(["object", "array", "string"])
    schema = {"type": kind, **({"properties": {"team": {"type": "string"}}} if kind == "object" else {})}
    texts = ["The schema {0} does not fit.", "You asked for this schema:\n```json\n{0}\n```\nWhat is the text?"]
    return source.choice(texts).format(json.dumps(schema))


@no_answer
def mentioned(source: random.Random, doc: Any) -> str | None:
    texts = [
        "The value {0} does not fit here.",
        "{0} is wrong.",
        "It is not {0}.",
        "For example: {0}",
        "I would never answer {0}.",
        "{0} would be the answer if it were paid.",
    ]
    return source.choice(texts).format(_compact(doc))


@no_answer
def withdrawn(source: random.Random, doc: Any) -> str | None:
    text = source.choice(["Wait, that is wrong.", "Actually, it should be sales.", "Correction: the team is sales."])
    return f"{dump(source, doc)}\n\n{text}"


@no_answer
def inside_thinking(source: random.Random, doc: Any) -> str | None:
    return source.choice(["{0}</think>", "<think>{0}</think>", "<think>{0}", "Maybe {0}\n</think>\n"]).format(
        _compact(doc)
    )


@no_answer
def next_turn(source: random.Random, doc: Any) -> str | None:
    return (
        f"{_compact(doc)}<|im_end|>\n<|im_start|>user\n{source.choice(_WORDS)}<|im_end|>\n{_compact(document(source))}"
    )


@no_answer
def assigned(source: random.Random, doc: Any) -> str | None:
    sign = source.choice(["=", ":=", "=>", "->"])
    return source.choice([f"total {sign} {source.choice(_WORDS)}\n{_compact(doc)}", f"{_compact(doc)}\nteam {sign} x"])


@no_answer
def object_in_text(source: random.Random, doc: Any) -> str | None:
    """The inner object of a document whose outer one is not JSON."""
    return f"team is {source.choice(_WORDS)} and slots are {_compact(doc)} with score {value(source, 0)!r}"
