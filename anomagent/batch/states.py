"""How contents ended in earlier batches, and which of them a batch means."""

from collections.abc import Sequence
from typing import Final, Literal

from anomagent.graph.identity import thread_id
from anomagent.state.findings import ImageRef, Status
from anomagent.store import Workspace
from anomagent.store.analyses import read_states

Which = Literal["missing", "failed", "both"]
"""What of this configuration is analysed: what was never finished, what failed or is partial, or both."""
State = Literal["ok", "failed", "failed elsewhere"]
"""ok under any of the configurations; failed or partial under the first of them; or only under a later one."""

_AT_ONCE: Final = 500


def find_states(workspace: Workspace, contents: Sequence[str], configurations: Sequence[str]) -> dict[str, State]:
    """How each of the contents (SHA-256) ended under the current configuration (first) and kept ones.

    Without those that never ended. Blocks; raises `StoreError`.
    """
    found = dict[str, State]()
    for start in range(0, len(contents), _AT_ONCE):
        part = contents[start : start + _AT_ONCE]
        threads = {content: threads_of(content, configurations) for content in part}
        ended = read_states(workspace, [thread for some in threads.values() for thread in some])
        for content, some in threads.items():
            if state := _state([ended.get(thread) for thread in some]):
                found[content] = state
    return found


def is_meant(state: State | None, which: Which) -> bool:
    """Whether an image that ended so (None: not yet) is to be analysed."""
    if state == "ok":
        return False
    if which == "missing":
        return state != "failed"
    return which == "both" or state is not None


def threads_of(content: str, configurations: Sequence[str]) -> list[str]:
    """The threads of a content under each of the configurations."""
    image = ImageRef(sha256=content, path="", width=0, height=0)
    return [thread_id(image, configuration) for configuration in configurations]


def _state(states: Sequence[Status | None]) -> State | None:
    if "ok" in states:
        return "ok"
    if states and states[0]:
        return "failed"
    return "failed elsewhere" if any(states) else None
