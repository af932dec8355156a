from __future__ import annotations

import asyncio

import pytest

from promptbench.gateway.naps import Naps
from tests.helpers import virtual_time


def test_a_nap_takes_its_time() -> None:
    async def run() -> float:
        await Naps(asyncio.sleep).take(60)
        return virtual_time.now()

    assert virtual_time.run(run()) == pytest.approx(60)


def test_all_are_woken_at_once_and_later_ones_sleep_again() -> None:
    async def run() -> tuple[float, float]:
        naps = Naps(asyncio.sleep)
        sleepers = [asyncio.create_task(naps.take(60)) for _ in range(3)]
        await asyncio.sleep(5)
        naps.wake()
        await asyncio.gather(*sleepers)
        woken = virtual_time.now()
        await naps.take(10)
        return woken, virtual_time.now()

    assert virtual_time.run(run()) == (pytest.approx(5), pytest.approx(15))


def test_whoever_is_cancelled_is_cancelled() -> None:
    async def run() -> bool:
        naps = Naps(asyncio.sleep)
        sleeper = asyncio.create_task(naps.take(60))
        await asyncio.sleep(5)
        naps.wake()
        sleeper.cancel()
        await asyncio.gather(sleeper, return_exceptions=True)
        return sleeper.cancelled()

    assert virtual_time.run(run())
