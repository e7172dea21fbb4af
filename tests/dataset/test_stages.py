"""What each agent said, cut out of an analysis."""

from typing import get_args

import pytest

from anomagent.dataset.stages import Stage, stage_of
from anomagent.store import AnalysisResult
from tests.store.helpers import result

WHOLE = result("a" * 64)


@pytest.mark.parametrize("stage", sorted({*get_args(Stage)} - {"attributes", "relations"}))
def test_a_stage_is_the_list_of_that_name(stage: Stage) -> None:
    assert stage in AnalysisResult.__annotations__
    assert stage_of(WHOLE, stage) == WHOLE[stage]  # type: ignore[literal-required]


def test_what_was_said_of_each_object() -> None:
    issue = {"name": "floating", "issue": "it floats", "explanation": "gravity"}
    assert stage_of(WHOLE, "attributes") == [
        {
            "object": "chair",
            "observations": ["no legs"],
            "issues": [issue | {"objects": ["chair"], "source": "attributes"}],
        }
    ]
    assert stage_of(WHOLE, "relations") == [
        {
            "object": "chair",
            "observations": [],
            "issues": [issue | {"objects": ["chair", "floor"], "source": "relations"}],
        }
    ]
