"""A rendered folder holds images and annotations that agree."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from anomagent.errors import UsageError
from anomagent.scenes import ANOMALY_BY_ID, compose
from anomagent.scenes.render import render


def test_annotations_round_trip(tmp_path: Path) -> None:
    rendered = render(12, 40, tmp_path / "scenes", size=100)
    annotations = json.loads((tmp_path / "scenes" / "annotations.json").read_text())
    records = json.loads((tmp_path / "scenes" / "scenes.json").read_text())
    images = {path.name: path for path in (tmp_path / "scenes" / "images").iterdir()}
    assert set(annotations) == set(records) == set(images) == {f"scene-{seed}.png" for seed in range(40, 52)}
    assert rendered.images == 12
    assert rendered.anomalies == sum(map(len, annotations.values()))
    assert rendered.clean == sum(not found for found in annotations.values())
    for seed in range(40, 52):
        scene, name = compose(seed), f"scene-{seed}.png"
        with Image.open(images[name]) as image:
            assert image.size == (100, 100)
        planted = [ANOMALY_BY_ID[anomaly] for _, anomaly in scene.anomalies]
        assert [found["Name"] for found in annotations[name]] == [kind.title for kind in planted]
        assert [found["Severity Score"] for found in annotations[name]] == [f"{kind.severity}/100" for kind in planted]
        assert all(set(found) == FIELDS for found in annotations[name])
        assert [(found["object"], found["kind"]) for found in records[name]["anomalies"]] == scene.anomalies
        assert [item["name"] for item in records[name]["objects"]] == [item.name for item in scene.objects]
        assert all(0 <= value <= 100 for item in records[name]["objects"] for value in item["box"])


FIELDS = {"Name", "Observed Phenomenon", "Reasoning", "Severity Score"}


def test_rendering_again_replaces_our_own_folder(tmp_path: Path) -> None:
    render(5, 0, tmp_path, size=64)
    render(2, 90, tmp_path, size=64)
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["scene-90.png", "scene-91.png"]


@pytest.mark.parametrize("foreign", ["notes.txt", "images/holiday.png", "annotations.json", "manifest.jsonl"])
def test_a_folder_with_other_files_is_refused(tmp_path: Path, foreign: str) -> None:
    (tmp_path / foreign).parent.mkdir(exist_ok=True)
    (tmp_path / foreign).write_text("mine")
    with pytest.raises(UsageError, match=re.escape(foreign)):
        render(1, 0, tmp_path, size=64)
    assert (tmp_path / foreign).read_text() == "mine"


def test_overwriting_keeps_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    render(1, 0, tmp_path, size=64, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "annotations.json").exists()


@pytest.mark.parametrize(("count", "size", "anomalies"), [(0, 64, None), (1, 10, None), (1, 64, 4)])
def test_a_bad_request_is_refused_before_anything_is_written(
    tmp_path: Path, count: int, size: int, anomalies: int | None
) -> None:
    with pytest.raises(UsageError):
        render(count, 0, tmp_path / "scenes", size=size, anomalies=anomalies)
    assert not (tmp_path / "scenes").exists()


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scenes").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        render(1, 0, tmp_path / "scenes", size=64)


def test_a_full_disk_is_one_clear_error_and_leaves_no_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[object] = []

    def save(self: Image.Image, target: object, **options: object) -> None:
        saved.append(target)
        if len(saved) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        Path(str(target)).write_bytes(b"png")

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(UsageError, match="No space left on device"):
        render(5, 0, tmp_path, size=64)
    assert not (tmp_path / "annotations.json").exists()


def test_progress_counts_finished_scenes(tmp_path: Path) -> None:
    seen: list[int] = []
    render(3, 0, tmp_path, size=64, progress=seen.append)
    assert seen == [1, 2, 3]


def test_the_number_of_anomalies_can_be_fixed(tmp_path: Path) -> None:
    rendered = render(4, 0, tmp_path, size=64, anomalies=2)
    assert (rendered.anomalies, rendered.clean) == (8, 0)


def test_overwriting_spares_what_is_not_ours(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("photo.png", "scene-99.png"):
        (images / name).write_text("mine")
    render(2, 1, tmp_path, overwrite=True)
    render(1, 5, tmp_path, overwrite=True)
    assert sorted(path.name for path in images.iterdir()) == ["photo.png", "scene-5.png", "scene-99.png"]
    assert (images / "scene-99.png").read_text() == "mine"
