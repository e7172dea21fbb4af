"""The runtime context of an analysis: everything a user may turn, per run or in Studio."""

from typing import Literal, get_args

from pydantic import ConfigDict, Field

from anomagent.config import AnalysisOptions, Schedule

AgentRole = Literal[
    "ObjectPerceiver",
    "AttributeAnalyzer",
    "RelationReasoner",
    "AnomalyIntegrator",
    "AnomalyFormatter",
    "SceneScanner",
    "DirectDetector",
]
"""Who looks at an image. Each may have a model of its own."""
AssessorRole = Literal["AnomalyJudge", "KindClassifier"]
"""Who reads finished results, without the image. Played by `model`."""
PredictorRole = Literal["AnomalyReporter", "DeepfakeDetector"]
"""Who answers alone, in the words that models are fine-tuned on. Played by `model`."""
Role = Literal[AgentRole, AssessorRole, PredictorRole]

__all__ = [
    "AgentRole",
    "AnalysisContext",
    "AssessorRole",
    "PredictorRole",
    "Role",
    "Schedule",
    "role_field",
    "roles_of",
]


class AnalysisContext(AnalysisOptions):
    """The options of one analysis, as the nodes read them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Left out of what is stored and hashed: it changes nothing of what models are asked.
    review: bool = Field(False, exclude=True, description="wait after the report until a person has judged it")

    def model_for(self, role: Role) -> str:
        """The model id that plays `role`: its own where it has one, else `model`."""
        return getattr(self, role_field(role), None) or self.model

    @property
    def passes(self) -> tuple[int, int, int]:
        """(T, S, G) of this schedule: `lean` and `direct` run one pass of each."""
        if self.schedule == "paper":
            return self.perception_passes, self.consolidation_passes, self.scans
        return 1, 1, min(1, self.scans)


def role_field(role: Role) -> str:
    """The field of `AnalysisContext` for the model of an agent's role: ObjectPerceiver -> object_perceiver."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in role).lstrip("_")


def roles_of(schedule: Schedule) -> tuple[AgentRole, ...]:
    """The roles that are asked under `schedule`."""
    if schedule == "direct":
        return ("DirectDetector",)
    return tuple(role for role in get_args(AgentRole) if role != "DirectDetector")
