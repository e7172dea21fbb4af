"""One call in progress: what is asked, and a tally of what it costs."""

import json
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, cast

from anomagent.errors import ModelError
from anomagent.models.key import call_key
from anomagent.models.prices import FREE, Price
from anomagent.models.types import Attempt, Client, Completion, Request, Usage
from anomagent.prompts.base import Prompt, Reply, Turn
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import CallRef, ImageRef

R = TypeVar("R", bound=Reply)


@dataclass
class Tally:
    """Requests sent, tokens and money of one call in this analysis."""

    attempts: int = 0
    usage: Usage = field(default_factory=Usage)
    usd: float | None = 0.0

    def add(self, usage: Usage, usd: float | None) -> None:
        """Count one finished request. One unknown price makes the sum unknown."""
        self.usage = Usage(
            self.usage.input_tokens + usage.input_tokens,
            self.usage.cached_input_tokens + usage.cached_input_tokens,
            self.usage.output_tokens + usage.output_tokens,
        )
        self.usd = None if self.usd is None or usd is None else self.usd + usd


@dataclass(frozen=True)
class Call(Generic[R]):
    """Everything that is fixed for a call before its first request."""

    client: Client
    price: Price | None
    prompt: Prompt
    reply: type[R]
    image: ImageRef | None
    max_pixels: int
    temperature: float | None
    object: str | None
    slot: int
    key: str
    first_words: tuple[str, ...] = ()
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def of(
        cls,
        client: Client,
        price: Price | None,
        context: AnalysisContext,
        image: ImageRef | None,
        prompt: Prompt,
        reply: type[R],
        object: str | None,
        slot: int,
        first_words: tuple[str, ...] = (),
    ) -> "Call[R]":
        """Fix the call and its ledger key. Without an image the key knows no image and no size of one.

        `first_words` are not in the key: asking how probable they were changes no answer.
        """
        parameters: dict[str, Any] = {"temperature": context.temperature}
        if image:
            parameters["max_pixels"] = context.image_max_pixels
        key = call_key(
            model=client.identity,
            parameters=parameters,
            prompt=prompt,
            reply=reply,
            image_sha256=image["sha256"] if image else "",
            slot=slot,
        )
        size, temperature = context.image_max_pixels, context.temperature
        return cls(client, price, prompt, reply, image, size, temperature, object, slot, key, first_words)

    @property
    def image_sha256(self) -> str:
        """The image's content hash, "" without an image."""
        return self.image["sha256"] if self.image else ""

    def request(self, max_tokens: int, turns: tuple[Turn, ...]) -> Request:
        """The request with this much room for the answer, after the prompt's turns and these."""
        return Request(
            prompt=self.prompt,
            image_path=self.image["path"] if self.image else None,
            image_sha256=self.image_sha256,
            max_pixels=self.max_pixels,
            max_tokens=max_tokens,
            temperature=self.temperature,
            turns=self.prompt.further + turns,
            object=self.object,
            slot=self.slot,
            first_words=self.first_words,
        )

    def attempt(self, completion: Completion, failure: ModelError | None, seconds: float) -> Attempt:
        """The ledger's row of one finished request."""
        usage = completion.usage
        status: Literal["good", "bad"] = "bad" if failure else "good"
        return Attempt(
            key=self.key,
            role=self.prompt.role,
            step=self.prompt.step,
            object=self.object,
            slot=self.slot,
            model=self.client.identity,
            image_sha256=self.image_sha256,
            prompt=self._asked(),
            status=status,
            error=failure.code if failure else None,
            text=completion.text,
            odds=None if completion.odds is None else json.dumps(dict(completion.odds)),
            finish_reason=completion.finish_reason,
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            output_tokens=usage.output_tokens,
            usd=self.usd(usage),
            seconds=seconds,
        )

    def _asked(self) -> str:
        """The prompt's text; of a conversation every turn, each behind who speaks."""
        turns = [f"[{turn.speaker}] {turn.text}" for turn in self.prompt.further]
        return "\n".join([self.prompt.text, *turns])

    def broken(self, error: ModelError) -> Attempt:
        """The ledger's row of a request that got no answer, with what it may cost nevertheless."""
        return {**self.attempt(Completion(""), error, 0.0), "finish_reason": "error", "usd": error.billed}

    def usd(self, usage: Usage) -> float | None:
        """What `usage` costs; None where no price is known, or where a server that costs money counted no tokens."""
        if self.price is None or (usage == Usage() and self.price != FREE):
            return None
        return self.price.usd(usage)

    def ref(self, *, ledger_hit: bool = False) -> CallRef:
        """The reference for the state; a ledger hit cost this analysis nothing."""
        tally = Tally() if ledger_hit else self.tally
        return CallRef(
            key=self.key,
            role=self.prompt.role,
            step=self.prompt.step,
            object=self.object,
            slot=self.slot,
            ledger_hit=ledger_hit,
            attempts=tally.attempts,
            input_tokens=tally.usage.input_tokens,
            cached_input_tokens=tally.usage.cached_input_tokens,
            output_tokens=tally.usage.output_tokens,
            usd=tally.usd,
        )


def call_of(error: ModelError) -> CallRef | None:
    """What a failed call cost; None for an error that did not pass through the seam."""
    return cast(CallRef, error.call) if error.call is not None else None
