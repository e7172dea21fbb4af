"""The one function that nodes call, and what stands behind it: ledger, single flight, dispatch, size, validation."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from anomagent.errors import CutOff, Malformed, ModelError, OutOfBudget
from anomagent.models.budget import Budget
from anomagent.models.call import Call
from anomagent.models.dispatch import Dispatcher
from anomagent.models.limits import Limits
from anomagent.models.pace import Clock, Sleep
from anomagent.models.prices import Price, Prices
from anomagent.models.replies import judge, parse, repair
from anomagent.models.types import Answer, Attempt, Client, Completion, Ledger, Request, Usage
from anomagent.prompts.base import Prompt, Reply, Turn
from anomagent.state.context import AnalysisContext, Role
from anomagent.state.findings import ImageRef

R = TypeVar("R", bound=Reply)
T = TypeVar("T")
EventKind = Literal["ledger_hit", "sent", "retry", "cut_off", "repair", "answered", "failed"]
Resolve = Callable[[str, AnalysisContext], Client]
"""From a model id and the context's base URL and adapter to a client. Raises `ConfigurationError`."""

_FIRST_POLL, _SLOWEST_POLL = 0.05, 2.0
"""Seconds between looks at the ledger while another process asks the same."""


@dataclass(frozen=True)
class Event:
    """Something happened to a call; for progress displays and logs."""

    kind: EventKind
    key: str
    role: str
    step: str
    object: str | None
    slot: int
    detail: str = ""
    usage: Usage = field(default_factory=Usage)
    """Tokens that the call has cost this process so far."""


@dataclass(frozen=True)
class _Said:
    """What of a good answer is replayed."""

    text: str
    odds: Mapping[str, float] | None

    @classmethod
    def of(cls, row: Attempt) -> "_Said":
        return cls(row["text"], None if row["odds"] is None else json.loads(row["odds"]))


class Seam:
    """Asks models and pays for nothing twice. One per process, used within one event loop.

    Its `ask` is the `Ask` of the nodes. Close it with `aclose`.
    """

    def __init__(
        self,
        ledger: Ledger,
        resolve: Resolve,
        *,
        limits: Limits | None = None,
        prices: Prices | None = None,
        on_event: Callable[[Event], None] | None = None,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._resolve = resolve
        self._limits = limits or Limits()
        self._prices = prices or Prices.load()
        self._on_event = on_event
        self._sleep = sleep
        self.budget = Budget(self._limits.budget_usd)
        self._dispatcher = Dispatcher(self._limits, self.budget, sleep, clock)
        self._clients: dict[tuple[str, str | None, str | None], Client] = {}
        self._resolving = asyncio.Lock()
        self._flights: dict[str, asyncio.Future[_Said | ModelError | None]] = {}

    async def ask(
        self,
        context: AnalysisContext,
        image: ImageRef | None,
        prompt: Prompt,
        reply: type[R],
        *,
        object: str | None = None,
        slot: int = 0,
        first_words: tuple[str, ...] = (),
    ) -> Answer[R]:
        """Ask `prompt` about `image`, or with None about its text alone, and return the validated reply.

        With `first_words` the answer has the odds of each as its first word, where the model tells them.
        Raises a `ModelError` whose `call` says what the failure cost, or `ConfigurationError` where the model cannot
        be used at all.
        """
        model_id = context.model_for(prompt.role)
        client = await self._client(model_id, context)
        price = self._price(model_id, context)
        call = Call[R].of(client, price, context, image, prompt, reply, object, slot, first_words)
        while flight := self._flights.get(call.key):
            outcome = await asyncio.shield(flight)
            if outcome is not None:
                return self._share(call, outcome)
        return await self._lead(call)

    async def prepare(self, context: AnalysisContext, roles: tuple[Role, ...]) -> dict[str, str]:
        """Make the clients of `roles` now, so that a model that cannot be used is an error before any work.

        Returns the clients' identities by role. Raises `ConfigurationError`, also for a budget without a known price.
        """
        identities: dict[str, str] = {}
        for role in roles:
            model_id = context.model_for(role)
            identities[role] = (await self._client(model_id, context)).identity
            self.budget.require(model_id, self._price(model_id, context))
        return identities

    async def aclose(self) -> None:
        """Close every client."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    def _price(self, model_id: str, context: AnalysisContext) -> Price | None:
        return self._prices.of(model_id, context.base_url if model_id.startswith("openai:") else None)

    async def _client(self, model_id: str, context: AnalysisContext) -> Client:
        wanted = (model_id, context.base_url, context.adapter)
        async with self._resolving:
            if wanted not in self._clients:
                # Importing a provider and hashing an adapter block: not on the event loop.
                self._clients[wanted] = await asyncio.to_thread(self._resolve, model_id, context)
            return self._clients[wanted]

    async def _lead(self, call: Call[R]) -> Answer[R]:
        """Answer the call; whoever asks the same meanwhile gets the same outcome (None: it was given up)."""
        flight = self._flights[call.key] = asyncio.get_running_loop().create_future()
        outcome: _Said | ModelError | None = None
        try:
            answer = await self._replay_or_ask(call)
            outcome = _Said(answer.text, answer.odds)
            return answer
        except ModelError as error:
            error.call = call.ref()
            outcome = error
            self._tell(call, "failed", error.code)
            raise
        finally:
            del self._flights[call.key]
            flight.set_result(outcome)

    def _share(self, call: Call[R], outcome: "_Said | ModelError") -> Answer[R]:
        if isinstance(outcome, ModelError):
            error = type(outcome)(str(outcome))
            error.call = call.ref()
            raise error
        return self._hit(call, outcome)

    def _hit(self, call: Call[R], said: "_Said") -> Answer[R]:
        answer = Answer(parse(said.text, call.reply), said.text, call.ref(ledger_hit=True), said.odds)
        self._tell(call, "ledger_hit")
        return answer

    async def _replay_or_ask(self, call: Call[R]) -> Answer[R]:
        pause = _FIRST_POLL
        while (good := await self._ledger.good(call.key)) is None:
            if await self._ledger.claim(call.key):
                return await self._claimed(call)
            await self._sleep(pause)
            pause = min(pause * 1.5, _SLOWEST_POLL)
        return self._hit(call, _Said.of(good))

    async def _claimed(self, call: Call[R]) -> Answer[R]:
        try:
            # Between the look and the claim another process may have finished.
            if good := await self._ledger.good(call.key):
                return self._hit(call, _Said.of(good))
            return await self._converse(call)
        finally:
            await _surely(self._ledger.release(call.key))

    async def _converse(self, call: Call[R]) -> Answer[R]:
        """Send requests until an answer is good: more room while it is cut off, one repair turn if it is malformed."""
        room, turns = self._limits.max_tokens, tuple[Turn, ...]()
        while True:
            self._tell(call, "sent", f"max_tokens={room}")
            request = call.request(room, turns)
            completion, seconds = await self._send(call, request)
            verdict = judge(completion, call.reply)
            failure = verdict if isinstance(verdict, ModelError) else None
            call.tally.add(completion.usage, call.usd(completion.usage))
            await _surely(self._ledger.record(call.attempt(completion, failure, seconds)))
            if not isinstance(verdict, ModelError):
                self._tell(call, "answered")
                return Answer(verdict, completion.text, call.ref(), completion.odds)
            room, turns = self._again(call, verdict, completion, room, turns)

    async def _send(self, call: Call[R], request: Request) -> tuple[Completion, float]:
        """One request with its retries; what ends without an answer is kept for the record as well."""
        try:
            return await self._dispatcher.send(
                call, request, lambda error, pause: self._tell(call, "retry", f"{error.code}, again in {pause:.1f} s")
            )
        except OutOfBudget:
            raise
        except ModelError as error:
            await _surely(self._ledger.record(call.broken(error)))
            raise

    def _again(
        self, call: Call[R], failure: ModelError, completion: Completion, room: int, turns: tuple[Turn, ...]
    ) -> tuple[int, tuple[Turn, ...]]:
        """The room and the turns of the next request; raises `failure` where another one is no use."""
        if isinstance(failure, CutOff) and room < self._limits.max_tokens_cap and not completion.exhausted:
            self._tell(call, "cut_off", f"at {room} tokens")
            return min(2 * room, self._limits.max_tokens_cap), turns
        if isinstance(failure, Malformed) and not turns:
            self._tell(call, "repair", str(failure))
            return room, repair(completion.text, failure, call.reply)
        raise failure

    def _tell(self, call: Call[R], kind: EventKind, detail: str = "") -> None:
        if self._on_event:
            prompt, usage = call.prompt, call.tally.usage
            self._on_event(Event(kind, call.key, prompt.role, prompt.step, call.object, call.slot, detail, usage))


async def _surely(work: Awaitable[T]) -> T:
    """Finish a ledger write even if the caller is cancelled meanwhile; the cancellation still arrives."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
