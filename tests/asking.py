"""A scripted `Ask`, for nodes and graph: the shipped `FakeModel` sits one level lower, at the client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from anomagent.errors import ModelError
from anomagent.models.samples import smallest
from anomagent.models.types import Answer
from anomagent.prompts import Prompt, Reply
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import CallRef, ImageRef

IMAGE: ImageRef = {"sha256": "ab" * 32, "path": "images/ab/abab.png", "width": 64, "height": 48}

Said = Mapping[str, Any] | Exception
"""A reply as data, or what is raised instead."""
Script = Said | Callable[["Question"], Said]


@dataclass(frozen=True)
class Question:
    """What a node asked."""

    context: AnalysisContext
    image: ImageRef
    prompt: Prompt
    object: str | None
    slot: int

    @property
    def step(self) -> str:
        """Role and step, as in "ObjectPerceiver.list"."""
        return f"{self.prompt.role}.{self.prompt.step}"

    def __str__(self) -> str:
        return f"{self.step}/{self.object}/{self.slot}"


@dataclass(frozen=True)
class Rule:
    """What to say to a step, where given only about this object or in this slot."""

    step: str
    says: Script
    object: str | None
    slot: int | None

    def matches(self, question: Question) -> bool:
        about = self.object is None or self.object == question.object
        return self.step == question.step and about and self.slot in (None, question.slot)


@dataclass
class ScriptedAsk:
    """Answers by the newest rule that matches, else with the smallest valid reply; keeps what it was asked.

    `pause` is awaited between question and answer: that is where a test makes a call slow.
    """

    rules: list[Rule] = field(default_factory=list[Rule])
    pause: Callable[[Question], Awaitable[object]] | None = None
    asked: list[Question] = field(default_factory=list[Question])
    answered: list[Question] = field(default_factory=list[Question])

    def on(self, step: str, says: Script, *, object: str | None = None, slot: int | None = None) -> Self:
        """Add a rule before the others."""
        self.rules.insert(0, Rule(step, says, object, slot))
        return self

    async def __call__(
        self,
        context: AnalysisContext,
        image: ImageRef | None,
        prompt: Prompt,
        reply: type[Any],
        *,
        object: str | None = None,
        slot: int = 0,
    ) -> Answer[Any]:
        assert reply is prompt.reply, "a node must expect the reply that its prompt asks for"
        question = Question(context, image, prompt, object, slot)
        self.asked.append(question)
        if self.pause:
            await self.pause(question)
        said = self.say(question)
        if isinstance(said, ModelError):
            said.call = dict(call_of(question))
        if isinstance(said, Exception):
            raise said
        self.answered.append(question)
        valid: Reply = reply.model_validate(said)
        return Answer(valid, valid.model_dump_json(), call_of(question))

    def steps(self) -> list[str]:
        """The steps in the order in which they were asked."""
        return [question.step for question in self.asked]

    def counts(self) -> Counter[str]:
        """How often each step was asked."""
        return Counter(self.steps())

    def say(self, question: Question) -> Said:
        """What the rules answer to `question`."""
        rule = next((rule for rule in self.rules if rule.matches(question)), None)
        if rule is None:
            return smallest(question.prompt.reply.strict_schema())
        return rule.says(question) if callable(rule.says) else rule.says


def call_of(question: Question) -> CallRef:
    """The reference that the seam would give to this call."""
    return CallRef(
        key=str(question),
        role=question.prompt.role,
        step=question.prompt.step,
        object=question.object,
        slot=question.slot,
        ledger_hit=False,
        attempts=1,
        input_tokens=100,
        cached_input_tokens=0,
        output_tokens=10,
        usd=0.5,
    )
