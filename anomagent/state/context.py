"""The runtime context of an analysis: everything a user may turn, per run or in Studio."""

from typing import Literal, get_args

from pydantic import ConfigDict

from anomagent.config import AnalysisOptions, Schedule

Role = Literal[
    "ObjectPerceiver",
    "AttributeAnalyzer",
    "RelationReasoner",
    "AnomalyIntegrator",
    "AnomalyFormatter",
    "SceneScanner",
    "DirectDetector",
]

__all__ = ["AnalysisContext", "Role", "Schedule", "role_field", "roles_of"]


class AnalysisContext(AnalysisOptions):
    """The options of one analysis, as the nodes read them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def model_for(self, role: Role) -> str:
        """The model id that plays `role`."""
        return getattr(self, role_field(role)) or self.model

    @property
    def passes(self) -> tuple[int, int, int]:
        """(T, S, G) of this schedule: `lean` and `direct` run one pass of each."""
        if self.schedule == "paper":
            return self.perception_passes, self.consolidation_passes, self.scans
        return 1, 1, min(1, self.scans)


def role_field(role: Role) -> str:
    """The field of `AnalysisContext` that names the model of `role`: ObjectPerceiver -> object_perceiver."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in role).lstrip("_")


def roles_of(schedule: Schedule) -> tuple[Role, ...]:
    """The roles that are asked under `schedule`."""
    if schedule == "direct":
        return ("DirectDetector",)
    return tuple(role for role in get_args(Role) if role != "DirectDetector")
