"""Every prompt as the models read it. The golden files are what a change of wording is reviewed by."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomagent.prompts import ASSESSORS, PREDICTORS, SYSTEM, TEMPLATES, Template
from anomagent.prompts.anomaly_reporter import render_report
from anomagent.prompts.deepfake_detector import ELSE, render_decide, render_explain
from tests.golden import assert_golden
from tests.prompts.examples import ASSESSMENTS, CASES, PREDICTIONS, Case

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("case", [*CASES, *ASSESSMENTS, *PREDICTIONS], ids=lambda case: case.id)
def test_prompt(case: Case) -> None:
    assert_golden(GOLDEN / f"{case.id}.txt", case.prompt.text + "\n")


def test_system_text() -> None:
    assert_golden(GOLDEN / "system.txt", SYSTEM + "\n")


@pytest.mark.parametrize("template", ASSESSORS, ids=lambda template: template.role)
def test_system_text_of_an_assessor(template: Template) -> None:
    assert_golden(GOLDEN / f"{template.role}.system.txt", template.system + "\n")


def test_assessors_are_not_told_that_they_look_at_an_image() -> None:
    assert all(case.prompt.system == template.system for template in ASSESSORS for case in _cases_of(template))
    assert all("You do not see the images." in template.system for template in ASSESSORS)


def _cases_of(template: Template) -> list[Case]:
    cases = [case for case in ASSESSMENTS if case.prompt.role == template.role]
    assert cases
    return cases


def test_all_prompts_of_agents_share_the_system_text_so_that_servers_cache_it_together_with_the_image() -> None:
    assert {case.prompt.system for case in CASES} == {SYSTEM}


def test_every_template_has_a_golden_file_and_every_golden_file_a_prompt() -> None:
    assert {(case.prompt.role, case.prompt.step) for case in CASES} == {(t.role, t.step) for t in TEMPLATES}
    assert {(case.prompt.role, case.prompt.step) for case in ASSESSMENTS} == {(t.role, t.step) for t in ASSESSORS}
    assert {(case.prompt.role, case.prompt.step) for case in PREDICTIONS} == {(t.role, t.step) for t in PREDICTORS}
    systems = {"system", *(f"{template.role}.system" for template in ASSESSORS)}
    assert {path.stem for path in GOLDEN.iterdir()} == {
        case.id for case in (*CASES, *ASSESSMENTS, *PREDICTIONS)
    } | systems


@pytest.mark.parametrize("case", [*CASES, *ASSESSMENTS, *PREDICTIONS], ids=lambda case: case.id)
def test_prompts_are_tidy(case: Case) -> None:
    lines = case.prompt.text.split("\n")
    assert not [line for line in lines if line != line.rstrip()]
    assert "{{" not in case.prompt.text
    assert "{%" not in case.prompt.text


def test_the_second_turn_of_a_detection_follows_the_answer_to_the_first() -> None:
    first, second = render_decide(), render_explain("Yes.")
    assert (second.text, second.system, second.role) == (first.text, first.system, first.role)
    said, asked = second.further
    assert (said.speaker, said.text, asked.speaker) == ("assistant", "Yes.", "user")
    assert asked.text == f"{render_report().text}\n{ELSE}"
