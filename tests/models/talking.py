"""A seam with everything that a test may look at: its ledger, its events, and the seconds that it would have slept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from anomagent.models.ledger import MemoryLedger
from anomagent.models.limits import Limits
from anomagent.models.prices import Price, Prices
from anomagent.models.registry import resolve
from anomagent.models.seam import Event, Seam
from anomagent.models.types import Answer, Client
from anomagent.prompts.base import Prompt
from anomagent.prompts.object_perceiver import render_list
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import ImageRef

PRICES = Prices({}, {"m": Price(input=1.0, cached=0.5, output=2.0)})
"""For a million tokens. The server's usual answer, 400 fresh, 600 cached and 50 written tokens, costs 800e-6."""
ANSWER_USD = 800e-6


@dataclass
class Talk:
    """One seam and what can be seen of it."""

    seam: Seam
    ledger: MemoryLedger
    context: AnalysisContext
    image: ImageRef
    events: list[Event]
    pauses: list[float] = field(default_factory=list[float])

    async def ask(self, slot: int = 0, prompt: Prompt | None = None) -> Answer[Any]:
        """Ask for the objects of the image, or what `prompt` asks for."""
        prompt = prompt or render_list(0)
        return await self.seam.ask(self.context, self.image, prompt, prompt.reply, slot=slot)

    def kinds(self) -> list[str]:
        """What happened, in order."""
        return [event.kind for event in self.events]

    def outcomes(self) -> list[str]:
        """The ledger's rows: "good", or the code of what was wrong."""
        return [attempt["error"] or attempt["status"] for attempt in self.ledger.attempts]


@asynccontextmanager
async def talk(
    image: ImageRef, *, client: Client | None = None, url: str | None = None, timeout: float = 20.0, **limits: Any
) -> AsyncGenerator[Talk]:
    """A seam over `client`, or over the real client of the OpenAI-compatible server at `url`. It never sleeps."""
    events: list[Event] = []
    ledger = MemoryLedger()
    context = AnalysisContext(model="openai:m", base_url=url)

    async def sleep(seconds: float) -> None:
        talking.pauses.append(seconds)
        await asyncio.sleep(0)

    def of_context(model_id: str, context: AnalysisContext) -> Client:
        return client or resolve(model_id, base_url=context.base_url, timeout=timeout)

    seam = Seam(ledger, of_context, limits=Limits(**limits), prices=PRICES, on_event=events.append, sleep=sleep)
    talking = Talk(seam, ledger, context, image, events)
    try:
        yield talking
    finally:
        await seam.aclose()
