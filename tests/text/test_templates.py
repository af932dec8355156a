from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from promptbench.text.templates import (
    Block,
    MediaTag,
    Part,
    Scope,
    Tag,
    TemplateError,
    all_tags,
    fill,
    is_name,
    join,
    lookup,
    outer_names,
    render_value,
    split,
    split_blocks,
)


def bare(parts: Sequence[Part]) -> list[Any]:
    """Parts without their locations: a tag as a tuple of its body, a block as one of its kind, name and branches."""
    return [
        (part.kind, part.tag.body, bare(part.body), bare(part.otherwise))
        if isinstance(part, Block)
        else part
        if isinstance(part, str)
        else (part.body, *(["media"] if isinstance(part, MediaTag) else []))
        for part in parts
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("plain", ["plain"]),
        ("a {{b}} c", ["a ", ("b",), " c"]),
        ("{{a}}{{b.c}}", [("a",), ("b.c",)]),
        ("{{  a\t}}", [("a",)]),
        ('{"x": {{x}}}', ['{"x": ', ("x",), "}"]),
        ("{ {a} } }} %}", ["{ {a} } }} %}"]),
        (r"\{{a}}", ["{{a}}"]),
        (r"\{{{a}}}", ["{{{a}}}"]),
        (r"{\{{{{a}}", ["{{{", ("a",)]),
        (r"\{{a}} {{a}}", ["{{a}} ", ("a",)]),
        (r"C:\temp\\{{name}}", ["C:\\temp\\", ("name",)]),
        (r"\\\{{a}}", ["\\\\", ("a",)]),
        (r"\n and \ alone", [r"\n and \ alone"]),
        ("{{a b}}{{}}", [("a b",), ("",)]),
    ],
)
def test_split(text: str, parts: list[str | tuple[str]]) -> None:
    assert bare(split(text)) == parts


def test_tags_know_where_they_are() -> None:
    text = "one \\{{ two {{ a }} three \\\\{{b}}"
    tags = [part for part in split(text) if isinstance(part, Tag)]
    assert [text[tag.offset : tag.offset + tag.length] for tag in tags] == ["{{ a }}", "{{b}}"]


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("{{{a}}}", "unescaped Handlebars"),
        ("{{#if a}}", "a Handlebars block"),
        ("{{#a}}", "a Handlebars block"),
        ("{{/if}}", "the end of a Handlebars block"),
        ("{{>part}}", "a partial"),
        ("{{! note }}", "a Handlebars comment"),
        ("{{!-- note --}}", "a Handlebars comment"),
        ("{{^a}}", "a Mustache inverted section"),
        ("{{&a}}", "unescaped Mustache"),
        ("{{=<% %>=}}", "change of delimiters"),
        ("{{~a~}}", "white space control"),
    ],
)
def test_other_dialects_are_refused_by_name(tag: str, name: str) -> None:
    with pytest.raises(TemplateError, match="is not supported") as raised:
        split(f"before {tag} after")
    assert name in raised.value.message
    assert raised.value.dialect
    assert raised.value.hint
    assert raised.value.offset == len("before ")


@pytest.mark.parametrize("text", ["a {{b", "a {{b\n}} c", "a {{b}", "{{"])
def test_an_open_tag_is_refused_where_it_opens(text: str) -> None:
    with pytest.raises(TemplateError, match="not closed") as raised:
        split(text)
    assert text[raised.value.offset :].startswith("{{")
    assert not raised.value.dialect


_texts = ["a", "\\", "{", "}", " ", "\n", "{{", "\\{{", "}}", "{{a}}", "{{ b.c }}", "\\\\{{a}}", "{{media url=a}}", "%"]
_blocks = ["{{#if a}}", "{{#unless a}}", "{{#each b}}", "{{else}}", "{{/if}}", "{{/unless}}", "{{/each}}", "{{@index}}"]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from([*_texts, *_blocks]), max_size=12).map("".join), st.booleans())
@example("\\{\\{{{", False)
@example("{{#if a}}\n\\\n{{else}}\n\n{{/if}}\n", True)
def test_what_was_split_can_be_joined(text: str, layout: bool) -> None:
    try:
        once = split_blocks(text, layout=layout)
    except TemplateError as error:
        wrong = text[error.offset : error.offset + error.length]
    else:
        wrong = "{{"
        if all(is_name(tag.body, depth) for tag, depth in all_tags(once)):
            assert bare(split_blocks(join(once), layout=False)) == bare(once)
    assert wrong.startswith("{{")


VALUES = {
    "name": "Ada",
    "empty": "",
    "zero": 0,
    "object": {},
    "items": [{"id": 1, "tags": ["x", "y"]}, {"id": 2, "tags": []}],
    "sizes": {"small": 1, "large": 2},
    "braces": "{{name}} {{#if name}}",
}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{#if name}}Hi {{name}}{{else}}Hi{{/if}}!", "Hi Ada!"),
        ("{{#if nobody}}Hi{{else}}no{{/if}}", "no"),
        ("{{#if empty}}a{{/if}}{{#if zero}}b{{/if}}{{#if object}}c{{/if}}", "c"),
        ("{{#unless empty}}a{{else}}b{{/unless}}", "a"),
        ("{{#each items}}{{id}}{{this.id}}{{#if @last}}.{{else}},{{/if}}{{/each}}", "11,22."),
        ("{{#each items}}{{#each tags}}{{this}}{{../id}}{{@root.name}}{{else}}-{{/each}}{{/each}}", "x1Aday1Ada-"),
        ("{{#each sizes}}{{@index}}{{@key}}={{this}} {{/each}}", "0small=1 1large=2 "),
        ("{{braces}}", "{{name}} {{#if name}}"),
        ("a\n{{#if name}}\n  b\n{{else}}\n  c\n{{/if}}\nd", "a\n  b\nd"),
        ("a\n  {{#each items}}\n- {{id}}\n  {{/each}}\nd", "a\n- 1\n- 2\nd"),
        ("a {{#if name}}\nb\n{{/if}} c", "a \nb\n c"),
    ],
)
def test_blocks(text: str, rendered: str) -> None:
    assert "".join(map(str, fill(split_blocks(text, layout=True), Scope((VALUES,))))) == rendered


@pytest.mark.parametrize(
    ("text", "names", "missing"),
    [
        ("{{#if a}}{{b}}{{else}}{{c}}{{/if}}", {"a", "b", "c"}, ["c"]),
        ("{{#each a}}{{b}}{{../c}}{{@root.d}}{{/each}}", {"a", "c", "d"}, ["a"]),
        ("{{#each items}}{{id}}{{cost}}{{/each}}", {"items"}, ["items.0.cost", "items.1.cost"]),
        ("{{#each name}}{{this}}{{/each}}", {"name"}, ["name.0"]),
    ],
)
def test_names_and_what_is_missing(text: str, names: set[str], missing: list[str]) -> None:
    parts = split_blocks(text, layout=False)
    assert set(outer_names(parts)) == names
    found: list[str] = []
    fill(parts, Scope((VALUES,)), found)
    assert found == missing
    with pytest.raises(KeyError, match=missing[0]):
        fill(parts, Scope((VALUES,)))


@pytest.mark.parametrize(
    ("text", "wrong", "message"),
    [
        ("a {{#if b}} c", "{{#if b}}", "{{#if}} is not closed"),
        ("a {{/if}}", "{{/if}}", "{{/if}} without {{#if}}"),
        ("{{#if b}}{{/each}}", "{{/each}}", "{{/each}} without {{#each}}"),
        ("{{else}}", "{{else}}", "{{else}} outside of a block"),
        ("{{#if b}}{{else}}{{else}}{{/if}}", "{{else}}", "a second {{else}} in one block"),
        ("{{#if b}}{{else if c}}{{/if}}", "{{else if c}}", "{{else …}} (a chained condition) is not supported"),
        ("{{#if b}}" * 21, "{{#if b}}", "blocks are nested more than 20 deep"),
        ("{{#each items as |item|}}", "{{#each items as |item|}}", "{{#…}} (a Handlebars block) is not supported"),
    ],
)
def test_wrong_blocks(text: str, wrong: str, message: str) -> None:
    with pytest.raises(TemplateError) as raised:
        split_blocks(text, layout=True)
    error = raised.value
    assert (text[error.offset :][: error.length], error.message) == (wrong, message)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["\\" * 1_000_000, "{" * 300_000, "\\{{" * 200_000, "{{a}}" * 100_000])
def test_odd_texts_take_no_time(text: str) -> None:
    start = time.process_time()
    with suppress(TemplateError):
        join(split(text))
    assert time.process_time() - start < 20


@pytest.mark.parametrize("name", ["a", "a.b", "_a", "a-b", "a.0", "A9.b_c"])
def test_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a b", "9a", "a|b", "a()", "this/a", "a\n", "ä", "a..b"])
def test_no_names(name: str) -> None:
    assert not is_name(name)


def test_lookup() -> None:
    values = {"a": {"b": [10, {"c": "deep"}]}, "a.x": "whole", "none": None}
    assert lookup("a.b.0", values) == 10
    assert lookup("a.b.1.c", values) == "deep"
    assert lookup("a.x", values) == "whole"
    assert lookup("none", values) is None
    for name in ("b", "a.c", "a.b.2", "a.b.-1", "none.x", "a.b.c"):
        with pytest.raises(KeyError):
            lookup(name, values)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("<b>&\"'</b>", "<b>&\"'</b>"),
        ("{{a}}", "{{a}}"),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (0.5, "0.5"),
        ([1, "ä"], '[1, "ä"]'),
        ({"a": None}, '{"a": null}'),
    ],
)
def test_values_as_text(value: object, text: str) -> None:
    assert render_value(value) == text
