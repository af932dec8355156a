from __future__ import annotations

import inspect
import json
import time

import pytest
from hypothesis import given, seed, settings, strategies as st

from promptbench.core.types import Rung
from promptbench.parsing import _strict, json_text
from promptbench.parsing._names import EXTRACTION, RISKY, SAFE
from promptbench.parsing.json_text import MOST_CHARACTERS, fingerprint, read
from tests.parsing import breakage_around, breakage_guess
from tests.parsing.breakage import BREAKAGES, broken, same, truth

SURE = (Rung.RAW, Rung.EXTRACTED, Rung.REPAIRED_SAFE)

RAW = [
    ('{"a": 1}', {"a": 1}),
    (' \t\r\n[1, 2.5, "x", null, true]\n', [1, 2.5, "x", None, True]),
    ('"text"', "text"),
    ('"\\"x\\""', '"x"'),
    ("null", None),
    ("-0", 0),
    ('{"code": "```json\\n{}\\n```"}', {"code": "```json\n{}\n```"}),
    ('{"a": "<think>no</think>"}', {"a": "<think>no</think>"}),
    ('["\\ud83d\\ude00"]', ["😀"]),
    ('["\\\\ud800"]', ["\\ud800"]),
    ("[123456789012345678901234567890]", [123456789012345678901234567890]),
    ("[1e-999]", [0.0]),
]

REPAIRED = [
    ("bom", '\ufeff{"a": 1}', {"a": 1}),
    ("think_block", '<think>{"a": 0}</think>{"a": 1}', {"a": 1}),
    ("think_block", '<think>a <think>b</think> {"a": 0}</think>{"a": 1}', {"a": 1}),
    ("think_block", 'so {"a": 0}\n</think>\n{"a": 1}', {"a": 1}),
    ("fence", '```json\n{"a": 1}\n```', {"a": 1}),
    ("fence", 'Here:\n```\n{"a": "```"}\n```\nDone.', {"a": "```"}),
    ("fence", "```json\n42\n```", 42),
    ("fence", '`{"a": 1}`', {"a": 1}),
    ("xml_wrap", '<answer type="json">[1]</answer>', [1]),
    ("xml_wrap", '{"a": 1}</json>', {"a": 1}),
    ("fence", '{"a": 1}\n```', {"a": 1}),
    ("fence", '{"a": 1}`', {"a": 1}),
    ("chat_token", '{"a": 1}</s>', {"a": 1}),
    ("chat_token", '<|im_start|>assistant\n{"a": 1}<|im_end|>\n', {"a": 1}),
    ("chat_token", 'Well: {"a": 1}<｜end▁of▁sentence｜>', {"a": 1}),
    ("xml_wrap", '<a><![CDATA[{"a": 1}]]></a>', {"a": 1}),
    ("prose_around", 'As in [1], the [best] answer: {"a": 1}. Bye [2]', {"a": 1}),
    ("prose_around", 'json\n{"a": 1}', {"a": 1}),
    ("prose_around", '## Result\n{"a": 1}\n\nNote: this follows from the rules.', {"a": 1}),
    ("prose_around", '<!-- {a} --> Here you go:\n{"a": 1}', {"a": 1}),
    ("trailing_comma", "[1, 2,]", [1, 2]),
    ("trailing_comma", '{"a": 1, }', {"a": 1}),
    ("python_literal", "[True, False, None]", [True, False, None]),
    ("single_quotes", "{'a': 'it\\'s \"x\"'}", {"a": 'it\'s "x"'}),
    ("smart_quotes", "{“a”: “it's”}", {"a": "it's"}),
    ("unquoted_key", "{a: 1, b-c: 2, $d: 3, 4: 5}", {"a": 1, "b-c": 2, "$d": 3, "4": 5}),
    ("line_comment", '{"a": 1, // one\n"b": 2}', {"a": 1, "b": 2}),
    ("block_comment", '{"a": /* , "x": */ 1}', {"a": 1}),
    ("hash_comment", "[1, # one\n2]", [1, 2]),
    ("raw_control_char", '["a\n\tb"]', ["a\n\tb"]),
    ("escaped_apostrophe", '["it\\\'s"]', ["it's"]),
    ("odd_space", '{"a":\xa01,\u200b"b": 2}', {"a": 1, "b": 2}),
    ("number_form", "[+1, .5, -5., 1_000]", [1, 0.5, -5.0, 1000]),
    ("nan_literal", "[NaN]", [None]),
    ("double_encoded", '"{\\"a\\": 1}"', {"a": 1}),
    ("double_encoded", '{\\"a\\": \\"b\\"}', {"a": "b"}),
    ("double_encoded", "'{\"a\": 1}'", {"a": 1}),
    ("extra_closer", '{"a": {"b": 1}}}', {"a": {"b": 1}}),
    ("missing_comma", '{"a": "x"\n"b": 2}', {"a": "x", "b": 2}),
    ("missing_colon", '{"a" 1}', {"a": 1}),
    ("missing_quote", '{"a": new york, "b": 1}', {"a": "new york", "b": 1}),
    ("missing_quote", '{"a": foo", "b": 1}', {"a": "foo", "b": 1}),
    ("missing_quote", '{"a": "foo, "b": 1}', {"a": "foo", "b": 1}),
    ("missing_quote", '{"a": "foo}', {"a": "foo"}),
    ("missing_quote", '{a": 1}', {"a": 1}),
    ("missing_quote", '{"a: 1, "b": "c"}', {"a": 1, "b": "c"}),
    ("unescaped_quote", '{"a": "he said "hi", and "bye"", "b": 1}', {"a": 'he said "hi", and "bye"', "b": 1}),
    ("unclosed", '{"a": [1, {"b": "c"', {"a": [1, {"b": "c"}]}),
    ("truncated_value", '{"a": "foo ba', {"a": "foo ba"}),
    ("truncated_value", '{"a": true, "b": fal', {"a": True, "b": False}),
    ("mismatched_closer", '{"a": [1, 2}', {"a": [1, 2]}),
    ("mismatched_closer", "[1]]", [1]),
    ("mismatched_closer", '{"a": {}, "b": 1}}', {"a": {}, "b": 1}),
    ("orphan_members", '{"a": 1}, "b": 2}', {"a": 1, "b": 2}),
    ("orphan_members", '"a": 1, "b": {"c": 2}}', {"a": 1, "b": {"c": 2}}),
    ("ellipsis", '[1, {"a": 2, ...}, …]', [1, {"a": 2}]),
    ("ellipsis", "[1, 2 // ... 8 more\n]", [1, 2]),
    ("ellipsis", "[1, 2 /* and so on */]", [1, 2]),
    ("data_around", 'intent: refund\nslots: {"city": "Rome"}', {"city": "Rome"}),
    ("data_around", '<intent>refund</intent><slots>{"city": "Rome"}</slots>', {"city": "Rome"}),
    ("data_around", '<invoke name="book">{"city": "Rome"}</invoke>', {"city": "Rome"}),
    ("data_around", '**slots**: {"city": "Rome"}', {"city": "Rome"}),
    ("data_around", 'answer: [1, 2], reason: "x"', [1, 2]),
    ("data_around", '{"a": 1}, 5', {"a": 1}),
    ("data_around", '1. {"a": 1}', {"a": 1}),
    ("data_around", '{"a": 1}\n...', {"a": 1}),
    ("data_around", '{"a": 1}\n\nWait, that is wrong.', {"a": 1}),
    ("data_around", 'functions.book:0 {"a": 1}', {"a": 1}),
    ("mentioned", 'The value {"a": 1} does not fit', {"a": 1}),
    ("mentioned", 'For example: {"a": 1}', {"a": 1}),
    ("mentioned", '{"a": 1}\n</think>', {"a": 1}),
    ("bad_escape", '["C:\\dir"]', ["C:\\dir"]),
    ("bad_escape", '["\\ud800"]', ["\ufffd"]),
    ("bad_escape", '["\ud800"]', ["\ufffd"]),
    ("bad_escape", '["a\x00b"]', ["a\x00b"]),
    ("many_values", '{"a": 1}\n{"a": 2}', {"a": 2}),
    ("many_values", '{"a": 1}\n{"a": 1}', {"a": 1}),
    ("many_values", 'Draft: {"a": 1}. Now:\n```json\n{"a": 2}\n```\nSee {"a": 3}', {"a": 2}),
    ("duplicate_key", '{"a": 1, "b": 3, "a": 2}', {"a": 2, "b": 3}),
]

REFUSED = [
    ("arithmetic", '{"a": 3 + 4}'),
    ("arithmetic", '{"day": 2026-01-02}'),
    ("arithmetic", '{"a": "b" + "c"}'),
    ("code", '{"a": len(x)}'),
    ("code", '{"a": new Date()}'),
    ("code", 'x = {"a": 1}'),
    ("code", 'print({"a": 1})'),
    ("code", '```python\nimport json\n{"a": 1}\n```'),
    ("code", 'def f():\n    return {"a": 1}'),
    ("code", '{"a": 1}.get("a")'),
    ("code", '{"a": 1; "b": 2}'),
    ("words", "use {key: value} like this"),
    ("no_data", "use {braces} like this"),
    ("no_data", "It is [billing], I think."),
    ("no_data", "42 is the answer"),
    ("refusal", "I'm sorry, but I can't help with that."),
    ("schema", 'The schema {"type": "object"} does not fit'),
    ("no_data", '<!-- {"a": 0} -->'),
    ("no_data", '// {"a": 0}'),
    ("refusal", 'I cannot help with that. It would be:\n{"a": 1}'),
    ("refusal", 'I cannot put this into {"a": 1} as you asked.'),
    ("too_deep", "[" * 300 + "]" * 300),
    ("too_deep", "[" * 100_000),
    ("too_big", "[" + "1," * 600_000 + "1]"),
    ("empty", " \n"),
    ("empty", "<think>yes</think>"),
    ("thinking", '<think>{"a": 1}'),
    ("huge_number", "[1e999]"),
    ("huge_number", "-1e999"),
    ("huge_number", "1" * 100_000),
    ("huge_number", f"[{'1' * 5000},]"),
    ("no_value", "[Infinity]"),
    ("infinity", "[-Infinity]"),
    ("no_value", '{"a": undefined}'),
    ("number", "[007]"),
    ("number", "[0x1F]"),
    ("number", "NaN"),
    ("words", "[1, {2}]"),
    ("key", '{{"a": 1}}'),
    ("missing_value", "[1,,2]"),
    ("missing_value", '{"a": }'),
    ("unclosed", '{"a": 12'),
    ("unclosed", '{"a": '),
    ("part", ', {"a": 1}'),
    ("part", 'the key "a": {"b": 1}'),
    ("quoted", '\'{"a": "\\\\u0041"}\''),
    ("quotes", '["a" is not "b]'),
]


@pytest.mark.parametrize(("text", "value"), RAW)
def test_raw(text, value):
    reading = read(text)
    assert (reading.rung, reading.repairs, reading.error) == (Rung.RAW, (), None)
    assert same(reading.value, value)
    assert fingerprint(text) == ""


@pytest.mark.parametrize(("name", "text", "value"), REPAIRED)
def test_a_repair_is_named_and_on_its_rung(name, text, value):
    reading = read(text)
    assert same(reading.value, value)
    names = [repair.name for repair in reading.repairs]
    assert name in names
    expected = Rung.REPAIRED_RISKY if name in RISKY else Rung.REPAIRED_SAFE if name in SAFE else Rung.EXTRACTED
    assert reading.rung is expected
    assert all(0 <= repair.position <= len(text) for repair in reading.repairs)


def test_every_repair_has_an_example():
    assert {name for name, _, _ in REPAIRED} == EXTRACTION | SAFE | RISKY


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_refused_with_a_reason(kind, text):
    reading = read(text)
    assert reading.rung is Rung.NONE
    assert reading.value is None
    assert reading.error
    assert fingerprint(text).partition(":")[0] == kind


def test_positions_are_of_the_whole_text():
    reading = read("Well:\n```json\n{'a': True,}\n```")
    assert [(repair.name, repair.position) for repair in reading.repairs] == [
        ("fence", 6),
        ("prose_around", 0),
        ("single_quotes", 15),
        ("python_literal", 20),
        ("trailing_comma", 24),
    ]


def test_a_number_cut_by_the_end_is_dropped():
    assert read('{"a": 1, "b": 12').value == {"a": 1}
    assert read("[1, 2, 3\n```").value == [1, 2]


def test_a_failed_opener_is_not_entered():
    assert read('{"outer": oops(1), "inner": {"a": 1}}').rung is Rung.NONE


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"a": "b", "c": ', "unclosed:object@value"),
        ('{"other": [1, 2], "x": ', "unclosed:object@value"),
        ("[1, 2", "truncated_value:array@value"),
        ("```json\n[1,]\n```", "trailing_comma:array@value"),
        ('Here: {"a": 1}', "prose_around"),
        ('{"a": 1 + 2}', "arithmetic:object@after"),
    ],
)
def test_fingerprint_does_not_depend_on_content(text, kind):
    assert fingerprint(text) == kind


def test_limits_are_exact():
    text = "x" * (MOST_CHARACTERS - 2)
    assert read(f'"{text}"').rung is Rung.RAW
    assert read(f'"{text}x"').rung is Rung.NONE
    assert read("[" * 256 + "1" + "]" * 256).rung is Rung.RAW
    too_deep = "The data is too deep: more than 256 levels (at character 256)"
    assert read("[" * 257 + "1" + "]" * 257).error == too_deep
    assert read("[" * 257 + "1," + "]" * 257).rung is Rung.NONE


def _json(strings: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | strings
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4), max_leaves=12
    )


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["it's", 'say "hi"', "a, b", "{x}", "[y]", "// z", "# no", "```", "True", "a\\b", "\n", "</json>", "“q”"]
)
DOCUMENTS = _json(TEXT).filter(lambda value: isinstance(value, (dict, list)) and bool(value))


@seed(20261124)
@settings(max_examples=100, deadline=None, database=None)
@given(_json(TEXT), st.booleans())
def test_strict_json_is_raw(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    if not isinstance(value, str):
        reading = read(text)
        assert reading.rung is Rung.RAW
        assert same(reading.value, value)


@seed(20261124)
@settings(max_examples=250, deadline=None, database=None)
@given(st.sampled_from(sorted(BREAKAGES)), DOCUMENTS, st.randoms(use_true_random=False))
def test_no_wrong_value_above_the_risky_rungs(kind, document, random):
    text = broken(kind, random, document)
    if text is not None:
        reading = read(text)
        assert reading.rung not in SURE or same(reading.value, truth(kind, document)), (kind, text, reading)


def test_there_are_a_hundred_kinds_of_breakage():
    assert breakage_guess
    assert breakage_around
    assert len(BREAKAGES) >= 100


EDITS = st.sampled_from(["", " ", "x", ",", "`", "```", "</s>", "</json>", "</think>", "…", "}", '"', "<!-- -->", "//"])


@seed(20261128)
@settings(max_examples=150, deadline=None, database=None)
@given(DOCUMENTS, EDITS, st.randoms(use_true_random=False))
def test_breaking_a_raw_document_never_gains_a_rung(document, edit, random):
    text = json.dumps(document, ensure_ascii=False)
    at = random.choice([0, len(text), random.randrange(len(text))])
    edited = text[:at] + edit + text[at + random.randint(0, 1) :]
    assert (read(edited).rung is Rung.RAW) == (_strict.parse(edited) is not _strict.MISSING)


LABELS = st.sampled_from(
    [
        "intent",
        "Team",
        "order status",
        "x-y",
        "is_open",
        "result",
        "answer",
        "ключ",
        "a.b",
        "first name",
        "Final answer",
        "1",
        "日期",
    ]
)


@seed(20261128)
@settings(max_examples=150, deadline=None, database=None)
@given(
    DOCUMENTS,
    LABELS,
    st.text(st.characters(categories=["L", "N"]), min_size=1) | st.sampled_from(["a long text of many words", "0.9"]),
    st.sampled_from(
        ["{0}: {1}", "**{0}**: {1}", "**{0}:** {1}", "<{0}>{1}</{0}>", "- {0}: {1}", "{0} = {1}", '"{0}": {1}']
    ),
    st.sampled_from(
        ["{0}\n{1}", "{1}\n{0}", "{1}\n\n{0}\n", "```json\n{1}\n```\n{0}", "{0}\n```\n{1}\n```", "{1}, {0}"]
    ),
)
def test_labelled_text_outside_the_value_is_never_on_a_safe_rung(document, label, word, form, order):
    text = order.format(form.format(label, word), json.dumps(document))
    assert read(text).rung not in SURE, text


ALPHABET = st.sampled_from(list("{}[]:,\"'“”’\\/#*`~<>()=+-.0123456789eEtrufalsnNTF \n\t\x00\ufeff\ud800\xa0…&;$_"))


@seed(20261124)
@settings(max_examples=400, deadline=None, database=None)
@given(st.text(ALPHABET, max_size=40) | st.text(max_size=40))
def test_nothing_is_raised(text):
    reading = read(text)
    assert (reading.rung is Rung.NONE) == (reading.error is not None)
    json.dumps(reading.value, allow_nan=False, ensure_ascii=False).encode()
    assert (fingerprint(text) == "") == (reading.rung is Rung.RAW)


HAZARDS = {
    "unquoted keys": lambda n: "{" + ",".join(f"key{i}: {i}" for i in range(n // 12)) + "}",
    "trailing comma": lambda n: "[" + "1234," * (n // 5) + "]",
    "openers": lambda n: "[" * n,
    "objects": lambda n: '{"a":' * (n // 5),
    "quotes": lambda n: '["' + '" x' * (n // 3),
    "quotes behind commas": lambda n: '["' + '",x ' * (n // 4),
    "escapes": lambda n: '["' + "\\" * n,
    "surrogates": lambda n: '["' + "\\ud800" * (n // 6) + '"]',
    "spaces": lambda n: '["a"' + " " * (n // 2) + 'x"' + " " * (n // 2) + "y",
    "line ends": lambda n: '{"a": "' + "\n " * (n // 2),
    "comments": lambda n: "[" + "/*" * (n // 2),
    "fences": lambda n: "x" + "```" * (n // 3),
    "tags": lambda n: "<a " * (n // 3),
    "thinking": lambda n: "<think>" * (n // 7),
    "remarks": lambda n: "see [1] " * (n // 8),
    "values": lambda n: '{"a":1}' * (n // 7),
    "closers": lambda n: '{"a":1}' + "}" * n,
    "closers in a string": lambda n: '["' + "}]" * (n // 2),
    "members": lambda n: '"a": 1, ' * (n // 8),
    "words": lambda n: '{"a": ' + "b " * (n // 2),
    "mismatched": lambda n: ("[" * 200 + "}" * 200) * (n // 400),
}


@pytest.mark.parametrize("name", HAZARDS)
def test_time_is_linear(name):
    def cost(size: int) -> float:
        text = HAZARDS[name](size)
        best = float("inf")
        for _ in range(4):
            started = time.process_time()
            read(text)
            best = min(best, time.process_time() - started)
        return best

    small, large = cost(15_000), cost(60_000)
    assert large < 10 * small + 0.02, (small, large)


@pytest.mark.parametrize(
    ("text", "rung", "kind"),
    [
        (HAZARDS["unquoted keys"](12_000), Rung.REPAIRED_SAFE, "unquoted_key:object@key"),
        (HAZARDS["unquoted keys"](750_000), Rung.REPAIRED_SAFE, "unquoted_key:object@key"),
        (HAZARDS["unquoted keys"](1_200_000), Rung.NONE, "too_big"),
        (HAZARDS["trailing comma"](37_000), Rung.REPAIRED_SAFE, "trailing_comma:array@value"),
        (HAZARDS["openers"](100_000), Rung.NONE, "too_deep:array@value"),
        ('{"a": "' + "x" * 50_000_000 + '"}', Rung.NONE, "too_big"),
    ],
    ids=["12 KB", "1 MB", "over a MB", "37 KB list", "depth 100,000", "50 MB"],
)
def test_what_hangs_other_readers_is_named_soon(text, rung, kind):
    def seconds() -> float:
        started = time.process_time()
        read(text)
        return time.process_time() - started

    # Where other processes have the machine's caches, the first time may be twice the second.
    assert seconds() < 5 or min(seconds(), seconds()) < 5
    reading = read(text)
    assert (reading.rung, fingerprint(text)) == (rung, kind)
    assert (reading.error is None) == (rung is not Rung.NONE)


@pytest.mark.parametrize(
    ("name", "rung"),
    [
        ("fence", Rung.EXTRACTED),
        ("trailing_comma", Rung.REPAIRED_SAFE),
        ("missing_comma", Rung.REPAIRED_RISKY),
    ],
)
def test_how_far_a_rule_can_be_trusted(name, rung):
    assert json_text.rung_of_repair(name) is rung


def test_a_text_of_fifty_megabytes_is_refused_at_once():
    text = "[" + "1," * 25_000_000 + "1]"
    started = time.process_time()
    assert "too big" in (read(text).error or "")
    assert time.process_time() - started < 5


def test_the_module_has_one_way_in():
    assert inspect.signature(json_text.read).parameters.keys() == {"text"}
