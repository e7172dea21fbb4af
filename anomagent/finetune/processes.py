# pyright: basic
"""The processes of one run: alone, or as many as torchrun started."""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def world_size() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process; 0 is the one that writes and speaks."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this process writes and speaks."""
    return rank() == 0


def share(items: Sequence[T]) -> list[T]:
    """This process' part of the items."""
    return list(items[rank() :: world_size()])


def together(part: Sequence[T]) -> list[T]:
    """The parts of all processes, in the order of the items that were shared out."""
    if world_size() == 1:
        return list(part)
    import torch
    from accelerate import PartialState
    from accelerate.utils import gather_object

    PartialState(cpu=not torch.cuda.is_available())
    numbered = [(place * world_size() + rank(), item) for place, item in enumerate(part)]
    return [item for _, item in sorted(gather_object(numbered), key=lambda pair: pair[0])]


def wait_for_all() -> None:
    """Go on when every process is here."""
    together([None])
