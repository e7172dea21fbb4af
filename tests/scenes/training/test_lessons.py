"""Lessons: valid replies, true to the scene, free of hints."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.prompts import TEMPLATES, anomaly_formatter, anomaly_integrator
from anomagent.scenes.catalogue import ANOMALIES, COLOUR_NAMES
from anomagent.scenes.compose import compose
from anomagent.scenes.training import facts
from anomagent.scenes.training.case import Case, Lesson, render_answer
from anomagent.scenes.training.curriculum import lessons_about
from anomagent.scenes.training.image_lessons import PER_IMAGE, format_anomalies, list_objects, pool_candidates
from anomagent.scenes.training.object_lessons import PER_OBJECT
from anomagent.scenes.training.upstream import Listed, names_by_id, perception
from anomagent.state.naming import unique_names

few = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 10**9)


def all_lessons(seed: int) -> list[Lesson]:
    case = Case.of(compose(seed), Random(seed))
    of_objects = [teach(case, entry) for entry in case.listed for teach in PER_OBJECT]
    return [teach(case) for teach in PER_IMAGE] + of_objects


@few
@given(seeds)
def test_every_answer_is_the_reply_that_the_prompt_asks_for(seed: int) -> None:
    for lesson in all_lessons(seed):
        reply = lesson.prompt.reply.model_validate_json(lesson.answer)
        assert render_answer(reply) == lesson.answer


def test_every_step_of_every_role_is_taught() -> None:
    taught = {(lesson.prompt.role, lesson.prompt.step) for lesson in all_lessons(1)}
    assert taught == {(template.role, template.step) for template in TEMPLATES}


@few
@given(seeds)
def test_the_curriculum_asks_nothing_twice(seed: int) -> None:
    chosen = [lesson.prompt.text for lesson in lessons_about(compose(seed), Random(seed))]
    assert len(chosen) == len(set(chosen))


@few
@given(seeds)
def test_names_given_by_code_are_the_names_of_the_scene(seed: int) -> None:
    scene = compose(seed)
    listed = perception(scene, Random(seed), trouble=0.0)
    assert names_by_id(listed) == {item.id: item.name for item in scene.objects}


@few
@given(seeds)
def test_the_perceiver_answers_plain_nouns(seed: int) -> None:
    scene = compose(seed)
    reply = json.loads(list_objects(Case.of(scene, Random(seed))).answer)
    named = unique_names(reply["objects"])
    assert [entry["name"] for entry in named] == [item.name for item in scene.objects]


@few
@given(seeds)
def test_descriptions_give_no_anomaly_away(seed: int) -> None:
    for item in compose(seed).objects:
        said = facts.describe(item)
        assert said.split(", ")[0] in COLOUR_NAMES
        assert "in the air" not in said
        assert "on the car" not in said


@few
@given(seeds)
def test_the_formatter_covers_or_drops_every_candidate_once(seed: int) -> None:
    lesson = format_anomalies(Case.of(compose(seed), Random(seed)))
    report = anomaly_formatter.FinalReport.model_validate_json(lesson.answer)
    settled = [number for found in report.anomalies for number in found.covers]
    settled += [dropped.candidate for dropped in report.dropped]
    listed = lesson.prompt.text.split("Candidates:\n")[1].splitlines()
    assert sorted(settled) == list(range(1, 1 + len([line for line in listed if line != "none"])))


@few
@given(seeds)
def test_the_integrator_answers_what_the_image_shows_whatever_was_reported(seed: int) -> None:
    scene = compose(seed)
    case = Case.of(scene, Random(seed))
    pooled = anomaly_integrator.Candidates.model_validate_json(pool_candidates(case).answer)
    phrases = {kind.phrase: kind.id for kind in ANOMALIES}
    assert [phrases[found.phenomenon] for found in pooled.candidates] == [anomaly for _, anomaly in scene.anomalies]


@pytest.mark.parametrize("teach", PER_OBJECT)
def test_an_imagined_object_has_no_issue(teach: object) -> None:
    scene = compose(3)
    imagined = Listed({"name": "umbrella", "description": "red, left"}, None)
    case = Case(scene, [imagined, *perception(scene, Random(3), trouble=0.0)], Random(3))
    answer = json.loads(teach(case, imagined).answer)  # type: ignore[operator]
    assert answer.get("issues", []) == []
    assert answer.get("report", []) == []
    assert answer.get("observations", [facts.NOT_VISIBLE]) == [facts.NOT_VISIBLE]


def test_observations_count_the_parts() -> None:
    cases = {"two_heads": "two heads, two legs", "extra_arm": "three arms", "missing_leg": "three legs"}
    seen: dict[str, set[str]] = {}
    for seed in range(400):
        for item in compose(seed, 2).objects:
            for anomaly in item.anomalies:
                seen.setdefault(anomaly, set()).update(facts.attribute_observations(item))
    for anomaly, observation in cases.items():
        assert observation in seen[anomaly]
