from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.core.canonical import (
    ListDigest,
    canonical,
    digest,
    digest_by,
    digest_text,
    escape_surrogates,
    lf,
    short,
)

_texts = st.text(alphabet=st.characters(exclude_categories=()) | st.sampled_from('\r\n\ud800\udfff\\u"'), max_size=8)
_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
)


def test_by_hand() -> None:
    assert canonical({"b": [1, 1.0, None, True], "a": 'ä\r\n"x"'}) == '{"a":"ä\\n\\"x\\"","b":[1,1.0,null,true]}'
    assert digest({}) == "sha256:" + hashlib.sha256(b"{}").hexdigest()
    assert digest_text("a\r\nb\rc") == "sha256:" + hashlib.sha256(b"a\nb\nc").hexdigest()
    assert short(digest({})) == "sha256:44136fa3"


def test_line_ends() -> None:
    assert lf("a\r\nb\rc\n\r") == "a\nb\nc\n\n"


@settings(deadline=None)
@given(_plain)
def test_it_can_be_written_and_read_back(value: object) -> None:
    text = canonical(value)
    assert text.encode()
    assert canonical(json.loads(text)) == text


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert digest(dict(reversed(value.items()))) == digest(value)


@settings(deadline=None)
@given(_plain, _plain)
def test_equal_texts_are_equal_data(one: object, other: object) -> None:
    if canonical(one) == canonical(other):
        assert json.loads(canonical(one)) == json.loads(canonical(other))
    else:
        assert digest(one) != digest(other)


def test_tuples_are_lists() -> None:
    assert digest((1, ("a",))) == digest([1, ["a"]])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_what_json_cannot_say_has_no_hash(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(value)


@settings(deadline=None)
@given(_texts)
def test_escaped_surrogates_read_back(text: str) -> None:
    escaped = escape_surrogates(json.dumps(text, ensure_ascii=False))
    assert escaped.encode()
    # JSON has no other word for a pair of halves than the character itself.
    assert json.loads(escaped) == text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@settings(deadline=None)
@given(st.lists(_plain, max_size=5))
def test_a_list_is_hashed_the_same_item_by_item(items: list[object]) -> None:
    one_by_one = ListDigest()
    for item in items:
        one_by_one.add(item)
    assert one_by_one.value == digest(items)
    assert one_by_one.value == digest(items)  # looking changes nothing


@given(st.dictionaries(st.sampled_from(["a", "b", "z", "\r"]), st.text() | st.integers()), st.text() | st.integers())
def test_a_digest_by_one_key_is_that_of_the_whole(rest: dict[str, object], value: object) -> None:
    for name in ("b", "c"):
        assert digest_by(rest, name)(value) == digest({**rest, name: value})
