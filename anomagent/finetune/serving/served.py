"""What a server says to the probes: token counts and answers, asked through the project's own client."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from anomagent.errors import ModelError
from anomagent.finetune.serving.probes import Probe, text_probe
from anomagent.models.registry import resolve
from anomagent.models.types import Client, Completion, Request


@dataclass
class Served:
    """One name at a server. Answers are in the order of the probes; a `ModelError` stands for one that did not come."""

    name: str
    text_tokens: int | ModelError | None = None
    """Prompt tokens of the question without a picture. None: the server counts nothing."""
    image_tokens: "list[int | ModelError | None]" = field(default_factory=list["int | ModelError | None"])
    """Prompt tokens of the question with each picture of the size probes."""
    answers: list[str | ModelError] = field(default_factory=list[str | ModelError])
    again: list[str | ModelError] = field(default_factory=list[str | ModelError])
    """The same questions a second time: whether the server is steady."""

    @property
    def error(self) -> ModelError | None:
        """The first failure of a plain question or an answer."""
        said = [self.text_tokens, *self.answers, *self.again]
        return next((outcome for outcome in said if isinstance(outcome, ModelError)), None)

    @property
    def steady(self) -> bool:
        """Whether the server said the same twice."""
        return self.answers == self.again


async def ask_adapter(base_url: str, name: str, sizes: Sequence[Probe], answers: Sequence[Probe]) -> Served:
    """Everything that the checks want to know of the adapter. Raises `ConfigurationError` for a URL that is none."""
    return await _ask(base_url, name, sizes, answers)


async def ask_base(base_url: str, name: str, answers: Sequence[Probe]) -> Served:
    """The base's answers alone."""
    return await _ask(base_url, name, (), answers)


async def _ask(base_url: str, name: str, sizes: Sequence[Probe], answers: Sequence[Probe]) -> Served:
    client = resolve(f"openai:{name}", base_url=base_url)
    served = Served(name)
    try:
        served.text_tokens = await _count(client, text_probe())
        if isinstance(served.text_tokens, ModelError):
            return served
        for probe in sizes:
            served.image_tokens.append(await _count(client, probe.request))
        for said in (served.answers, served.again):
            for number, probe in enumerate(answers):
                outcome = await _complete(client, replace(probe.request, slot=number))
                said.append(outcome.text if isinstance(outcome, Completion) else outcome)
    finally:
        await client.aclose()
    return served


async def _count(client: Client, request: Request) -> int | ModelError | None:
    outcome = await _complete(client, request)
    return outcome if isinstance(outcome, ModelError) else outcome.usage.input_tokens or None


async def _complete(client: Client, request: Request) -> Completion | ModelError:
    try:
        return await client.complete(request)
    except ModelError as error:
        return error
