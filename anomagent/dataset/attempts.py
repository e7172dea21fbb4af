"""Work that reads much, thinks long and writes little, without keeping others from writing meanwhile."""

from collections.abc import Callable
from typing import Final, TypeVar

from anomagent.errors import UsageError
from anomagent.store.selections import Overtaken
from anomagent.store.workspace import Workspace

R = TypeVar("R")

_TIMES: Final = 5


def attempt(workspace: Workspace, work: Callable[[], R]) -> R:
    """What `work` gives; it reads, decides and writes, and is done again where another process was faster.

    Raises `UsageError` where one always is.
    """
    for _ in range(_TIMES):
        try:
            return work()
        except Overtaken:
            continue
    raise UsageError(
        f"workspace {workspace.path}: other commands keep deciding meanwhile; run again when they are done"
    )
