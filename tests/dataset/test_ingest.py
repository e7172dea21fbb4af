from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from anomagent.benchmark.boxes import ObjectBox
from anomagent.benchmark.items import Item, gather
from anomagent.dataset import ingest as module
from anomagent.dataset.ingest import Ingested, ingest, result_of
from anomagent.dataset.rules import Rules
from anomagent.errors import UsageError
from anomagent.store import Workspace, ingest_image
from anomagent.store.images import Shelf
from anomagent.store.selections import kept_images
from anomagent.store.sources import read_left_out, read_sources
from anomagent.store.steps import dataset_step, read_steps

ALL = Rules(min_pixels=0, max_aspect=1000)
TABLES = ("images", "image_names", "sources", "left_out", "selections", "image_scores", "object_boxes")


def draw(path: Path, shade: int, size: tuple[int, int] = (8, 6), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 9, 9)).save(path, **options)  # type: ignore[arg-type]
    return path


def take(workspace: Workspace, items: Iterable[Item], rules: Rules = ALL, source: str | None = None) -> Ingested:
    with dataset_step(workspace, "ingest", {}) as step:
        return ingest(workspace, step, list(items), rules, source)


def left_out(workspace: Workspace) -> dict[str, str]:
    """Of the last step, by base name."""
    return {Path(file.name).name: file.reason for file in read_left_out(workspace, read_steps(workspace)[-1]["id"])}


def rows(workspace: Workspace) -> dict[str, int]:
    with workspace.reading() as connection:
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def test_images_are_copied_and_known_with_what_a_manifest_says(workspace: Workspace, tmp_path: Path) -> None:
    original = draw(tmp_path / "in" / "a.png", 1)
    draw(tmp_path / "in" / "b.png", 2)
    before = (original.read_bytes(), original.stat().st_mtime_ns)
    said = {"image": "a.png", "prompt": "A cat", "generator": "flux", "id": "7", "boxes": {"cat": [0, 0, 4, 6]}}
    (tmp_path / "in" / "list.jsonl").write_text(f'{json.dumps(said)}\n{{"image": "b.png"}}\n')
    told = take(workspace, gather([tmp_path / "in" / "list.jsonl"]), source="the rest")
    assert (told.files, told.new, told.known, told.left_out) == (2, 2, 0, Counter())
    assert (original.read_bytes(), original.stat().st_mtime_ns) == before
    sources = {Path(source.name).name: source for source in read_sources(workspace)}
    assert sources["a.png"][2:] == (str(original), "A cat", "flux", "7")
    assert sources["b.png"][2:] == (str(tmp_path / "in" / "b.png"), None, "the rest", None)
    copies = {image.names: image.path.read_bytes() for image in kept_images(workspace)}
    assert copies[(str(original),)] == original.read_bytes()
    with workspace.reading() as connection:
        boxes = connection.execute("SELECT sha256, object, x0, y0, x1, y1 FROM object_boxes").fetchall()
    assert boxes == [(sources["a.png"].sha256, "cat", 0, 0, 4, 6)]


def test_again_changes_nothing(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for shade in range(5):
        draw(tmp_path / "in" / f"{shade}.png", shade, exif=camera())
    items = [Item(item.path, prompt="P", boxes=(ObjectBox("cat", 0, 0, 4, 6),)) for item in gather(["in"])]
    take(workspace, items)
    before = rows(workspace)
    assert (before["images"], before["sources"], before["object_boxes"], before["image_scores"]) == (5, 5, 5, 15)
    monkeypatch.setattr(module, "examine", lambda *_: pytest.fail("was decoded again"))
    told = take(workspace, items)
    assert (told.new, told.known) == (0, 5)
    # However a path is spelled it is one file, and what is not said leaves what was said.
    take(workspace, gather([tmp_path / "in" / ".." / "in"]))
    assert rows(workspace) == before
    assert {source.prompt for source in read_sources(workspace)} == {"P"}


def test_equal_content_is_one_image_of_two_names(workspace: Workspace, tmp_path: Path) -> None:
    draw(tmp_path / "a" / "1.png", 1), draw(tmp_path / "b" / "1.png", 1)
    told = take(workspace, gather([tmp_path]))
    assert (told.files, told.new, told.known) == (2, 1, 1)
    (image,) = kept_images(workspace)
    assert [Path(name).parent.name for name in image.names] == ["a", "b"]


def test_what_is_no_good_is_left_out_with_the_reason(workspace: Workspace, tmp_path: Path) -> None:
    draw(tmp_path / "good.png", 1, (40, 40))
    draw(tmp_path / "small.png", 2, (20, 20))
    draw(tmp_path / "long.png", 3, (400, 30))
    frames = [Image.new("RGB", (40, 40), (n * 80, 0, 0)) for n in range(3)]
    frames[0].save(tmp_path / "moves.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    whole = draw(tmp_path / "cut.png", 4, (40, 40)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:-30])
    (tmp_path / "link.png").symlink_to("nowhere")
    told = take(workspace, gather([tmp_path]), Rules())
    assert left_out(workspace) == {
        "small.png": "too_small",
        "long.png": "elongated",
        "moves.gif": "animated",
        "text.png": "damaged",
        "empty.png": "damaged",
        "cut.png": "damaged",
        "link.png": "missing",
    }
    assert (told.files, told.new, told.broken) == (8, 1, 4)
    assert read_steps(workspace)[-1]["result"] == result_of(told)
    assert rows(workspace)["selections"] == 0


def test_limits_are_not_passed_by_a_pixel() -> None:
    picture = module.examine(png(32, 32), "a")
    assert Rules(min_pixels=1024).broken_by(picture) is None
    assert Rules(min_pixels=1025).broken_by(picture) is not None
    assert Rules(0, max_aspect=2).broken_by(module.examine(png(8, 4), "a")) is None
    assert Rules(0, max_aspect=1.9).broken_by(module.examine(png(4, 8), "a")) is not None


def png(width: int, height: int) -> bytes:
    data = io.BytesIO()
    Image.new("L", (width, height)).save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize("rules", [{"min_pixels": -1}, {"max_aspect": 0.5}, {"max_aspect": float("nan")}], ids=str)
def test_rules_without_sense(rules: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Rules(**rules)  # type: ignore[arg-type]


def test_animated_images_can_be_allowed(workspace: Workspace, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 40), (n * 80, 0, 0)) for n in range(3)]
    frames[0].save(tmp_path / "moves.gif", save_all=True, append_images=frames[1:])
    assert take(workspace, gather([tmp_path]), Rules(allow_animated=True)).new == 1


def test_other_rules_later_drop_and_bring_back(workspace: Workspace, tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1, (20, 20)), draw(tmp_path / "b.png", 2, (40, 40))
    ingest_image(workspace, tmp_path / "a.png")
    ingest_image(workspace, tmp_path / "b.png")
    for _ in range(2):
        take(workspace, gather([tmp_path]), Rules())
        assert [image.width for image in kept_images(workspace)] == [40]
        assert rows(workspace)["selections"] == 1
    take(workspace, gather([tmp_path]), ALL)
    assert len(list(kept_images(workspace))) == 2


def camera() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = 6, "Leica", "M3\0"
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (48.0, 8.0, 0.0)}
    return exif


def test_exif_is_noted(workspace: Workspace, tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg", 1, exif=camera()), draw(tmp_path / "b.jpg", 2)
    told = take(workspace, gather([tmp_path]))
    assert (told.turned, told.cameras, told.positions) == (1, 1, 1)
    with workspace.reading() as connection:
        found = set(connection.execute("SELECT score, subject, value FROM image_scores WHERE model = 'exif'"))
    assert found == {("exif_orientation", "", 6), ("exif_camera", "Leica M3", 1), ("exif_position", "", 1)}
    assert {(image.width, image.height) for image in kept_images(workspace)} == {(6, 8), (8, 6)}


def test_boxes_beyond_the_edge_are_told_and_not_taken(workspace: Workspace, tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1), draw(tmp_path / "b.png", 2)
    inside, outside = ObjectBox("cat", 0, 0, 8.5, 6), ObjectBox("dog", 0, 0, 8, 7.5)
    told = take(
        workspace,
        [Item(str(tmp_path / "a.png"), boxes=(inside,)), Item(str(tmp_path / "b.png"), boxes=(inside, outside))],
    )
    assert told.boxes_outside == [str(tmp_path / "b.png")]
    assert rows(workspace)["object_boxes"] == 1


def test_broken_off_it_goes_on(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    for shade in range(7):
        draw(tmp_path / f"{shade}.png", shade)
    items = gather([tmp_path])

    def stop(done: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), dataset_step(workspace, "ingest", {}) as step:
        ingest(workspace, step, items, ALL, progress=stop)
    assert rows(workspace)["images"] == 4
    assert read_steps(workspace)[-1]["finished"] is None
    told = take(workspace, items)
    assert (told.new, told.known, rows(workspace)["images"], rows(workspace)["sources"]) == (3, 4, 7, 7)


def test_a_copy_that_was_lost_is_made_again(workspace: Workspace, tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1)
    take(workspace, gather([tmp_path]))
    (image,) = kept_images(workspace)
    for damage in (b"", None):
        image.path.unlink() if damage is None else image.path.write_bytes(damage)
        take(workspace, gather([tmp_path]))
        assert image.path.read_bytes() == (tmp_path / "a.png").read_bytes()


def test_names_that_are_no_text(workspace: Workspace, tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1).rename(tmp_path / "a\udcff\n.png")
    (tmp_path / "b\udcff.png").write_text("x")
    told = take(workspace, gather([tmp_path]))
    assert (told.new, told.broken) == (1, 1)
    assert next(kept_images(workspace)).names[0].endswith("a\ufffdff\n.png")
    assert take(workspace, gather([tmp_path])).known == 1


def test_what_killed_processes_left_is_removed_and_nothing_else(workspace: Workspace, tmp_path: Path) -> None:
    old, young = workspace.images / "ab" / ".1.tmp", workspace.images / "ab" / ".2.tmp"
    old.parent.mkdir()
    old.touch(), young.touch()
    os.utime(old, (0, 0))
    draw(tmp_path / "a.png", 1)
    take(workspace, gather([tmp_path / "a.png"]))
    assert (old.exists(), young.exists()) == (False, True)


def test_what_is_known_of_an_image_counts_while_its_copy_is_whole(workspace: Workspace, tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1)
    take(workspace, gather([tmp_path]))
    (image,) = kept_images(workspace)
    with closing(Shelf(workspace)) as shelf:
        assert shelf.find(image.sha256)
        image.path.write_bytes(image.path.read_bytes()[:-1])
        assert shelf.find(image.sha256) is None
