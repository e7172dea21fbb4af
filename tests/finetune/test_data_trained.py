"""What is made is what training takes: the same tokens, of which it learns the answers."""

from __future__ import annotations

import json
from pathlib import Path

from anomagent.finetune.data_check import Limits, all_measured, measure_rows
from anomagent.finetune.examples import read_rows
from anomagent.finetune.instances import read_instances
from tests.finetune.material import annotated, counter, entry, make


def test_training_counts_the_same_tokens(tmp_path: Path) -> None:
    said = {f"{number}.png": [entry(f"thing {place}") for place in range(number)] for number in range(6)}
    real = annotated(tmp_path, {"r.png": "A street\nwith two trees."}, "real")
    for recipe in ("single", "two-turn"):
        out = tmp_path / recipe
        report = make(out, annotated(tmp_path, said), real=real, recipe=recipe, max_tokens=600)
        rows = read_rows([out / "train.jsonl"])
        measured = all_measured(rows, measure_rows(rows, counter().inputs, Limits(600)))
        tokens = report["parts"]["train"]["tokens"]
        assert sum(one.tokens for one in measured) == tokens["sum"]
        assert max(one.tokens for one in measured) == tokens["most"] <= 600
        assert sum(one.cells for one in measured) == tokens["of_images"]
        assert len(rows) == len(list(read_instances(out / "train.jsonl"))) == report["parts"]["train"]["instances"]
    assert json.loads((out / "data.json").read_text())["settings"]["recipe"] == "two-turn"
