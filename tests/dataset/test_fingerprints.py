"""Fingerprints: what they survive, what they tell apart, and what they refuse."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from anomagent.dataset.fingerprints import (
    FLAT,
    METHOD,
    as_numbers,
    fingerprint,
    fingerprint_file,
    fingerprint_files,
    measure_fingerprints,
)
from anomagent.errors import UsageError
from anomagent.store import Workspace
from anomagent.store.fingerprints import find_unmeasured, read_fingerprints
from tests.dataset.near import add_picture, encoded, lose_file, scenery


def bits_apart(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def as_jpeg(picture: Image.Image) -> Image.Image:
    return Image.open(BytesIO(encoded(picture, "JPEG", quality=60)))


def cropped(picture: Image.Image) -> Image.Image:
    """1 % of each side cut off."""
    width, height = picture.size
    return picture.crop((width // 100, height // 100, width - width // 100, height - height // 100))


@pytest.mark.parametrize(
    ("change", "most"),
    [
        (lambda picture: picture.resize((96, 96)), 2),
        (lambda picture: picture.resize((700, 700)), 2),
        (as_jpeg, 4),
        (lambda picture: picture.convert("L"), 0),
        (lambda picture: ImageEnhance.Brightness(picture).enhance(0.9), 4),
        (lambda picture: ImageEnhance.Contrast(picture).enhance(0.8), 4),
        (lambda picture: picture.filter(ImageFilter.GaussianBlur(2)), 4),
        (cropped, 6),
    ],
    ids=["smaller", "larger", "jpeg", "grey", "darker", "paler", "blurred", "cropped"],
)
def test_light_changes_stay_near(change: Callable[[Image.Image], Image.Image], most: int) -> None:
    for seed in range(12):
        picture = scenery(seed)
        assert bits_apart(fingerprint(picture), fingerprint(change(picture))) <= most


def test_other_pictures_are_far() -> None:
    found = [fingerprint(scenery(seed)) for seed in range(40)]
    assert min(bits_apart(a, b) for place, a in enumerate(found) for b in found[:place]) > 12


def test_half_of_the_bits_are_set() -> None:
    # Each bit says whether a coefficient is above the median of 64 different ones: 32 are.
    assert all(int.from_bytes(fingerprint(scenery(seed))).bit_count() == 32 for seed in range(8))


def test_a_wave_by_hand() -> None:
    # cos(pi * (x + 1/2) / 32), left to right, is exactly the coefficient of row 0, column 1. Waves are listed by the
    # sum of row and column, then by row: (0, 1) is the first after the constant one, so the first bit is set.
    columns = 127.5 + 120 * np.cos(np.pi * (np.arange(32) + 0.5) / 32)
    picture = Image.fromarray(np.tile(columns.round().astype(np.uint8), (32, 1)))
    assert fingerprint(picture)[0] & 0b1000_0000
    upside = Image.fromarray(255 - np.asarray(picture))
    assert not fingerprint(upside)[0] & 0b1000_0000


@pytest.mark.parametrize("picture", [Image.new("RGB", (9, 9), "red"), Image.new("L", (500, 3))])
def test_a_picture_of_one_colour_has_none(picture: Image.Image) -> None:
    assert fingerprint(picture) == FLAT


def test_a_file_is_looked_at_upright(tmp_path: Path) -> None:
    picture, turned = scenery(1), scenery(1).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    for name in ("a.jpg", "a.png"):
        turned.save(tmp_path / name, exif=exif)
        assert bits_apart(fingerprint_file(tmp_path / name), fingerprint(picture)) <= 2


def test_a_large_jpeg_is_decoded_small(tmp_path: Path) -> None:
    scenery(3, 1600).save(tmp_path / "a.jpg", quality=90)
    assert bits_apart(fingerprint_file(tmp_path / "a.jpg"), fingerprint(scenery(3))) <= 2


def test_transparency_is_white(tmp_path: Path) -> None:
    mask = scenery(5).convert("L")
    clear = Image.merge("LA", (Image.new("L", mask.size), mask))
    clear.save(tmp_path / "a.png")
    assert bits_apart(fingerprint_file(tmp_path / "a.png"), fingerprint(mask.point(lambda value: 255 - value))) <= 2


@pytest.mark.parametrize("content", [b"", b"no picture", encoded(scenery(1))[:3000], encoded(scenery(1), "JPEG")[:600]])
def test_what_is_no_picture_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UsageError, match="not a readable image"):
        fingerprint_file(tmp_path / "a.png")


def test_a_huge_picture_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "a.ppm").write_bytes(b"P6 20000 20000 255\n")
    with pytest.raises(UsageError, match=r"20,000 x 20,000 pixels are too many"):
        fingerprint_file(tmp_path / "a.ppm")


def test_many_files_keep_their_order_and_their_reasons(tmp_path: Path) -> None:
    for seed in range(5):
        scenery(seed).save(tmp_path / f"{seed}.png")
    files = [(str(seed), tmp_path / f"{seed}.png") for seed in (3, 9, 1)]
    ((third, missing, first),) = fingerprint_files(files, threads=2)
    assert (third.key, third.value) == ("3", fingerprint_file(tmp_path / "3.png"))
    assert (missing.value, missing.problem.endswith("convert it or leave it out")) == (None, True)
    assert first.key == "1"


def test_each_content_is_measured_once(workspace: Workspace) -> None:
    good, lost = (add_picture(workspace, f"{seed}.png", scenery(seed)) for seed in (1, 2))
    lose_file(workspace, lost)
    told: list[tuple[int, int]] = []

    assert measure_fingerprints(workspace, lambda *numbers: told.append(numbers)).keys() == {lost}
    assert told == [(2, 2)]
    assert read_fingerprints(workspace, METHOD) == {good: fingerprint(scenery(1))}
    assert [sha256 for sha256, _ in find_unmeasured(workspace, METHOD)] == [lost]


def test_numbers() -> None:
    assert as_numbers([bytes(7) + b"\x01", b"\x80" + bytes(7)]).tolist() == [1, 2**63]
    assert as_numbers([]).tolist() == []
