"""A dispatcher that tests can look into."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from anomagent.errors import ModelError
from anomagent.models.budget import Budget
from anomagent.models.call import Call
from anomagent.models.dispatch import Dispatcher
from anomagent.models.fake import FakeModel
from anomagent.models.limits import Limits
from anomagent.models.pace import Clock
from anomagent.models.prices import Price
from anomagent.models.types import Completion
from anomagent.prompts.object_perceiver import render_list
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import ImageRef
from tests.models.clockwork import Clockwork


class Gate:
    """A dispatcher that never sleeps, over a scripted model."""

    def __init__(
        self, model: FakeModel, image: ImageRef, price: Price | None = None, clock: Clock | None = None, **limits: float
    ) -> None:
        self.limits = Limits(**limits)  # type: ignore[arg-type]
        self.budget = Budget(self.limits.budget_usd)
        self._clock = clock or time.monotonic
        self.pauses: list[float] = []
        self.retries: list[ModelError] = []
        self.dispatcher = Dispatcher(self.limits, self.budget, self._sleep, self._clock)
        self.model, self.price = model, price
        self.call = self._call(image)

    async def send(self, image: ImageRef | None = None) -> Completion:
        """Send one request, about the gate's image or another one."""
        call = self._call(image) if image else self.call
        request = call.request(100, ())
        return (await self.dispatcher.send(call, request, lambda error, _: self.retries.append(error)))[0]

    def _call(self, image: ImageRef) -> Call[Any]:
        prompt = render_list(0)
        return Call.of(self.model, self.price, AnalysisContext(), image, prompt, prompt.reply, None, 0)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if isinstance(self._clock, Clockwork):
            await self._clock.sleep(seconds)
        await asyncio.sleep(0)
