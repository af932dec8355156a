"""Work that other processes share; some of them end in the middle of it."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from promptbench.workflows.judge import workers
from promptbench.workflows.judge.workers import open_pool


def double(parent: int, deadly: int, number: int) -> tuple[int, bool]:
    """Return twice the number, and True if another process than `parent` computed it."""
    if number == deadly and os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number, os.getpid() != parent


@pytest.mark.slow
@pytest.mark.parametrize("deadly", [-1, 0, 150])
def test_results_are_whole_and_in_order_also_if_a_process_is_killed(
    deadly: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_cores", lambda: 3)
    work = partial(double, os.getpid(), deadly)
    with open_pool() as pool:
        assert pool is not None
        found = list(pool.map(work, work, range(400)))
    assert [(item, result) for item, (result, _) in found] == [(number, 2 * number) for number in range(400)]
    assert {elsewhere for _, (_, elsewhere) in found} >= ({True, False} if deadly < 0 else {False})


def test_one_core_needs_no_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_cores", lambda: 1)
    with open_pool() as pool:
        assert pool is None
