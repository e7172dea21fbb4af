from __future__ import annotations

import json
from pathlib import Path

from anomagent.config import Settings
from anomagent.scenes.bench import Tally, bench
from anomagent.scenes.compose import compose


def test_a_tally_counts_over_scenes() -> None:
    # Scene 1: one right, one invented, one missed. Scene 2: nothing present, nothing claimed.
    tally = Tally.of([{("a", "x"), ("a", "y")}, set()], [{("a", "x"), ("b", "x")}, set()])
    assert tally == Tally(right=1, claimed=2, present=2)
    assert tally.as_dict() == {"present": 2, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert Tally.of([set()], [set()]).as_dict() == {"present": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0}


async def test_a_blind_model_scores_what_its_script_deserves(tmp_path: Path) -> None:
    """It names one object of the first scene whatever it is shown, and nothing else."""
    first = compose(2_000_000).objects[0]
    script = tmp_path / "script.json"
    seen = {"objects": [{"name": first.name, "description": ""}]}
    script.write_text(json.dumps({"rules": [{"role": "ObjectPerceiver", "says": [{"reply": seen}]}]}))
    done: list[int] = []
    figures = await bench(
        Settings(model=f"fake:{script}", schedule="lean", workspace=tmp_path / "w"), 3, progress=done.append
    )
    scenes = [compose(2_000_000 + number) for number in range(3)]
    hits = sum(any(item.name == first.name for item in scene.objects) for scene in scenes)
    assert figures["objects"]["precision"] == round(hits / 3, 3)
    assert figures["objects"]["present"] == sum(len(scene.objects) for scene in scenes)
    assert figures["anomalies"] == figures["image_swapped"] == figures["image_grey"]
    assert figures["anomalies"]["recall"] == figures["false_alarms"] == 0
    assert figures["status"] == {"ok": 3, "partial": 0, "failed": 0}
    assert sorted(done) == [1, 2, 3]
