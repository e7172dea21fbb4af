"""The model card, written from the measured results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomagent.scenes.catalogue import ANOMALY_BY_ID, KINDS

_TEMPLATE = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
---
# The embedded model of anomagent

A Qwen2.5-VL (`Qwen2_5_VLForConditionalGeneration`) of {parameters:.1f} million parameters, trained from scratch by
`python -m anomagent.scenes.training` on the project's own rendered scenes. It plays every role of the pipeline for the
demo, the tests and the benchmark, on a CPU, without a key and without a network.

It knows rendered scenes and nothing else. On a photograph or a generated image its answers mean nothing.

## Training

| | |
|---|---|
| data | {scenes} rendered scenes (seeds from {first_training_seed}), drawn at 504 x 504, seen at 168 x 168 pixels |
| vision stage | {vision_minutes:g} minutes: what stands in each of the image's 36 cells, and what is wrong with it |
| task stage | {task_minutes:g} minutes, {task_steps} steps of {task_batch} images, about 6 prompts each, all roles |
| seed | {seed} |
| hardware | two CPU cores |

In about a third of the training prompts that quote earlier findings, some of these are lost or made up, so that the
answer has to come from the image. The constant lines of the prompts and the catalogue's sentences are one token each:
weights, tokenizer and prompts fit each other and nothing else.
{remarks}
## Results on {held_out} held-out scenes (seeds from {first_seed} on), the whole graph, lean schedule, greedy

| | precision | recall | F1 |
|---|---|---|---|
{overall}

False alarms on {false_alarms} of {clean_scenes} clean scenes. {failures} of {calls} calls failed.

The last two rows are controls: what was found in each scene held against what is planted in the next one, and what the
model says of a grey image held against all. A model that looks at its image fails both.

| anomaly | present | precision | recall | F1 |
|---|---|---|---|---|
{kinds}

## Limits

- Objects: {objects}. Anomalies: those of the table.
- Square images, drawn by `anomagent scenes render`, of any size; stretched or cropped ones are read badly.
- Fixed wording: an edited prompt costs accuracy, a changed role needs another training.
"""


def write_card(results: Mapping[str, Any], folder: Path) -> None:
    """Write MODEL_CARD.md beside the weights."""
    (folder / "MODEL_CARD.md").write_text(render_card(results), encoding="utf-8")


def render_card(results: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    recipe, scores = results["recipe"], results["scores"]
    rows = {
        "objects": "objects",
        "anomalies": "anomalies",
        "whole_image_scan": "anomalies, one scan of the whole image alone",
        "per_object": "anomalies, the agents for single objects alone",
        "image_swapped": "control: another scene's image",
        "image_grey": "control: a grey image",
    }
    return _TEMPLATE.format(
        remarks="".join(f"\n{remark}\n" for remark in results.get("remarks", ())),
        parameters=results["parameters"] / 1e6,
        scenes=recipe["scenes"],
        first_training_seed=results["first_training_seed"],
        vision_minutes=recipe["vision_minutes"],
        task_minutes=results["task_minutes_spent"],
        task_steps=results["task_steps"],
        task_batch=recipe["task_batch"],
        seed=recipe["seed"],
        held_out=scores["scenes"],
        first_seed=scores["first_seed"],
        overall="\n".join(f"| {title} | {_figures(scores[key])} |" for key, title in rows.items()),
        kinds="\n".join(
            f"| {ANOMALY_BY_ID[kind].title} | {figures['present']} | {_figures(figures)} |"
            for kind, figures in scores["kinds"].items()
        ),
        false_alarms=scores["false_alarms"],
        clean_scenes=scores["clean_scenes"],
        failures=scores["failures"],
        calls=scores["calls"],
        objects=", ".join(KINDS),
    )


def _figures(tally: Mapping[str, float]) -> str:
    return " | ".join(f"{tally[name]:.3f}" for name in ("precision", "recall", "f1"))
