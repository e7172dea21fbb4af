"""The graph as `langgraph dev` and LangGraph Studio load it: without a checkpointer, for the server brings its own.

An `image_url` message and a path both work. The context shows the models per role and the schedule, with this
machine's settings as defaults. Calls go through the workspace's ledger like all others; the threads with their results
are the server's own.
"""

import asyncio
from contextlib import AsyncExitStack
from copy import copy
from typing import Any

from langgraph.graph.state import CompiledStateGraph
from pydantic import create_model

from anomagent.config import load_settings
from anomagent.errors import BadRequest, ConfigurationError
from anomagent.graph.build import build_graph
from anomagent.graph.session import Session, open_session
from anomagent.state.context import AnalysisContext

settings = load_settings()


class _Sessions:
    """One open session for each event loop of the server, opened at the first use and kept until the process ends."""

    def __init__(self) -> None:
        self._opened: dict[asyncio.AbstractEventLoop, asyncio.Task[Session]] = {}
        self._stack = AsyncExitStack()

    async def current(self) -> Session:
        loop = asyncio.get_running_loop()
        opened = self._opened.get(loop)
        if opened is None or (opened.done() and opened.exception()):
            opened = loop.create_task(self._stack.enter_async_context(open_session(settings)))
            self._opened[loop] = opened
        return await asyncio.shield(opened)


_sessions = _Sessions()


async def _ask(context: AnalysisContext, *args: Any, **kwargs: Any) -> Any:
    for name in ("base_url", "adapter"):
        # Any page in the user's browser can send a request here; it must not choose where the API key goes.
        if getattr(context, name) != settings.options[name]:
            raise BadRequest(f"{name} is not taken from a request; set it in anomagent.toml and start again")
    try:
        return await (await _sessions.current()).seam.ask(context, *args, **kwargs)
    except ConfigurationError as error:
        # As a failure of the call it is data in the state, where the client sees it; the server hides what rises.
        raise BadRequest(str(error)) from error


async def _ingest(image: Any) -> Any:
    return await (await _sessions.current()).ingest(image)


def _context_with_defaults() -> type[AnalysisContext]:
    """`AnalysisContext` whose defaults are this machine's settings, so that Studio shows what will be used."""
    fields: dict[str, Any] = {}
    for name, declared in AnalysisContext.model_fields.items():
        field = copy(declared)
        field.default = settings.options.get(name, declared.default)
        fields[name] = (field.annotation, field)
    return create_model("AnalysisContext", __base__=AnalysisContext, **fields)


graph: CompiledStateGraph[Any, AnalysisContext, Any, Any] = build_graph(
    _ask, _ingest, context_schema=_context_with_defaults(), for_strangers=True
)
