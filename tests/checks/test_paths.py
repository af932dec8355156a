from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from promptbench.checks._paths import parse
from promptbench.core.types import Json

ANSWER: Json = {
    "order": {"items": [{"sku": "A", "tags": ["x", "y"]}, {"sku": "B", "tags": []}], "total": 0},
    "a.b": {"c d": 1, "[0]": 2},
    "7": "seven",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("order.total", 0),
        ("order.items[0].sku", "A"),
        ("order.items.0.sku", "A"),
        ("order.items[-1].sku", "B"),
        ("order.items[*].sku", ["A", "B"]),
        ("order.items[*].tags[*]", ["x", "y"]),
        ("order.items[*].tags", [["x", "y"], []]),
        ("['a.b'].c d", 1),
        ('["a.b"]["[0]"]', 2),
        (7, "seven"),
        ("order['total']", 0),
    ],
)
def test_finds(path: Json, value: Json) -> None:
    assert parse(path).find(ANSWER) == value


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("order.items[2].sku", "order.items[2] is missing"),
        ("order.totl", "order.totl is missing"),
        ("order.items[*].price", "order.items[*].price is missing"),
        ("order[*]", "order: expected a list, got {"),
        ("order.total.cents", "order.total.cents is missing"),
        ("x", "x is missing"),
    ],
)
def test_says_what_is_missing(path: str, said: str) -> None:
    with pytest.raises(LookupError) as caught:
        parse(path).find(ANSWER)
    assert str(caught.value.args[0]).startswith(said)


@pytest.mark.parametrize("path", ["", " ", "a..b", ".a", "a[", "a[x]", "a[0]b", "a.", None, True, {}, ["a"]])
def test_refuses(path: Json) -> None:
    with pytest.raises(ValueError, match="path"):
        parse(path)


@given(st.text())
def test_any_text_is_a_path_or_refused_in_a_sentence(text: str) -> None:
    said = ""
    try:
        steps = parse(text).steps
    except ValueError as error:
        steps, said = (), str(error)
    assert bool(steps) != bool(said)
    assert "\n" not in said


@given(st.lists(st.text(alphabet="ab.[]* ", min_size=1).filter(lambda name: "'" not in name), min_size=1, max_size=4))
def test_every_name_can_be_written_in_quotes(names: list[str]) -> None:
    value: Json = "found"
    for name in reversed(names):
        value = {name: value}
    assert parse("".join(f"['{name}']" for name in names)).find(value) == "found"
