"""A server that refuses, through the command line. The full scale is measured by `tests.bench.limits`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import limits
from tests.bench.busy_server import Manner


@pytest.mark.slow
def test_no_case_is_lost_and_none_asked_after_its_answer(tmp_path: Path) -> None:
    manner = Manner((0.02, 0.05), refuse=0.10, fail=0.02, retry_after=0.2, per_minute=3000)
    got = limits.measure(tmp_path, manner, 150)
    assert got.code == 0
    assert (got.lost, got.asked_after_success) == (0, 0)
    assert got.calls > 150, "it was refused"
    # Those of arrival, on a machine that may be busy.
    assert got.most <= 1.1 * manner.per_minute / 60


def test_the_fullest_second() -> None:
    assert limits.most_in_a_second([0.0, 0.4, 0.99, 1.0, 1.2]) == 4
    assert limits.most_in_a_second([0.0, 1.0, 2.0]) == 1
