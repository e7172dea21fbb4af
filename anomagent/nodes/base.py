"""What all nodes share: how they are typed, and how the failure of a call becomes data."""

from collections.abc import Awaitable, Callable
from typing import Any

from langgraph.runtime import Runtime

from anomagent.errors import ModelError
from anomagent.models.types import Ask
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import Failure

Update = dict[str, Any]
"""What a node returns: the keys of the state that it writes."""
Context = Runtime[AnalysisContext]
Node = Callable[..., Awaitable[Update]]


def asking(label: str, node: Node, ask: Ask) -> Node:
    """`node` with its way to the models; a `ModelError` becomes a failure in the state, with the tokens it cost.

    Not LangGraph's `error_handler`: where a handler lets a bug or a full disk rise, the step counts as done, and a
    resumed thread silently goes on without it. Here everything but a `ModelError` rises, and a resume repeats the step.
    """

    async def run(state: Any, runtime: Context) -> Update:
        try:
            return await node(state, runtime, ask=ask)
        except ModelError as error:
            about = state.get("object")
            failure: Failure = {
                "role": label.partition(".")[0],
                "object": about["name"] if about else None,
                "error": error.code,
                "message": str(error),
            }
            return {"failures": [failure], "calls": [error.call] if error.call else []}

    return run
