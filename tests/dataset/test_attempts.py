"""Work that another process overtakes is done again, and not for ever."""

import pytest

from anomagent.dataset.attempts import attempt
from anomagent.errors import UsageError
from anomagent.store import Workspace
from anomagent.store.selections import Overtaken


def test_it_is_done_again_until_it_holds(workspace: Workspace) -> None:
    overtaken = [True, True, False]

    def work() -> int:
        if overtaken.pop(0):
            raise Overtaken
        return 7

    assert attempt(workspace, work) == 7
    assert overtaken == []


def test_it_gives_up(workspace: Workspace) -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise Overtaken

    with pytest.raises(UsageError, match="other commands keep deciding meanwhile; run again when they are done"):
        attempt(workspace, work)
    assert len(tries) == 5
