"""Work that other processes share; some of them end in the middle of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from promptbench.core.errors import EnvironmentFailure
from promptbench.workflows.judge import workers
from promptbench.workflows.judge.workers import local_workers


def double(parent: int, deadly: int, number: int) -> tuple[int, bool]:
    """Return twice the number, and True if another process than `parent` computed it."""
    if number == deadly and os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number, os.getpid() != parent


def shared_work(work: Any, items: Iterable[int], *, alone: bool) -> Iterator[tuple[int, tuple[int, bool]]]:
    with ExitStack() as scope:
        yield from local_workers(scope, alone=alone).share(work, work, items)


@pytest.mark.slow
def test_work_is_shared_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "core_count", lambda: 3)
    work = partial(double, os.getpid(), -1)
    found = list(shared_work(work, range(4000), alone=False))
    assert [(number, result) for number, (result, _) in found] == [(number, 2 * number) for number in range(4000)]
    assert {elsewhere for _, (_, elsewhere) in found} == {True, False}


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_work_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "core_count", lambda: 3)
    work = partial(double, os.getpid(), 0)
    with pytest.raises(EnvironmentFailure, match="ended"):
        list(shared_work(work, range(400), alone=False))


def test_one_process_starts_no_other() -> None:
    work = partial(double, os.getpid(), -1)
    assert list(shared_work(work, range(3), alone=True)) == [(n, (2 * n, False)) for n in range(3)]
