"""The gallery: rendered once, resumed where it stopped, and as the processor would show it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from anomagent.scenes.compose import compose
from anomagent.scenes.draw import draw
from anomagent.scenes.training import gallery
from anomagent.scenes.training.architecture import IMAGE_SIDE, image_processor, new_model
from anomagent.scenes.training.gallery import open_gallery, picture, training_scene
from anomagent.scenes.training.packed import PackedModel


def test_a_picture_is_what_the_processor_makes_of_the_drawing() -> None:
    scene = compose(11)
    expected = image_processor()(images=[draw(scene)], return_tensors="pt")["pixel_values"]
    packed = PackedModel(new_model(20))
    patches = packed.patches(torch.from_numpy(np.array(picture(scene)))[None])[0]
    # The processor repeats the image in time, which the model's forward pass folds into its weights.
    halves = expected.view(len(patches), 3, 2, -1)
    assert torch.allclose(halves[:, :, 0].reshape(len(patches), -1), patches, atol=1e-5)
    assert torch.equal(halves[:, :, 0], halves[:, :, 1])


@pytest.mark.parametrize("sides", [range(160, 1200)])
def test_square_images_of_every_size_become_the_same_grid(sides: range) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    size = image_processor().size
    for side in sides:
        resized = smart_resize(side, side, factor=28, min_pixels=size["shortest_edge"], max_pixels=size["longest_edge"])
        assert resized == (IMAGE_SIDE, IMAGE_SIDE), side


def test_an_interrupted_gallery_is_finished_and_the_rest_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "_CHUNK", 2)
    whole = open_gallery(tmp_path, 5, processes=1)
    assert np.array_equal(whole.images[4], picture(training_scene(4)))
    whole.images[0], whole.images[4] = 1, 2
    (tmp_path / "rendered-5.json").write_text(json.dumps([0, 2]))
    again = open_gallery(tmp_path, 5, processes=1)
    assert (again.images[0] == 1).all()
    assert np.array_equal(again.images[4], picture(training_scene(4)))


def test_every_other_training_scene_has_an_anomaly() -> None:
    assert all(training_scene(index).anomalies for index in range(0, 40, 2))
    assert not all(training_scene(index).anomalies for index in range(1, 41, 2))
