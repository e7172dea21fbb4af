"""What crosses the seam between the nodes and whatever answers them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

from typing_extensions import TypedDict

from anomagent.prompts.base import Prompt, Reply, Turn
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import CallRef, ImageRef

FinishReason = Literal["stop", "length", "refusal"]


@dataclass(frozen=True)
class Usage:
    """Tokens of one request, as the provider reports them (0 where it reports none)."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Request:
    """One request as a client sends it: system text, the image, the prompt's text, then the turns."""

    prompt: Prompt
    image_path: str | None
    """None: text alone."""
    image_sha256: str
    """"" where there is no image."""
    max_pixels: int
    max_tokens: int
    temperature: float | None
    turns: tuple[Turn, ...] = ()
    """The prompt's further turns, then any repair turns."""
    object: str | None = None
    """The object that is asked about, for logs and scripted models; the prompt's text says it to the model."""
    slot: int = 0
    first_words: tuple[str, ...] = ()
    """Lower-case words; how probable each was as the answer's first is told where the model can."""


@dataclass(frozen=True)
class Completion:
    """One finished request: the raw text, before anybody validated it."""

    text: str
    usage: Usage = field(default_factory=Usage)
    finish_reason: FinishReason = "stop"
    exhausted: bool = False
    """With "length": the model's own limit ended the answer, so more room would not help."""
    odds: Mapping[str, float] | None = None
    """Probability of each of `Request.first_words` as the first word, in whatever case; None: the model did not say."""


class Client(Protocol):
    """What a provider implements. Errors are the `ModelError`s of `anomagent.errors`, nothing else."""

    identity: str
    """The model and all of its set-up that changes answers (adapter hash, revision); part of the ledger key."""

    async def complete(self, request: Request) -> Completion:
        """Send one request, without any retry of its own."""
        ...

    async def aclose(self) -> None:
        """Give back connections, threads and memory."""
        ...


R = TypeVar("R", bound=Reply)


@dataclass(frozen=True)
class Answer(Generic[R]):
    """What a node gets back: the validated reply, and the reference to the call that goes into the state."""

    reply: R
    text: str
    call: CallRef
    odds: Mapping[str, float] | None = None
    """See `Completion.odds`."""


class Ask(Protocol):
    """The one function that nodes call. Raises a `ModelError` where no usable answer came."""

    async def __call__(
        self,
        context: AnalysisContext,
        image: ImageRef | None,
        prompt: Prompt,
        reply: type[R],
        *,
        object: str | None = None,
        slot: int = 0,
    ) -> Answer[R]:
        """Ask `prompt` about `image`, or with None about its text alone.

        `object` is whom it concerns, `slot` tells equal samples apart.
        """
        ...


class Attempt(TypedDict):
    """One finished request as the ledger keeps it: good answers are replayed, bad ones are kept for the record."""

    key: str
    role: str
    step: str
    object: str | None
    slot: int
    model: str
    image_sha256: str
    """"" for a call without an image."""
    prompt: str
    status: Literal["good", "bad"]
    error: str | None
    text: str
    odds: str | None
    """`Completion.odds` as JSON."""
    finish_reason: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    usd: float | None
    seconds: float


class Ledger(Protocol):
    """The record of finished calls. `claim` makes two equal calls in flight one, across processes as well."""

    async def good(self, key: str) -> Attempt | None:
        """The good answer of `key`, if there is one."""
        ...

    async def claim(self, key: str) -> bool:
        """Try to become the one who asks `key`. False: somebody else is asking it right now."""
        ...

    async def record(self, attempt: Attempt) -> None:
        """Write a finished request durably."""
        ...

    async def release(self, key: str) -> None:
        """Give up the claim on `key`."""
        ...
