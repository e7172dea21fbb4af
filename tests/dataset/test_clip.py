"""Our way through CLIP against CLIP itself, called as its authors do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomagent.dataset.clip import Clip
from anomagent.errors import ConfigurationError
from tests.dataset.clip_model import make_clip

torch = pytest.importorskip("torch")

TEXTS = ["a cat", "A photograph of two dogs, one of them asleep", "x"]
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures that CLIP was trained on."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny-clip"
    make_clip(path)
    return path


@pytest.fixture(scope="module")
def clip(folder: Path) -> Clip:
    return Clip(str(folder), "cpu")


def pictures() -> list[Image.Image]:
    chance = np.random.default_rng(5)
    sizes = [(40, 64), (64, 40), (32, 32), (97, 33)]
    return [Image.fromarray(chance.integers(0, 256, (high, wide, 3), dtype=np.uint8)) for wide, high in sizes]


def by_hand(image: Image.Image) -> Any:
    """The shorter side to 32 by bicubic, the middle square, colours to mean 0 and deviation 1."""
    wide, high = image.size
    ratio = 32 / min(wide, high)
    scaled = image.resize((int(wide * ratio), int(high * ratio)), Image.Resampling.BICUBIC)
    left, top = (scaled.width - 32) // 2, (scaled.height - 32) // 2
    pixels = np.asarray(scaled.crop((left, top, left + 32, top + 32)), np.float64) / 255
    return ((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)


def test_pictures_are_prepared_as_the_paper_says(clip: Clip) -> None:
    for image in pictures():
        assert np.allclose(clip.prepare(image), by_hand(image), atol=1e-5)


def test_cosines_are_those_of_the_whole_model(folder: Path, clip: Clip) -> None:
    import transformers

    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    pixels = torch.from_numpy(np.stack([by_hand(image) for image in pictures()])).float()
    with torch.inference_mode():
        logits = model(**tokens, pixel_values=pixels).logits_per_image.numpy()
    images = clip.embed_images([clip.prepare(image) for image in pictures()])
    ours = images @ clip.embed_texts(TEXTS).T * clip.temperature
    assert np.allclose(ours, logits, atol=1e-3)
    assert np.ptp(ours) > 1  # the model does tell them apart


def test_others_in_the_batch_do_not_matter(clip: Clip) -> None:
    prepared = [clip.prepare(image) for image in pictures()]
    together = clip.embed_images(prepared)
    alone = np.concatenate([clip.embed_images([one]) for one in prepared])
    assert np.allclose(together, alone, atol=1e-5)
    said = np.concatenate([clip.embed_texts([text]) for text in TEXTS])
    assert np.allclose(clip.embed_texts(TEXTS), said, atol=1e-5)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_long_texts_are_cut_and_long_pictures_too(clip: Clip) -> None:
    cut = "b " * 75  # a letter is a token, and there are a first and a last one
    assert np.allclose(clip.embed_texts([cut + "c " * 500]), clip.embed_texts([cut]), atol=1e-5)
    stripe = Image.new("RGB", (200_000, 3), "red")
    assert np.allclose(clip.prepare(stripe), clip.prepare(Image.new("RGB", (40, 40), "red")), atol=1e-5)


def test_identity_is_content_alone(folder: Path, clip: Clip, tmp_path: Path) -> None:
    copy = tmp_path / "called-otherwise"
    shutil.copytree(folder, copy)
    assert Clip(str(copy), "cpu").identity == clip.identity
    make_clip(copy, seed=1)
    assert Clip(str(copy), "cpu").identity != clip.identity


@pytest.mark.parametrize("damage", ["model.safetensors", "config.json", "preprocessor_config.json", "cut", "other"])
def test_a_model_that_cannot_be_used_is_one_line(folder: Path, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "clip"
    shutil.copytree(folder, copy)
    match damage:
        case "cut":
            weights = copy / "model.safetensors"
            weights.write_bytes(weights.read_bytes()[:1000])
        case "other":
            (copy / "config.json").write_text('{"model_type": "bert"}')
        case _:
            (copy / damage).unlink()
    with pytest.raises(ConfigurationError, match="cannot be used") as raised:
        Clip(str(copy), "cpu")
    assert "\n" not in str(raised.value)


def test_no_such_directory_or_device(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such directory"):
        Clip("./nowhere")
    with pytest.raises(ConfigurationError, match="device warp cannot be used"):
        Clip(str(folder), "warp")
