"""The workers of a batch on a Ray cluster: who is there, who gets the next image, what happens when one dies."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from anomagent import __version__
from anomagent.batch.ray_actor import Greeting, Hand, Reply
from anomagent.errors import ConfigurationError, StoreError

RESTARTS = 20
"""How often Ray may start one worker anew."""
LIVES = 5
"""An image that was in work when this many workers died is given up: it may be what kills them."""

_log = logging.getLogger(__name__)
_PAUSE = 0.5
"""Seconds between looks at a worker that is away."""
_CERTAIN_DEATHS = 5
_GOODBYE_SECONDS = 10.0


@dataclass
class _Member:
    """One actor, which stays the same through its restarts."""

    handle: Any
    name: str
    life: int = 0
    """How often it was started, as it said itself."""
    here: bool = False
    """Whether it can work."""
    answers: bool = False
    """Whether it runs, be it without a model that it can use."""
    meetings: int = 0
    """How often it came, for the first time or back."""
    load: int = 0
    """Images in work."""


class Crew:
    """Some actors of one class. Belongs to one event loop; `close` it.

    An image is sent to the worker that is here and has the fewest in work. When a worker or its node dies, each of
    its images goes to another one; Ray starts the worker anew, where there is room, and then it takes part again. One
    that cannot be used is left out, unless it is the first to come: then nobody is expected to be better.
    """

    def __init__(
        self,
        ray: Any,
        parts: list[dict[str, Any]],
        names: list[str],
        on_loss: Callable[[str, int], None] = lambda name, life: None,
    ) -> None:
        """`parts`: the settings of each worker, `names`: what each is called in Postgres.

        `on_loss` is told which worker died, and in which of its lives.
        """
        self._ray = ray
        self._on_loss = on_loss
        self.spent: dict[str, float] = {}
        """US dollars that workers said they had spent when they said goodbye."""
        self._change = asyncio.Condition()
        self._trouble: Exception | None = None
        """Why the first worker that came could not be used; nothing else of the cluster is known then."""
        options = {"max_restarts": RESTARTS, "max_task_retries": 0, "max_concurrency": 1_000, "num_cpus": 1}
        actor = ray.remote(Hand).options(**options, scheduling_strategy="SPREAD")
        # The settings lie behind a reference: passwords in URLs must not be in the description of a task.
        self._boxes = [[ray.put(part)] for part in parts]
        self._members = [_Member(actor.remote(box, name), name) for box, name in zip(self._boxes, names, strict=True)]
        self._models: dict[str, str] | None = None
        self._greetings = {asyncio.create_task(self._greet(member)) for member in self._members}

    async def meet(self) -> None:
        """Wait for the first worker. Raises `ConfigurationError` where workers cannot use the models."""
        await self._someone()

    @property
    def models(self) -> dict[str, str]:
        """Identities of the models by role; known once somebody is here."""
        assert self._models is not None, "`meet` first"
        return self._models

    async def analyze(self, image: bytes) -> Reply:
        """Analyse an image on some worker.

        Raises what the worker raises, and `ImageKills` where every worker that had this image died.
        """
        reference = await asyncio.to_thread(self._ray.put, image)
        for _ in range(LIVES):
            member = await self._someone()
            member.load += 1
            meeting = member.meetings
            try:
                return await member.handle.analyze.remote(reference)
            except self._ray.exceptions.RayTaskError as error:
                raise _cause(error) from None
            except self._ray.exceptions.RayError:  # the actor, its process or its node has died
                self._miss(member, meeting)
            finally:
                member.load -= 1
        raise ImageKills(f"{LIVES} workers died while they had this image in work")

    async def close(self) -> None:
        """Let workers give up their claims and remove their scratch folders, then end them."""
        for task in self._greetings:
            task.cancel()
        await asyncio.gather(*self._greetings, return_exceptions=True)
        there = [member for member in self._members if member.answers]
        for member in self._members:
            if not member.answers:
                self._ray.kill(member.handle)
        for spent, member in zip(await self._ask(there, "close"), there, strict=True):
            if isinstance(spent, float):
                self.spent[member.name] = spent
        await self._ask(there, "sweep")
        for member in there:
            self._ray.kill(member.handle)

    async def _ask(self, members: Sequence[_Member], method: str) -> list[Any]:
        """What each replies or raises, in some seconds; one that hangs has a `TimeoutError`."""

        async def ask(member: _Member) -> Any:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                return await getattr(member.handle, method).remote()

        return await asyncio.gather(*map(ask, members), return_exceptions=True)

    async def _someone(self) -> _Member:
        """The worker that is here and has the fewest images; waits for one. Raises when nobody can come any more."""
        async with self._change:
            while not (here := [member for member in self._members if member.here]) and not self._trouble:
                if not self._greetings:
                    raise NoWorkers(
                        "every worker of the Ray cluster has died or cannot be used; see the logs of its nodes"
                    )
                await self._change.wait()
        if self._trouble:
            raise self._trouble
        return min(here, key=lambda member: member.load)

    def _miss(self, member: _Member, meeting: int) -> None:
        """Note that a worker is away, once for all of its images, and wait for its return."""
        if member.here and member.meetings == meeting:
            member.here = member.answers = False
            self._on_loss(member.name, member.life)
            self._greetings.add(asyncio.create_task(self._greet(member)))

    async def _greet(self, member: _Member) -> None:
        """Wait until a worker is here for the first time or again; gives up when Ray does."""
        try:
            await self._meet(member)
        except self._ray.exceptions.ActorDiedError:
            pass  # for good; the others go on
        except Exception as error:
            if self._models is None:
                self._trouble = error  # whoever looks for a worker next raises it
            else:
                _log.warning("a worker of the Ray cluster is left out: %s", error)
        finally:
            self._greetings.discard(asyncio.current_task())  # type: ignore[arg-type]
            async with self._change:
                self._change.notify_all()

    async def _meet(self, member: _Member) -> None:
        deaths = 0
        while not member.here:
            try:
                greeting: Greeting = await member.handle.greet.remote()
            except self._ray.exceptions.RayTaskError as error:
                member.answers = True
                raise _cause(error) from None
            except self._ray.exceptions.RayError as error:
                # An actor may die while it greets and come back; one that is dead for good says so at once, each time.
                deaths += isinstance(error, self._ray.exceptions.ActorDiedError)
                if deaths == _CERTAIN_DEATHS:
                    raise
                await asyncio.sleep(_PAUSE)
            else:
                self._check(greeting)
                member.life = greeting.life
                member.meetings += 1
                member.here = member.answers = True

    def _check(self, greeting: Greeting) -> None:
        if greeting.version != __version__:
            raise ConfigurationError(
                f"a node of the cluster has anomagent {greeting.version}, this one {__version__}; install the same"
            )
        if self._models not in (None, greeting.models):
            raise ConfigurationError(
                f"the nodes of the cluster do not have the same models ({self._models}, {greeting.models})"
            )
        self._models = greeting.models


class NoWorkers(StoreError):
    """Every worker has died for good, or can be used no more: the batch ends as where its store fails."""


class ImageKills(Exception):
    """No worker survived an image."""


def _cause(error: Any) -> Exception:
    """What was raised in the worker, where it could travel."""
    return error.cause if isinstance(error.cause, Exception) else error
