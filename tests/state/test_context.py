from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from anomagent.prompts import ASSESSORS, PREDICTORS, TEMPLATES
from anomagent.state.context import (
    AgentRole,
    AnalysisContext,
    AssessorRole,
    PredictorRole,
    Role,
    Schedule,
    role_field,
    roles_of,
)

ROLES: tuple[AgentRole, ...] = get_args(AgentRole)
ASSESSOR_ROLES: tuple[AssessorRole, ...] = get_args(AssessorRole)
PREDICTOR_ROLES: tuple[PredictorRole, ...] = get_args(PredictorRole)


def test_role_field() -> None:
    assert [role_field(role) for role in ROLES] == [
        "object_perceiver",
        "attribute_analyzer",
        "relation_reasoner",
        "anomaly_integrator",
        "anomaly_formatter",
        "scene_scanner",
        "direct_detector",
    ]


def test_roles_are_those_of_agents_assessors_and_predictors() -> None:
    assert get_args(Role) == ROLES + ASSESSOR_ROLES + PREDICTOR_ROLES
    assert {template.role for template in PREDICTORS} == set(PREDICTOR_ROLES)
    assert {template.role for template in ASSESSORS} == set(ASSESSOR_ROLES)


@pytest.mark.parametrize("role", [*ASSESSOR_ROLES, *PREDICTOR_ROLES])
def test_who_is_no_agent_has_no_setting_and_uses_the_common_model(role: Role) -> None:
    assert role_field(role) not in AnalysisContext.model_fields
    assert AnalysisContext(model="openai:a", direct_detector="openai:b").model_for(role) == "openai:a"


@pytest.mark.parametrize("schedule", get_args(Schedule))
def test_no_schedule_asks_an_assessor(schedule: Schedule) -> None:
    assert roles_of(schedule)
    assert not set(roles_of(schedule)) & set(ASSESSOR_ROLES)


def test_every_role_that_asks_has_a_setting() -> None:
    assert {template.role for template in TEMPLATES} == set(ROLES)
    assert {role_field(role) for role in ROLES} <= AnalysisContext.model_fields.keys()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_uses_its_own_model_else_the_common_one(role: Role) -> None:
    assert AnalysisContext(model="openai:a").model_for(role) == "openai:a"
    context = AnalysisContext.model_validate({"model": "openai:a", role_field(role): "openai:b"})
    assert context.model_for(role) == "openai:b"
    assert {context.model_for(other) for other in ROLES if other != role} == {"openai:a"}


def test_paper_runs_as_many_passes_as_are_set() -> None:
    assert AnalysisContext().passes == (3, 3, 3)
    assert AnalysisContext(perception_passes=2, consolidation_passes=1, scans=0).passes == (2, 1, 0)


@pytest.mark.parametrize("schedule", ["lean", "direct"])
def test_the_cheap_schedules_run_one_pass_of_each(schedule: str) -> None:
    assert AnalysisContext.model_validate({"schedule": schedule}).passes == (1, 1, 1)
    assert AnalysisContext.model_validate({"schedule": schedule, "scans": 0}).passes == (1, 1, 0)


def test_unknown_and_impossible_options_are_refused() -> None:
    for options in ({"modell": "x"}, {"perception_passes": 0}, {"scans": -1}, {"schedule": "quick"}):
        with pytest.raises(ValidationError):
            AnalysisContext.model_validate(options)
