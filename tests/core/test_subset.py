from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from promptbench.core.errors import InputError
from promptbench.core.subset import EVERYTHING, Subset

NAMES = st.lists(st.text(), unique=True, max_size=30)


def select(subset: Subset, names: list[str]) -> list[str]:
    return list(subset.of(names, str))


@given(NAMES, st.integers(1, 40), st.integers(0, 3))
def test_a_sample_depends_on_names_and_seed_only(names: list[str], count: int, seed: int) -> None:
    part = Subset(sample=count, seed=seed)
    found = select(part, names)
    assert set(select(part, names[::-1])) == set(found)
    assert found == [name for name in names if name in found]
    assert len(found) == min(count, len(names))
    longer = select(part, [*names, "\ud800 appended"])
    assert len(set(found) - set(longer)) <= 1


def test_the_first_ones_are_read_no_further() -> None:
    assert select(Subset(first=2), ["a", "b", "c"]) == ["a", "b"]
    items = iter("abc")
    assert list(Subset(first=1).of(items, str)) == ["a"]
    assert next(items) == "b"
    assert select(EVERYTHING, ["b", "a"]) == ["b", "a"]
    assert not EVERYTHING


@pytest.mark.parametrize("numbers", [{"first": 1, "sample": 1}, {"seed": 1}, {"first": 0}, {"sample": -1}])
def test_what_excludes_each_other(numbers: dict[str, int]) -> None:
    with pytest.raises(InputError):
        Subset(**numbers)


def test_a_run_records_it_as_its_flags() -> None:
    part = Subset(sample=3, seed=7)
    assert Subset.read({"case": [], **part.flags}) == part
    assert str(part) == "a sample of 3, seed 7"
