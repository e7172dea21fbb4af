"""Work done ahead in threads, never on everything at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(pool: Executor, work: Callable[[T], R], items: Iterable[T], ahead: int = 64) -> Iterator[R]:
    """What `work` gives for each item, in their order, with at most `ahead` items in the pool.

    `items` is read in the caller's thread, as results are taken. Raises what `work` raises, when its turn comes.
    """
    remaining = iter(items)
    waiting = deque(pool.submit(work, item) for item in islice(remaining, ahead))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(pool.submit(work, item) for item in islice(remaining, 1))
