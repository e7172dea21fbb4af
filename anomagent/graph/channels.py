"""A channel that keeps image bytes out of every checkpoint."""

from typing import Any, cast

from langgraph.channels import EphemeralValue


class CheckpointedWithoutMessages(EphemeralValue[Any]):
    """The graph's input, checkpointed without `messages`: a message may carry a whole image as a data URL."""

    def checkpoint(self) -> Any:
        """The value to persist."""
        value = super().checkpoint()
        if isinstance(value, dict):
            given = cast(dict[str, Any], value)
            return {key: part for key, part in given.items() if key != "messages"}
        return value
