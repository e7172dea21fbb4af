"""The image at the door: a path or a message becomes a reference before anything is checkpointed."""

import base64
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

from anomagent.errors import UsageError
from anomagent.nodes.base import Update
from anomagent.state.analysis import IntakeState
from anomagent.state.findings import Failure, ImageRef

INTAKE = "intake"
Ingest = Callable[[Path | bytes], Awaitable[ImageRef]]
"""Brings an image into the workspace; raises `UsageError` for what is not a readable image."""


async def take_in(state: IntakeState, *, ingest: Ingest) -> Update:
    """Make sure that the state has an image in the workspace.

    Raises `UsageError` on a thread that has analysed an image before, for its findings would mix with the new ones.
    """
    if state.get("calls") or state.get("failures"):
        raise UsageError("this thread has analysed an image already; start a new thread for each analysis")
    if "image" in state:
        return {}
    if path := state.get("image_path"):
        return {"image": await ingest(Path(path))}
    return {"image": await ingest(image_of(state.get("messages", [])))}


async def take_in_from_strangers(state: IntakeState, *, ingest: Ingest) -> Update:
    """`take_in` for a server: what is wrong becomes a failure in the state, where the client sees it, and ends the run.

    A reference to a stored image is not taken from outside: nobody would have checked it.
    """
    try:
        if "image" in state and not (state.get("calls") or state.get("failures")):
            raise UsageError("`image` is not taken from outside; give image_path, or a message with an image_url block")
        return await take_in(state, ingest=ingest)
    except UsageError as error:
        failure: Failure = {"role": INTAKE, "object": None, "error": "usage", "message": str(error)}
        return {"failures": [failure]}


def image_of(messages: Sequence[Any]) -> bytes:
    """The bytes of the newest image among `messages`: an `image_url` block with a data URL, as chat clients send it."""
    for message in reversed(messages):
        content = _get(message, "content") if isinstance(message, dict) else getattr(message, "content", None)
        for block in reversed(cast(list[Any], content) if isinstance(content, list) else []):
            if _get(block, "type") == "image_url":
                url = _get(block, "image_url")
                return decode_data_url(str(_get(url, "url") or url))
    raise UsageError("no image: give image_path, or a message with an image_url block that holds a data URL")


def decode_data_url(url: str) -> bytes:
    """The bytes of a base64 data URL. Other addresses are refused: the graph fetches nothing from a network."""
    head, _, body = url.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise UsageError("image_url must be a data URL (data:image/png;base64,...); save the image and give image_path")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise UsageError("image_url is not valid base64") from None


def _get(value: Any, key: str) -> Any:
    """The entry of a dictionary; None where there is none, or where `value` is something else."""
    return cast(dict[str, Any], value).get(key) if isinstance(value, dict) else None
