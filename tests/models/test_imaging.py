"""Images as models get them: upright RGB, nothing clipped, no larger than allowed, the same bytes each time."""

from __future__ import annotations

import asyncio
import base64
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anomagent.errors import UsageError
from anomagent.models import imaging
from anomagent.models.imaging import DataUrls, encode, load_rgb

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_stands_upright(orientation: int, tmp_path: Path) -> None:
    """The picture is red with a green upper left corner; it is stored turned, as cameras do."""
    upright = Image.new("RGB", (40, 20), RED)
    upright.paste(GREEN, (0, 0, 10, 10))
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(orientation)
    stored = upright if turn is None else upright.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)

    loaded = load_rgb(tmp_path / "a.png", 10**6)

    assert loaded.size == (40, 20)
    assert (loaded.getpixel((2, 2)), loaded.getpixel((38, 2)), loaded.getpixel((2, 18))) == (GREEN, RED, RED)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_do_not_cost_the_image(tmp_path: Path) -> None:
    Image.new("RGB", (9, 8), RED).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12")

    assert load_rgb(tmp_path / "a.jpg", 10**6).size == (9, 8)


def _grey(mode: str, values: list[float], path: Path) -> list[int]:
    image = Image.new(mode, (len(values), 1))
    for place, value in enumerate(values):
        image.putpixel((place, 0), value if mode == "F" else int(value))
    image.save(path)
    pixels = load_rgb(path, 10**6)
    return [pixels.getpixel((place, 0))[0] for place in range(len(values))]  # type: ignore[index]


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("I;16", [0, 257, 32896, 65535], [0, 1, 128, 255]),
        ("I", [0, 100, 255], [0, 100, 255]),
        ("I", [0, 32896, 65535], [0, 128, 255]),
        ("I", [0, 2**20], [0, 255]),
        ("F", [0, 0.5, 1], [0, 128, 255]),
        ("F", [0, 100, 255], [0, 100, 255]),
        ("F", [-5, 0, 1e9], [0, 0, 255]),
        ("L", [0, 100, 255], [0, 100, 255]),
        ("1", [0, 1], [0, 255]),
    ],
    ids=str,
)
def test_deep_grey_is_scaled_and_not_clipped(
    mode: str, values: list[float], expected: list[int], tmp_path: Path
) -> None:
    found = _grey(mode, values, tmp_path / "a.tif")

    assert all(abs(a - b) <= 1 for a, b in zip(found, expected, strict=True)), found


def test_grey_png_of_16_bits(tmp_path: Path) -> None:
    assert _grey("I;16", [0, 32896, 65535], tmp_path / "a.png") == [0, 128, 255]


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([*RED, *GREEN])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.png", transparency=0)
    palette.save(tmp_path / "alphas.png", transparency=bytes([0, 255]))
    Image.new("RGBA", (2, 1), (255, 0, 0, 0)).save(tmp_path / "rgba.png")
    Image.new("LA", (2, 1), (0, 0)).save(tmp_path / "la.png")
    Image.new("RGB", (2, 1), RED).save(tmp_path / "rgb.png", transparency=RED)

    for name in ("p", "alphas", "rgba", "la", "rgb"):
        assert load_rgb(tmp_path / f"{name}.png", 100).getpixel((0, 0)) == WHITE, name
    assert load_rgb(tmp_path / "alphas.png", 100).getpixel((1, 0)) == GREEN


@pytest.mark.parametrize(("mode", "kind"), [("CMYK", "jpg"), ("CMYK", "tif"), ("LAB", "tif"), ("YCbCr", "jpg")])
def test_other_colour_spaces_are_converted(mode: str, kind: str, tmp_path: Path) -> None:
    colour: Any = {"CMYK": (0, 0, 0, 0), "LAB": (255, 128, 128), "YCbCr": (255, 128, 128)}[mode]
    Image.new(mode, (8, 8), colour).save(tmp_path / f"a.{kind}")

    loaded = load_rgb(tmp_path / f"a.{kind}", 100)

    assert loaded.mode == "RGB"
    assert all(value >= 250 for value in loaded.getpixel((4, 4)))  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tif"])
def test_of_several_frames_the_first_counts(kind: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN)]
    options = {"lossless": True} if kind == "webp" else {}
    frames[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=frames[1:], **options)

    assert load_rgb(tmp_path / f"a.{kind}", 100).getpixel((4, 4)) == RED


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 900), st.integers(1, 900), st.integers(784, 200_000))
def test_an_image_is_never_larger_than_allowed_and_keeps_its_shape(width: int, height: int, most: int) -> None:
    scaled = imaging._scaled_down(Image.new("L", (width, height)), most)  # pyright: ignore[reportPrivateUsage]

    assert scaled.width * scaled.height <= most
    assert scaled.width >= 1
    assert scaled.height >= 1
    if width * height <= most:
        assert scaled.size == (width, height)
    elif min(scaled.size) > 10:
        assert scaled.width / scaled.height == pytest.approx(width / height, rel=0.1)


def test_a_line_is_no_larger_than_allowed(tmp_path: Path) -> None:
    for size in ((100_000, 1), (1, 100_000)):
        Image.new("L", size).save(tmp_path / "a.png")
        loaded = load_rgb(tmp_path / "a.png", 784)
        assert 1 <= loaded.width * loaded.height <= 784


def _png(width: int, height: int) -> bytes:
    """A black PNG, one bit a pixel, without drawing it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_large_image_that_the_workspace_accepts_is_no_bomb(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_png(10_000, 9_900))

    loaded = load_rgb(tmp_path / "a.png", 784)

    assert loaded.width * loaded.height <= 784


@pytest.mark.parametrize(
    "size", [(100, 100), (512, 512), (600, 600), (70_000, 10)], ids=["small", "at the bound", "large", "long"]
)
def test_equal_images_have_equal_bytes(size: tuple[int, int]) -> None:
    image = Image.linear_gradient("L").resize(size).convert("RGB")

    mime, content = encode(image)

    assert encode(image.copy()) == (mime, content)
    assert mime == ("image/jpeg" if size == (600, 600) else "image/png")
    assert Image.open(io.BytesIO(content)).size == size


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "text": lambda _: b"no image",
    "garbled": lambda data: bytes(255 - byte for byte in data),
    "postscript": lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "tif", "webp", "bmp"])
def test_what_cannot_be_read_is_said_in_one_line(kind: str, damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    Image.effect_noise((64, 64), 50).convert("RGB").save(path)
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(UsageError) as caught:
        load_rgb(path, 100)
    assert str(caught.value).startswith(f"{path}: not a readable image (")
    assert "\n" not in str(caught.value)


async def test_many_calls_about_an_image_encode_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    load = imaging.load_rgb
    monkeypatch.setattr(imaging, "load_rgb", lambda path, most: loads.append(path) or load(path, most))
    Image.new("RGB", (8, 8), RED).save(tmp_path / "a.png")
    urls, path = DataUrls(size=2), str(tmp_path / "a.png")

    found = await asyncio.gather(*(urls.get(path, "a", 100) for _ in range(9)))

    assert (len(set(found)), len(loads)) == (1, 1)
    head, _, body = found[0].partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(body))).getpixel((0, 0)) == RED
    for sha256 in ("b", "c", "a"):
        await urls.get(path, sha256, 100)
    assert len(loads) == 4, "the oldest of three was dropped"


async def test_an_image_that_comes_back_is_read_again(tmp_path: Path) -> None:
    urls, path = DataUrls(), tmp_path / "a.png"
    for _ in range(2):
        with pytest.raises(UsageError, match="there is no such image"):
            await urls.get(str(path), "a", 100)
    Image.new("RGB", (8, 8), RED).save(path)

    assert (await urls.get(str(path), "a", 100)).startswith("data:image/png")
