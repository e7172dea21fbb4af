"""One server for one workspace."""

import pytest

from anomagent.errors import UsageError
from anomagent.review.claim import claimed
from anomagent.store import Workspace


def test_a_second_one_is_told_where_the_first_one_is(workspace: Workspace) -> None:
    with claimed(workspace) as first:
        with pytest.raises(UsageError, match="being reviewed by another process"), claimed(workspace):
            pass
        first.tell("http://127.0.0.1:8765\n\x1b[31m")
        with (
            pytest.raises(UsageError, match=r"being reviewed at http://127\.0\.0\.1:8765") as refused,
            claimed(workspace),
        ):
            pass
        assert "\n" not in str(refused.value)
        assert "\x1b" not in str(refused.value)
    with claimed(workspace):
        pass


def test_the_address_of_one_that_was_killed_is_forgotten(workspace: Workspace) -> None:
    (workspace.locks / "review.url").write_text("http://127.0.0.1:1")
    with claimed(workspace), pytest.raises(UsageError, match="by another process"), claimed(workspace):
        pass
