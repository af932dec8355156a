from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from promptbench.text.templates import Part, Tag, TemplateError, is_name, join, lookup, render_value, split


def bare(parts: list[Part]) -> list[str | tuple[str]]:
    """Parts without their places: a tag as a tuple of its body."""
    return [part if isinstance(part, str) else (part.body,) for part in parts]


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
        ("{{@index}}", "a Handlebars data variable"),
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


_pieces = st.sampled_from(["a", "\\", "{", "}", " ", "\n", "{{", "\\{{", "}}", "{{a}}", "{{ b.c }}", "\\\\{{a}}", "%"])


@settings(deadline=None, max_examples=300)
@given(st.lists(_pieces, max_size=12).map("".join))
@example("\\{\\{{{")
def test_what_was_split_can_be_joined(text: str) -> None:
    try:
        once = split(text)
    except TemplateError as error:
        mistake = text[error.offset : error.offset + error.length]
    else:
        mistake = "{{"
        if all(isinstance(part, str) or is_name(part.body) for part in once):
            assert bare(split(join(once))) == bare(once)
    assert mistake.startswith("{{")


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
