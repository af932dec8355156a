from __future__ import annotations

import asyncio

import pytest

from promptbench.gateway.model_state import CancellableSleep
from tests.helpers import virtual_time


def test_it_takes_its_time() -> None:
    async def run() -> float:
        await CancellableSleep(asyncio.sleep).wait(60)
        return virtual_time.now()

    assert virtual_time.run(run()) == pytest.approx(60)


def test_all_are_woken_at_once_and_later_ones_sleep_again() -> None:
    async def run() -> tuple[float, float]:
        sleep = CancellableSleep(asyncio.sleep)
        sleepers = [asyncio.create_task(sleep.wait(60)) for _ in range(3)]
        await asyncio.sleep(5)
        sleep.wake()
        await asyncio.gather(*sleepers)
        woken = virtual_time.now()
        await sleep.wait(10)
        return woken, virtual_time.now()

    assert virtual_time.run(run()) == (pytest.approx(5), pytest.approx(15))


def test_whoever_is_cancelled_is_cancelled() -> None:
    async def run() -> bool:
        sleep = CancellableSleep(asyncio.sleep)
        sleeper = asyncio.create_task(sleep.wait(60))
        await asyncio.sleep(5)
        sleep.wake()
        sleeper.cancel()
        await asyncio.gather(sleeper, return_exceptions=True)
        return sleeper.cancelled()

    assert virtual_time.run(run())
