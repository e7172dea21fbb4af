"""Which lessons are given about one image: all steps, the lean schedule's most often, anomalies before normality."""

from collections.abc import Callable
from random import Random
from typing import Final

from anomagent.scenes.catalogue import Agent
from anomagent.scenes.compose import Scene
from anomagent.scenes.training import image_lessons, object_lessons
from anomagent.scenes.training.case import Case, Lesson
from anomagent.scenes.training.upstream import Listed

_PER_IMAGE: Final = (
    (image_lessons.scan_scene, 0.8),
    (image_lessons.pool_candidates, 0.55),
    (image_lessons.format_anomalies, 0.45),
    (image_lessons.detect_anomalies, 0.35),
    (image_lessons.list_objects, 0.8),
    (image_lessons.merge_objects, 0.15),
)
_PER_OBJECT: Final[tuple[tuple[Callable[[Case, Listed], Lesson], Agent, float], ...]] = (
    (object_lessons.analyze_attributes, "attribute", 1.5),
    (object_lessons.reason_relations, "relation", 1.3),
    (object_lessons.examine_attributes, "attribute", 0.25),
    (object_lessons.list_attributes, "attribute", 0.35),
    (object_lessons.judge_relations, "relation", 0.25),
    (object_lessons.verify_relations, "relation", 0.35),
    (object_lessons.consolidate_object, "attribute", 0.3),
)
"""The lesson, whose anomalies are preferred, and how many objects of an image get it on average."""

_PREFER_ANOMALOUS: Final = 0.8


def lessons_about(scene: Scene, rng: Random) -> list[Lesson]:
    """A random selection of lessons in random order, no prompt twice."""
    case = Case.of(scene, rng)
    chosen = [teach(case) for teach, share in _PER_IMAGE if rng.random() < share]
    for teach, agent, number in _PER_OBJECT:
        count = int(number) + (rng.random() < number % 1)
        chosen += [teach(case, entry) for entry in _some_objects(case, agent, count)]
    rng.shuffle(chosen)
    return list({lesson.prompt.text: lesson for lesson in chosen}.values())


def _some_objects(case: Case, agent: Agent, count: int) -> list[Listed]:
    """Different objects; one with an anomaly for that agent comes first in most cases where there is one."""
    entries = case.rng.sample(case.listed, len(case.listed))
    if case.rng.random() < _PREFER_ANOMALOUS:
        entries.sort(key=lambda entry: not case.true_claims(entry, agent))
    return entries[:count]
