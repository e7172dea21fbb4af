"""The model card states what was measured."""

from anomagent.scenes.training.card import render_card

FIGURES = {"present": 4, "precision": 0.912, "recall": 0.834, "f1": 0.871}
PARTS = ("objects", "anomalies", "whole_image_scan", "per_object", "image_swapped", "image_grey")
RESULTS = {
    "recipe": {"scenes": 48_000, "vision_minutes": 14.0, "task_batch": 16, "seed": 7},
    "first_training_seed": 10_000_000,
    "task_steps": 3000,
    "task_minutes_spent": 62.0,
    "parameters": 4_700_000,
    "scores": {
        "scenes": 300,
        "first_seed": 2_000_000,
        "kinds": {"two_tails": FIGURES},
        "false_alarms": 2,
        "clean_scenes": 80,
        "failures": 0,
        "calls": 3300,
        **dict.fromkeys(PARTS, FIGURES),
    },
}


def test_the_figures_are_in_the_card() -> None:
    card = render_card(RESULTS)
    assert "| two tails | 4 | 0.912 | 0.834 | 0.871 |" in card
    assert "| control: another scene's image | 0.912 | 0.834 | 0.871 |" in card
    assert "False alarms on 2 of 80 clean scenes. 0 of 3300 calls failed." in card
    assert "4.7 million parameters" in card


def test_the_card_says_what_the_model_cannot_do() -> None:
    assert "It knows rendered scenes and nothing else." in render_card(RESULTS)


def test_remarks_are_part_of_the_card() -> None:
    assert "Trained in two sittings." in render_card(RESULTS | {"remarks": ["Trained in two sittings."]})
