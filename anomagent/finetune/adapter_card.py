"""The page that goes with an adapter: what it is, how to use it, what it was trained on, and how well it did."""

import json
from typing import Any

from anomagent.finetune.config import EMBEDDED, TrainConfig, as_toml
from anomagent.finetune.serving.commands import RANKS

_CARD = """\
---
base_model: {base_yaml}
library_name: peft
pipeline_tag: image-text-to-text
tags: [lora, semantic-anomalies, anomagent]
---

# LoRA adapter for semantic anomalies in images

A LoRA adapter for `{base}` (revision `{revision}`),
trained with `anomagent finetune train`. It lists the semantic anomalies of an image: name, observed phenomenon,
reasoning and severity, where severity is realism, from 0 (completely implausible) to 100 (fully realistic).

## Use

In process, with the pixel bounds that lie beside the adapter (`preprocessor_config.json`):

    anomagent predict images/ --model {model} --adapter ADAPTER

Served by vLLM; the pixel bounds must be given there, since a server does not read them from an adapter:

    vllm serve {served_base} --enable-lora --max-lora-rank {served_rank} \\
      --lora-modules anomreasonor=ADAPTER --limit-mm-per-prompt '{{"image":1}}' \\
      --mm-processor-kwargs '{served_bounds}'

`anomagent finetune check` shows whether a server applies the adapter and the same bounds.

## Training

| | |
| --- | --- |
| instances | {instances:,} about {images:,} images |
| tokens | {tokens:,}, of them {learned:,} learned (answers alone); the longest instance has {longest:,} |
| trained parameters | {trainable:,} of {parameters:,}, in {modules} modules |
| vision tower | frozen; its weights have the same SHA-256 before and after |
| updates | {steps:,}, each of {update} instances, on {processes} process(es) |
| pixel bounds | {bounds} |
| software | {software} |
| code | {git} |
| data | {data} |

## Results

{results}

## Limits

It was trained on the kinds of images and anomalies of its data, and errs on others: measure it on your own with
`anomagent evaluate` before you rely on it. The licences of the base model and of the data apply.

## Configuration

```toml
{config}```
"""


def adapter_card(config: TrainConfig, record: dict[str, Any]) -> str:
    """The card of a finished run, from its configuration and its record."""
    bounds, training, base = record["pixel_bounds"], config.training, record["base"]["name"]
    packages: dict[str, str] = record["packages"]
    return _CARD.format(
        base=base,
        base_yaml=json.dumps(base),
        revision=record["base"]["revision"],
        model=model_name(base),
        served_rank=next((rank for rank in RANKS if rank >= config.lora.rank), RANKS[-1]),
        served_base="anomagent/models/embedded_weights" if base == EMBEDDED else base,
        served_bounds=json.dumps(bounds),
        instances=record["instances"],
        images=record["images"],
        tokens=record["tokens"]["all"],
        learned=record["tokens"]["learned"],
        longest=record["tokens"]["longest"],
        trainable=record["trainable_parameters"],
        parameters=record["parameters"],
        modules=len(record["lora_modules"]),
        steps=record["steps_done"],
        update=training.batch * training.accumulation * record["processes"],
        processes=record["processes"],
        bounds=", ".join(f"{name} {value:,}" for name, value in bounds.items()),
        software=", ".join(f"{name} {number}" for name, number in packages.items()),
        git=record["git"] or "an installed package",
        data=", ".join(f"`{digest[:16]}`" for digest in record["data"]["files"].values()) + " (SHA-256)",
        results=_results(record["metrics"]),
        config=as_toml(config),
    )


def model_name(base: str) -> str:
    """The base as `--model` takes it."""
    return EMBEDDED if base == EMBEDDED else f"qwen-vl:{base}"


_TOLD = ("loss", "semf1", "precision", "recall", "unreadable")


def _results(metrics: dict[str, float]) -> str:
    told = {name: value for name, value in metrics.items() if name.endswith(_TOLD)}
    lines = ["| measure | value |", "| --- | --- |", *(f"| {name} | {value:.4f} |" for name, value in told.items())]
    if not any(name.startswith("eval_") for name in told):
        lines += ["", "No evaluation data was given (`data.eval`): nothing is known of how well it does on new images."]
    return "\n".join(lines)
