from __future__ import annotations

import json
from pathlib import Path

from anomagent.benchmark.items import gather
from anomagent.scenes import compose
from anomagent.scenes.catalogue import ODD_COLOURS
from anomagent.scenes.manifest import caption_of
from anomagent.scenes.render import render


def test_a_caption_says_what_was_asked_for() -> None:
    assert caption_of(compose(1)) == (
        "A simple drawing of an indoor scene with a white cat on the floor and a brown table on the floor."
    )


def test_a_caption_tells_nothing_of_what_was_planted() -> None:
    odd = {(colour, kind) for kind, colours in ODD_COLOURS.items() for colour in colours}
    for seed in range(300):
        caption = caption_of(compose(seed))
        assert "in the air" not in caption
        assert "on the car" not in caption
        assert not any(f"{colour} {kind}" in caption for colour, kind in odd)


def test_the_manifest_can_be_taken_in(tmp_path: Path) -> None:
    render(3, 5, tmp_path / "out", size=100)
    records = json.loads((tmp_path / "out" / "scenes.json").read_text())
    items = gather([tmp_path / "out" / "manifest.jsonl"])
    assert [item.id for item in items] == ["scene-5", "scene-6", "scene-7"]
    for item in items:
        said = {name["name"]: name["box"] for name in records[Path(item.path).name]["objects"]}
        assert {box.object: list(box[1:]) for box in item.boxes} == said
        assert (item.source, Path(item.path).exists()) == ("scenes", True)


def test_rendering_again_replaces_the_manifest(tmp_path: Path) -> None:
    render(3, 5, tmp_path, size=64)
    render(1, 9, tmp_path, size=64)
    assert len((tmp_path / "manifest.jsonl").read_text().splitlines()) == 1
