"""The parts of a prompt that can be left out, and the prompt without them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.core.errors import Diagnostics
from promptbench.prompts.parser import parse_prompt
from promptbench.prompts.parts import KINDS, Kind, find_parts, shorten
from promptbench.prompts.prompt import Prompt
from promptbench.yaml.source import Source

HEAD = "---\n# kept\nconfig: {temperature: 0}\noutput: {schema: {team: string}}\n---\n"
SHOTS = """\
{{role "system"}}
Read the mail. Answer with JSON.
{{role "user"}}
one
{{role "model"}}
1
{{role "user"}}
about {{topic}}
{{role "model"}}
2
{{role "user"}}
three
{{role "assistant"}}
3
{{role "user"}}
{{message}}
"""
TEXT = """\
{{role "system"}}
# Who
You sort mail, e.g. bills. Be kind!

# Rules
- short
- polite
- about {{topic}}

Example: a bill → billing
and so on

<example>late → delivery</example>
{{role "user"}}
{{message}}
"""


def prompt_of(body: str, head: str = HEAD) -> Prompt:
    prompt = parse_prompt(Source("triage.prompt", head + body), Diagnostics())
    assert prompt is not None
    return prompt


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (SHOTS, "example", ["one 1", "three 3"]),
        (SHOTS, "section", []),
        (SHOTS, "sentence", ["Read the mail.", "Answer with JSON."]),
        (TEXT, "example", ["Example: a bill → billing and so on", "<example>late → delivery</example>"]),
        (TEXT, "section", ["# Who You sort mail, e.g. bills. Be kind!"]),
        ("One.\n\nTwo. Still two.\n\n{{message}}", "section", ["One.", "Two. Still two."]),
        ("你好。再见。{{message}}", "sentence", ["你好。", "再见。"]),
        ("Say it twice.\nSay it twice.\n{{message}}", "sentence", ["Say it twice."]),
        ("Only this: {{message}}", "sentence", []),
    ],
)
def test_which_parts_there_are(body: str, kind: Kind, expected: list[str]) -> None:
    assert [part.text for part in find_parts(prompt_of(body), kind)] == expected


def test_what_is_left_keeps_its_lines() -> None:
    prompt = prompt_of(TEXT)
    second, third, fourth = find_parts(prompt, "sentence")[1:4]
    assert (second.text, third.text, fourth.text) == ("Be kind!", "# Rules", "- short")
    short = shorten(prompt, [second, fourth])
    assert short is not None
    assert short.source == prompt.source.replace(" Be kind!", "").replace("- short\n", "")


def test_a_message_is_never_emptied() -> None:
    prompt = prompt_of('{{role "system"}}\nOne. Two.\n{{role "user"}}\n{{message}}')
    assert shorten(prompt, find_parts(prompt, "sentence")) is None


_PIECES = st.sampled_from(
    [
        "One. ",
        "Two!\n",
        "\n\n",
        "# Head\n",
        "- item\n",
        "{{x}} ",
        "Example: y\n",
        "{{role 'user'}}\n",
        "{{role 'model'}}\n",
    ]
)


@settings(max_examples=40)
@given(st.lists(_PIECES, max_size=20).map("".join), st.data())
def test_nothing_but_text_is_left_out(body: str, data: st.DataObject) -> None:
    prompt = parse_prompt(Source("a.prompt", HEAD + body), Diagnostics())
    if prompt is None:
        return
    parts = find_parts(prompt, data.draw(st.sampled_from(KINDS)))
    chosen = [part for part in parts if data.draw(st.booleans())]
    short = shorten(prompt, chosen)
    if short is not None:
        same = ("config", "input_schema", "output_schema", "variables")
        assert [getattr(short, name) for name in same] == [getattr(prompt, name) for name in same]
        assert [part for part in parts if shorten(prompt, [part]) is None] == []
        assert short.source.startswith(HEAD)
        assert (short.hash == prompt.hash) is not bool(chosen)
