"""A prompt with its right answer, and the case that it is about."""

import json
from dataclasses import dataclass
from random import Random

from anomagent.prompts import Prompt, Reply
from anomagent.scenes.catalogue import Agent
from anomagent.scenes.compose import Scene
from anomagent.scenes.training.facts import Claim, truth
from anomagent.scenes.training.upstream import Listed, names_by_id, perception, reported


@dataclass(frozen=True)
class Lesson:
    """One prompt, the text that should be answered, and how much an answer token counts."""

    prompt: Prompt
    answer: str
    weight: float = 1.0

    @classmethod
    def of(cls, prompt: Prompt, reply: Reply, weight: float = 1.0) -> "Lesson":
        """The lesson that `reply` is the answer."""
        return cls(prompt, render_answer(reply), weight)


@dataclass(frozen=True)
class Case:
    """A scene and what earlier steps made of it."""

    scene: Scene
    listed: list[Listed]
    rng: Random

    @classmethod
    def of(cls, scene: Scene, rng: Random) -> "Case":
        """A case with a perception that errs now and then."""
        return cls(scene, perception(scene, rng), rng)

    @property
    def names(self) -> dict[int, str]:
        """The names that the perceived objects go by."""
        return names_by_id(self.listed)

    def true_claims(self, entry: Listed, agent: Agent) -> list[Claim]:
        """What that agent should find about the object."""
        if entry.item is None:
            return []
        return [
            claim
            for claim in truth(self.scene, self.names)
            if claim.name == entry.object["name"] and claim.anomaly.agent == agent
        ]

    def reported_claims(self, entry: Listed, agent: Agent) -> list[Claim]:
        """What that agent may have said about the object."""
        made = reported(self.true_claims(entry, agent), self.scene, self.names, self.rng, agent)
        return [claim for claim in made if claim.name == entry.object["name"]]

    def all_reported_claims(self, entry: Listed) -> list[Claim]:
        """What both agents may have said about the object."""
        return [*self.reported_claims(entry, "attribute"), *self.reported_claims(entry, "relation")]


def render_answer(reply: Reply) -> str:
    """The reply as the model should write it."""
    return json.dumps(reply.model_dump(), ensure_ascii=False)
