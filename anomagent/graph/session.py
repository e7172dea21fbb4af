"""What one process holds open while it analyses: the workspace, the ledger and the seam to the models."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from anomagent.config import Settings
from anomagent.models.limits import Limits
from anomagent.models.prices import Prices
from anomagent.models.registry import resolve
from anomagent.models.seam import Event, Resolve, Seam
from anomagent.models.types import Client
from anomagent.state.context import AnalysisContext, roles_of
from anomagent.state.findings import ImageRef
from anomagent.store import Workspace, ingest_image
from anomagent.store.ledgers import open_ledger


@dataclass(frozen=True)
class Session:
    """Open resources of one process and one event loop."""

    workspace: Workspace
    seam: Seam

    async def ingest(self, image: Path | bytes) -> ImageRef:
        """Bring an image into the workspace. Raises `UsageError` for what is not a readable image."""
        return await asyncio.to_thread(ingest_image, self.workspace, image)


@asynccontextmanager
async def open_session(settings: Settings, on_event: Callable[[Event], None] | None = None) -> AsyncGenerator[Session]:
    """Open the workspace, its ledger and a seam over it; close all of them at the end."""
    workspace = await asyncio.to_thread(Workspace.open, settings.workspace)
    ledger = await open_ledger(workspace, settings.ledger)
    try:
        seam = Seam(
            ledger,
            resolve_for(settings),
            limits=limits_of(settings),
            prices=Prices.load(settings.prices),
            on_event=on_event,
        )
        try:
            yield Session(workspace, seam)
        finally:
            await seam.aclose()
    finally:
        await ledger.aclose()


def resolve_for(settings: Settings) -> Resolve:
    """How model ids become clients here: at the context's servers, with its adapter, the embedded model guarded."""

    def of_context(model_id: str, context: AnalysisContext) -> Client:
        # Roles may have models of other providers beside; with none of openai: the further servers are a mistake.
        served = model_id.startswith("openai:") or not _asks_openai(context)
        return resolve(
            model_id,
            base_url=context.base_url,
            more_base_urls=settings.more_base_urls if served else (),
            adapter=context.adapter,
            scene_check=_looks_like_scene,
            timeout=settings.timeout,
        )

    return of_context


def _asks_openai(context: AnalysisContext) -> bool:
    return any(context.model_for(role).startswith("openai:") for role in roles_of(context.schedule))


def _looks_like_scene(image: Image.Image) -> bool:
    # Imported late: it needs numpy, which only installations with in-process models have.
    from anomagent.scenes.recognise import looks_like_scene

    return looks_like_scene(image)


def limits_of(settings: Settings) -> Limits:
    """The bounds of talking to models that the settings ask for."""
    return Limits(
        concurrency=settings.concurrency,
        requests_per_minute=settings.requests_per_minute,
        tokens_per_minute=settings.tokens_per_minute,
        attempts=settings.retries + 1,
        max_tokens=settings.max_tokens,
        max_tokens_cap=settings.max_tokens_cap,
        budget_usd=settings.budget_usd,
    )
