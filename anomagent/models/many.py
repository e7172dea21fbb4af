"""Many questions with few of them in flight, for whoever asks one thing of each of many images."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 64
"""Tasks at once: more than the seam's concurrency, so that it never waits, and few enough to cost no memory."""


async def map_all(
    work: Callable[[Item], Awaitable[Result]],
    items: Sequence[Item],
    *,
    in_flight: int = IN_FLIGHT,
    on_done: Callable[[Result], None] | None = None,
) -> list[Result]:
    """The result of `work` for each item, in order; `on_done` hears of each as it comes.

    The first exception of `work` ends everything and is raised once all tasks have stopped.
    """
    results: dict[int, Result] = {}
    remaining = iter(enumerate(items))

    async def take() -> None:
        for index, item in remaining:
            results[index] = await work(item)
            if on_done:
                on_done(results[index])

    tasks = [asyncio.create_task(take()) for _ in range(min(in_flight, len(items)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [results[index] for index in range(len(items))]
