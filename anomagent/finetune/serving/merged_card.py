"""The README of a merged model."""

import json
from typing import Any

from anomagent.finetune.serving.adapters import Adapter
from anomagent.finetune.serving.bases import Base
from anomagent.finetune.serving.bounds import Bounds
from anomagent.finetune.serving.commands import merged_command, served_name
from anomagent.finetune.serving.parity import figure


def merged_card(base: Base, adapter: Adapter, bounds: Bounds, report: dict[str, Any]) -> str:
    """What was merged, how it compares, how it is used; `report` is that of parity.json."""
    name, config = served_name(adapter), adapter.config
    verdict = "passed" if report["ok"] else f"FAILED: {report['reason']}"
    answers = "equal" if report["tokens_equal"] else "not all equal"
    training = "How it was trained: `ADAPTER.md`. " if (adapter.directory / "README.md").is_file() else ""
    return f"""\
---
base_model: {json.dumps(base.name)}
library_name: transformers
pipeline_tag: image-text-to-text
---

# {name}, merged

A LoRA adapter (rank {adapter.rank}, alpha {config.alpha:g}, {adapter.parameters:,} trained parameters in \
{len(adapter.modules)} modules) merged into {base.name}.

Comparison with base and adapter: {verdict}.

The largest difference of a logit is {figure(report["max_difference"])}; the largest logit is
{figure(report["largest_logit"])}, the adapter changes {figure(report["adapter_effect"])}. Greedy answers
are {answers}. `parity.json` has every probe.

It was trained on images of {bounds}; the image processor here keeps to that.

    {merged_command(".", name, bounds)}
    anomagent predict IMAGES --model qwen-vl:.

{training}The license is the base's.
"""
