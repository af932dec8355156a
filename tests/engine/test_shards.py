"""The split into shards: every case once, the same on every machine, and even."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from promptbench.core.errors import InputError
from promptbench.core.types import Usage
from promptbench.engine.shards import Shard
from promptbench.gateway import RateLimiter
from promptbench.gateway.headers import Announced
from promptbench.workflows.judge.budgets import Spending

NAMES = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=40)


def split(names: list[str], durations: dict[str, int], of: int) -> list[list[str]]:
    return [Shard(number, of).cases(names, durations) for number in range(1, of + 1)]


@given(NAMES, st.integers(1, 12), st.data())
def test_every_case_is_in_one_shard_in_its_order(names: list[str], of: int, data: st.DataObject) -> None:
    known = st.dictionaries(st.sampled_from(names or [""]), st.integers(0, 10_000))
    durations = data.draw(known)
    parts = split(names, durations, of)
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert all(part == [name for name in names if name in part] for part in parts)
    assert parts == split(list(names), dict(reversed(durations.items())), of)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60), st.integers(1, 8))
def test_no_shard_takes_much_longer_than_it_must(times: list[int], of: int) -> None:
    durations = {str(number): time for number, time in enumerate(times)}
    loads = [sum(durations[name] for name in part) for part in split(list(durations), durations, of)]
    at_best = max(sum(times) / of, *times)
    assert max(loads) <= at_best + max(times) * (1 - 1 / of)


def test_without_durations_cases_are_dealt_out() -> None:
    assert split(list("abcdefg"), {}, 3) == [["a", "d", "g"], ["b", "e"], ["c", "f"]]


def test_a_long_case_has_a_shard_of_its_own_and_a_new_case_is_a_usual_one() -> None:
    durations = {"long": 900, **{str(number): 100 for number in range(8)}}
    assert split(["new", *durations], durations, 2) == [["long"], ["new", *map(str, range(8))]]


@given(st.integers(1, 90), st.integers(1, 8), st.booleans(), st.integers(1, 40))
def test_all_shards_together_stay_within_the_limits_of_the_whole(
    whole: int, of: int, announced: bool, per_minute: int
) -> None:
    shards = [Shard(number, of) for number in range(1, of + 1)]
    if whole < of:
        with pytest.raises(InputError, match=f"--max-calls {whole} is less than one call for each of {of} shards"):
            Spending(max_calls=whole).part(shards[0])
        return
    parts = [Spending(whole / 7, whole, 2.0).part(shard) for shard in shards]
    assert sum(part.max_calls or 0 for part in parts) == whole
    assert sum(part.max_cost or 0.0 for part in parts) == pytest.approx(whole / 7)
    assert {part.max_minutes for part in parts} == {2.0}
    limits = {"requests": float(max(per_minute, of))}
    sent = 0
    for shard in shards:
        limiter = RateLimiter(None if announced else limits, share=shard.share)
        limiter.announce(Announced(limits), 0.0)
        # The times at which requests that are all there at once leave, in seconds.
        times = [limiter.reserve(Usage(0, 0), 0.0) for _ in range(2 * per_minute)]
        sent += sum(time < 60 for time in times)
    assert sent <= limits["requests"]


@pytest.mark.parametrize(("text", "shard"), [("3/10", Shard(3, 10)), (" 1 / 1 ", Shard(1, 1))])
def test_shards_are_read(text: str, shard: Shard) -> None:
    assert Shard.parse(text) == shard
    assert Shard.parse(str(shard)) == shard


@pytest.mark.parametrize(
    "text", ["", "3", "0/3", "4/3", "-1/3", "1/0", "a/b", "1/3/5", "١/٣", "1/99999", "1/" + "9" * 50]
)
def test_what_is_no_shard_is_told(text: str) -> None:
    with pytest.raises(InputError, match=r"such as 3/10|does not exist"):
        Shard.parse(text)
