from __future__ import annotations

import copy
import json
import pickle
import time

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from promptbench.core.errors import Code, Diagnostics
from promptbench.yaml.marked import WrittenNumber, YamlDocument, parse
from promptbench.yaml.source import Source


def read(text: str) -> object:
    found = Diagnostics()
    document = parse(Source("f.yaml", text), found)
    assert document is not None, [item.message for item in found]
    assert not list(found)
    return document.value


def problems(text: str) -> Diagnostics:
    found = Diagnostics()
    parse(Source("f.yaml", text), found)
    return found


def marked(text: str, *path: str | int, key: bool = False) -> str:
    """The piece of the text that the place of `path` covers."""
    document = parse(Source("f.yaml", text), Diagnostics())
    assert isinstance(document, YamlDocument)
    location = document.location(path, key=key)
    return location.text[location.column - 1 : location.column - 1 + location.length]


TEXTS = [
    "no", "No", "yes", "on", "off", "y", "12:30", "010", "0o17", "1_000", "0x1F", "+1", ".5", "1.", ".inf", "-.inf",
    ".nan", "=", "2026-11-24", "2026-11-24 12:30:00", "True", "TRUE", "NULL", "Null", "~", "--1", "1e", "e5", "١٢",
]  # fmt: skip
NUMBERS = [("0", 0), ("-0", 0), ("7", 7), ("-12", -12), ("1.5", 1.5), ("1e3", 1000), ("1E+2", 100), ("-0.10", -0.1)]


@pytest.mark.parametrize("text", TEXTS)
def test_what_json_does_not_call_a_number_is_text(text: str) -> None:
    assert read(f"a: {text}") == {"a": text}
    assert read(f"[{text}]") == [text]


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_a_number_has_its_value_and_keeps_its_text(text: str, number: float) -> None:
    value = read(f"a: {text}")["a"]  # type: ignore[index]
    assert value == number
    assert not isinstance(value, str)
    assert str(value) == text
    assert type(json.loads(json.dumps(value))) in (int, float)


@pytest.mark.parametrize(
    ("text", "value"), [("null", None), ("", None), ("true", True), ("false", False), ("'true'", "true"), ("'1'", "1")]
)
def test_words(text: str, value: object) -> None:
    assert read(f"a: {text}") == {"a": value}


def test_keys_are_always_text() -> None:
    assert read("1: a\nno: b\nnull: c\n") == {"1": "a", "no": "b", "null": "c"}


def test_a_written_number_survives_copies() -> None:
    number = WrittenNumber("1.10")
    for twin in (copy.deepcopy(number), pickle.loads(pickle.dumps(number))):
        assert (twin, str(twin)) == (1.1, "1.10")


def test_duplicate_keys_name_both_lines_and_the_first_one_counts() -> None:
    found = Diagnostics()
    document = parse(Source("f.yaml", "a: 1\nb: 2\na: 3\n"), found)
    assert document is not None
    assert document.value == {"a": 1, "b": 2}
    (item,) = found
    assert item.code is Code.DUPLICATE_KEY
    assert "first on line 1, again on line 3" in item.message
    assert (item.location.line, item.related and item.related.line) == (3, 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: !!python/object:os.system x", Code.YAML_FEATURE),
        ("a: !x 1", Code.YAML_FEATURE),
        ("a: !!int '1'", Code.YAML_FEATURE),
        ("x: &x {a: 1}\ny:\n  <<: *x", Code.YAML_FEATURE),
        ("a: &a [*a]", Code.YAML_FEATURE),
        ("? [a]\n: b", Code.YAML_FEATURE),
        ("a:\n\t- b", Code.TAB_INDENT),
        ("a: \x07", Code.YAML_SYNTAX),
        ("a: b\u2028c: d", Code.YAML_SYNTAX),
        ("a: " + "9" * 5000, Code.BAD_VALUE),
        ("a: 1e999", Code.BAD_VALUE),
        ("[" * 70 + "]" * 70, Code.TOO_BIG),
        ("[" * 5000, Code.YAML_SYNTAX),
    ],
)
def test_what_is_refused(text: str, code: Code) -> None:
    assert code in [item.code for item in problems(text)]


def test_anchors_that_unfold_without_end_are_cut_off_soon() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for name, inner in zip("bcdefghijk", "abcdefghij", strict=True):
        lines.append(f"{name}: &{name} [{', '.join(['*' + inner] * 10)}]")
    began = time.perf_counter()
    assert Code.TOO_BIG in [item.code for item in problems("\n".join(lines))]
    assert time.perf_counter() - began < 30


def test_a_plain_anchor_is_fine() -> None:
    assert read("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("path", "key", "covered"),
    [
        (("a",), False, "one"),
        (("a",), True, "a"),
        (("b", 1), False, "3.50"),
        (("b",), False, "[2, 3.50]"),
        (("c", 0, "d"), False, "'x # y'"),
        (("c", 0), False, "d: 'x # y'"),
        (("c", 0, "nowhere"), False, "d: 'x # y'"),
        (("empty",), False, "empty"),
        (("e",), False, "{f: 1}"),
        (("block",), False, "|"),
        (("a", 0), False, "one"),
    ],
)
def test_places(path: tuple[str | int, ...], key: bool, covered: str) -> None:
    text = "a: one # two\nb: [2, 3.50]\nc:\n  - d: 'x # y'\nempty:\ne: {f: 1} # g\nblock: |\n  text\n"
    assert marked(text, *path, key=key) == covered


def test_a_missing_key_is_placed_at_the_key_above() -> None:
    assert marked("a:\n  b: 1\n", "a", "c") == "a"


def test_places_count_letters_not_bytes() -> None:
    assert marked("ä: {荷物: 😀, b: wrong}", "ä", "b") == "wrong"


def test_a_part_of_a_file_has_the_places_of_the_file() -> None:
    source = Source("t.prompt", "---\nconfig: {temperature: hot}\n---\nbody\n")
    document = parse(source, Diagnostics(), text="config: {temperature: hot}\n", first_line=2)
    assert document is not None
    assert str(document.location(("config", "temperature"))) == "t.prompt:2:23"


def test_blank_is_not_null() -> None:
    document = parse(Source("f.yaml", "a:\nb: null\nc: ''\n"), Diagnostics())
    assert document is not None
    assert [document.is_blank((key,)) for key in ("a", "b", "c", "d")] == [True, False, False, False]


plain = st.characters(exclude_categories=["Cs"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(plain),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(plain), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.text(plain))
def test_every_text_that_is_dumped_as_a_string_reads_back(text: str) -> None:
    assert read(yaml.safe_dump({"a": text}, default_style='"')) == {"a": text}


def test_json_with_escaped_halves_of_characters_keeps_its_locations() -> None:
    text = json.dumps({"\U0001f600": ["\\ud83d\\ude00 \U0001f600\\", 1]})
    document = parse(Source("f.yaml", text), Diagnostics())
    assert document is not None
    assert document.value == {"😀": ["\\ud83d\\ude00 😀\\", 1]}
    assert document.location(("😀", 1)).column == text.index("1]") + 1


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('a: "\\ud83d\\ude00"', "write the character itself: 😀"),
        ('{"a": "\\ud83d"}', "write the character itself"),
        ('a: "C:\\new\\xyz"', "put the text in single quotes"),
    ],
)
def test_an_escape_that_yaml_does_not_have_is_an_error_with_a_hint(text: str, hint: str) -> None:
    assert [item.hint for item in problems(text)] == [hint]


@given(json_values)
def test_json_is_read_as_json(value: object) -> None:
    # Escaped, since YAML forbids some characters that JSON allows.
    text = json.dumps(value)
    if text and "\\/" not in text and "\\u007f" not in text:
        assert read(text) == json.loads(text)


pieces = (
    "a", "b: ", "- ", ": ", "\n", "\n  ", "[", "]", "{", "}", "'", '"', "#", "&x ", "*x", "!t ", "|", ">", "? ", "\t",
    ",", "<<: ", "%", "@", "é", "\u2028", "\ufeff", "\ud800", "\0", "---\n", "0", "1e9", "\\",
)  # fmt: skip
yamlish = st.lists(st.sampled_from(pieces), max_size=25).map("".join)


@settings(max_examples=300)
@given(st.text() | yamlish)
def test_no_text_raises_and_every_place_is_inside_the_file(text: str) -> None:
    source = Source("f.yaml", text)
    found = Diagnostics()
    document = parse(source, found)
    assert document is not None or found.errors
    for item in found:
        assert item.message
        assert 1 <= item.location.line <= len(source.lines)
        assert item.location.text == source.lines[item.location.line - 1]
        assert 1 <= item.location.column <= len(item.location.text) + 1


@pytest.mark.slow
def test_thousands_of_cases_are_read_quickly() -> None:
    lines = [f"- case: number {n}\n  vars: {{message: 'text {n}'}}\n  expect: {{team: billing}}" for n in range(5000)]
    began = time.perf_counter()
    read("\n".join(lines))
    assert time.perf_counter() - began < 30
