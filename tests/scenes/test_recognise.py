"""Rendered scenes are recognised after the usual mishandling, and foreign images are refused."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from anomagent.scenes import compose
from anomagent.scenes.draw import draw
from anomagent.scenes.palette import BACKDROPS
from anomagent.scenes.recognise import BACKDROP_TOLERANCE, looks_like_scene, recognise

SCENES = [draw(compose(seed), 252) for seed in range(200)]


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The image after a round trip through JPEG."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


def noisy(image: Image.Image) -> Image.Image:
    """The image with Gaussian noise of 8 grey levels."""
    noise = np.random.default_rng(0).normal(0, 8, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def resized(size: int) -> Callable[[Image.Image], Image.Image]:
    """A function that resizes to a square."""
    return lambda image: image.resize((size, size), Image.Resampling.BICUBIC)


MISHANDLED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "untouched": lambda image: image,
    "128 pixels": resized(128),
    "128 pixels, JPEG 70": lambda image: as_jpeg(resized(128)(image), 70),
    "1024 pixels": resized(1024),
    "JPEG 70": lambda image: as_jpeg(image, 70),
    "noise": noisy,
    "RGBA": lambda image: image.convert("RGBA"),
    "palette": lambda image: image.quantize(64),
}


@pytest.mark.parametrize("mishandle", MISHANDLED.values(), ids=MISHANDLED.keys())
def test_rendered_scenes_are_accepted(mishandle: Callable[[Image.Image], Image.Image]) -> None:
    scenes = SCENES if mishandle is not MISHANDLED["1024 pixels"] else SCENES[::4]
    assert [recognise(mishandle(scene)).reason for scene in scenes] == [""] * len(scenes)


def flat(colour: tuple[int, int, int]) -> Image.Image:
    """A frame of one colour."""
    return Image.new("RGB", (256, 256), colour)


def gradient() -> Image.Image:
    """A vertical gradient from a sky to a ground colour of ours."""
    upper, lower = (np.array(colour, dtype=float) for colour in BACKDROPS["outdoor"][0])
    weight = np.linspace(0, 1, 256)[:, None, None]
    return Image.fromarray(np.broadcast_to(upper * (1 - weight) + lower * weight, (256, 256, 3)).astype(np.uint8))


def static() -> Image.Image:
    """Uniform noise."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8))


def photograph() -> Image.Image:
    """A landscape with the texture and uneven light of a photograph, in our colours of sky and ground."""
    upper, lower = BACKDROPS["outdoor"][0]
    image = flat(upper)
    image.paste(lower, (0, 140, 256, 256))
    clouds = static().resize((12, 12)).resize((256, 256), Image.Resampling.BICUBIC)
    return Image.blend(image, clouds, 0.35).filter(ImageFilter.GaussianBlur(2))


def clip_art() -> Image.Image:
    """A ball of our colours, cut out on white."""
    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).ellipse((60, 90, 200, 200), fill=(240, 124, 25), outline="black", width=3)
    return image


def screenshot() -> Image.Image:
    """A window with a title bar and lines of text."""
    image = Image.new("RGB", (256, 256), (246, 246, 246))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 256, 24), fill=(60, 64, 72))
    for row in range(40, 240, 14):
        pen.line((16, row, 40 + (row * 53) % 190, row), fill=(40, 40, 40), width=5)
    return image


def banner() -> Image.Image:
    """Two flat bands of foreign colours with a ball."""
    image = flat((250, 120, 90))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 142, 256, 256), fill=(40, 60, 120))
    pen.ellipse((100, 140, 160, 200), fill=(214, 40, 40))
    return image


def empty_backdrop() -> Image.Image:
    """One of our backdrops with nothing in front of it."""
    upper, lower = BACKDROPS["outdoor"][1]
    image = flat(upper)
    image.paste(lower, (0, 142, 256, 256))
    return image


FOREIGN: dict[str, Image.Image] = {
    "black": flat((0, 0, 0)),
    "white": flat((255, 255, 255)),
    "grey": flat((128, 128, 128)),
    "sky of ours": flat(BACKDROPS["outdoor"][0].upper),
    "gradient": gradient(),
    "noise": static(),
    "photograph": photograph(),
    "clip art": clip_art(),
    "screenshot": screenshot(),
    "banner": banner(),
    "empty backdrop": empty_backdrop(),
    "upside down scene": SCENES[0].transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "turned scene": SCENES[0].transpose(Image.Transpose.ROTATE_90),
    "cropped scene": SCENES[0].crop((0, 0, 200, 200)),
    "stretched scene": SCENES[0].resize((640, 480)),
    "negative": Image.fromarray(255 - np.asarray(SCENES[0])),
    "tiny scene": SCENES[0].resize((32, 32)),
    "greyscale scene": SCENES[0].convert("L"),
    "mosaic": Image.fromarray(np.tile(np.asarray(SCENES[0].resize((128, 128))), (2, 2, 1))),
}


def test_no_backdrop_is_grey() -> None:
    for backdrop in (pair for pairs in BACKDROPS.values() for pair in pairs):
        assert all(max(colour) - min(colour) > 2 * BACKDROP_TOLERANCE for colour in backdrop)


@pytest.mark.parametrize("image", FOREIGN.values(), ids=FOREIGN.keys())
def test_foreign_images_are_refused_with_a_reason(image: Image.Image) -> None:
    assert not looks_like_scene(image)
    assert recognise(image).reason
