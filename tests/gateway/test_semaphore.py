from __future__ import annotations

import asyncio
from collections import Counter

from promptbench.gateway.model_state import PER_TURN, ResizableSemaphore


class Room:
    def __init__(self, width: int) -> None:
        self.slots = ResizableSemaphore(width)
        self.inside: list[int] = []
        self.leave = asyncio.Event()

    async def visit(self, name: int) -> None:
        async with self.slots:
            self.inside.append(name)
            await self.leave.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_first_come_first_served_and_the_width_may_change() -> None:
    async def run() -> None:
        room = Room(2)
        tasks = [asyncio.create_task(room.visit(name)) for name in range(6)]
        await settle()
        assert room.inside == [0, 1]
        room.slots.resize(4)
        await settle()
        assert room.inside == [0, 1, 2, 3]
        room.slots.resize(1)
        tasks[0].cancel()
        await settle()
        assert room.inside == [0, 1, 2, 3], "three are inside still"
        room.leave.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert room.inside == [0, 1, 2, 3, 4, 5]

    asyncio.run(run())


def test_who_gives_up_waiting_takes_no_slot() -> None:
    async def run() -> None:
        room = Room(1)
        tasks = [asyncio.create_task(room.visit(name)) for name in range(4)]
        await settle()
        tasks[1].cancel()
        # Admitted and cancelled in the same turn of the loop.
        tasks[0].cancel()
        await asyncio.sleep(0)
        tasks[2].cancel()
        await settle()
        assert room.inside[-1] == 3
        room.leave.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())


def test_a_few_come_in_each_turn_of_the_loop() -> None:
    async def run() -> None:
        slots, turn, entered = ResizableSemaphore(10), 0, list[int]()

        def count() -> None:
            nonlocal turn
            turn += 1
            asyncio.get_running_loop().call_soon(count)

        async def visit() -> None:
            async with slots:
                entered.append(turn)
                await asyncio.sleep(0)

        count()
        await asyncio.gather(*(visit() for _ in range(30)))
        assert len(entered) == 30
        assert max(Counter(entered).values()) <= PER_TURN

    asyncio.run(run())
