import hashlib
import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from anomagent.errors import StoreError, UsageError
from anomagent.state.findings import ImageRef
from anomagent.store import Workspace, images, ingest_image
from anomagent.store.images import label_of


def encoded(format: str, mode: str = "RGB", size: tuple[int, int] = (6, 4), **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, 1).save(buffer, format, **options)
    return buffer.getvalue()


def noise(format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("RGB", (64, 64), bytes(n * n % 251 for n in range(64 * 64 * 3))).save(buffer, format, **options)
    return buffer.getvalue()


def rotated(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


def animated(format: str, frames: int = 3) -> bytes:
    buffer = io.BytesIO()
    first, *rest = (Image.new("RGB", (6, 4), (n * 80, 0, 0)) for n in range(frames))
    first.save(buffer, format, save_all=True, append_images=rest, duration=40)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and has no pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@dataclass(frozen=True)
class Good:
    id: str
    data: bytes
    extension: str
    size: tuple[int, int] = (6, 4)
    frames: int = 1


GOOD = [
    Good("PNG", encoded("PNG"), "png"),
    Good("PNG with alpha", encoded("PNG", "RGBA"), "png"),
    Good("PNG with a palette and transparency", encoded("PNG", "P", transparency=b"\x00\x80"), "png"),
    Good("16-bit grey PNG", encoded("PNG", "I;16"), "png"),
    Good("black and white PNG", encoded("PNG", "1"), "png"),
    Good("16-bit grey TIFF", encoded("TIFF", "I;16"), "tif"),
    Good("floating-point TIFF", encoded("TIFF", "F"), "tif"),
    Good("rotated TIFF", encoded("TIFF", exif=rotated(6)), "tif", size=(4, 6)),
    Good("JPEG", encoded("JPEG"), "jpg"),
    Good("CMYK JPEG", encoded("JPEG", "CMYK"), "jpg"),
    Good("grey JPEG", encoded("JPEG", "L"), "jpg"),
    Good("JPEG upside down", encoded("JPEG", exif=rotated(3)), "jpg"),
    Good("JPEG on its side", encoded("JPEG", exif=rotated(6)), "jpg", size=(4, 6)),
    Good("JPEG mirrored on its side", encoded("JPEG", exif=rotated(5)), "jpg", size=(4, 6)),
    Good("JPEG with damaged EXIF", encoded("JPEG", exif=b"Exif\x00\x00garbage" * 3), "jpg"),
    Good("JPEG of a camera with a preview", animated("MPO", 2), "jpg", frames=2),
    Good("WebP", encoded("WEBP"), "webp"),
    Good("BMP", encoded("BMP"), "bmp"),
    Good("PPM", encoded("PPM"), "ppm"),
    Good("animated GIF", animated("GIF"), "gif", frames=3),
    Good("animated WebP", animated("WEBP"), "webp", frames=3),
    Good("one pixel", encoded("PNG", size=(1, 1)), "png", size=(1, 1)),
]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.id)
def test_every_common_kind_of_image_is_taken_in(workspace: Workspace, tmp_path: Path, case: Good) -> None:
    source = tmp_path / "image.dat"
    source.write_bytes(case.data)

    image = ingest_image(workspace, source)

    sha256 = hashlib.sha256(case.data).hexdigest()
    copy = workspace.images / sha256[:2] / f"{sha256}.{case.extension}"
    assert image == ImageRef(sha256=sha256, path=str(copy), width=case.size[0], height=case.size[1])
    assert copy.read_bytes() == case.data
    with workspace.reading() as connection:
        row = connection.execute("SELECT width, height, frames, bytes, path FROM images").fetchone()
    assert row == (*case.size, case.frames, len(case.data), f"images/{sha256[:2]}/{sha256}.{case.extension}")


@dataclass(frozen=True)
class Bad:
    id: str
    data: bytes
    message: str
    name: str = field(default="picture.png")


BAD = [
    Bad("text called .png", b"just some notes", "not a readable image (none of JPEG, PNG"),
    Bad("empty", b"", "not a readable image (empty file)"),
    Bad("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a readable image"),
    Bad("PostScript, which needs a foreign program", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "none of"),
    Bad("cut-off PNG", noise("PNG")[:-2000], "not a readable image ("),
    Bad("cut-off JPEG", noise("JPEG")[:-1000], "not a readable image (image file is truncated"),
    Bad("cut-off WebP", noise("WEBP", lossless=True)[:-1000], "not a readable image ("),
    Bad("cut-off TIFF", noise("TIFF")[:-1000], "not a readable image ("),
    Bad("only the beginning of a PNG", encoded("PNG")[:20], "not a readable image ("),
    Bad("a PNG without pixels", png_header(8, 8), "not a readable image ("),
    Bad("damaged PNG", noise("PNG").replace(b"IDAT", b"IDAX"), "not a readable image ("),
    Bad("huge PNG", png_header(60_000, 60_000), "60,000 x 60,000 pixels, the limit is 100 megapixels; scale it down"),
    Bad("just too large", png_header(10_001, 10_000), "10,001 x 10,000 pixels, the limit is 100 megapixels"),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.id)
def test_what_is_no_usable_image_is_refused(workspace: Workspace, tmp_path: Path, case: Bad) -> None:
    source = tmp_path / case.name
    source.write_bytes(case.data)

    with pytest.raises(UsageError) as caught:
        ingest_image(workspace, source)

    assert case.message in str(caught.value)
    assert str(caught.value).startswith(str(source))
    assert "\n" not in str(caught.value)
    assert list(workspace.images.iterdir()) == []
    with workspace.reading() as connection:
        assert connection.execute("SELECT * FROM images").fetchall() == []


@dataclass(frozen=True)
class Place:
    id: str
    make: Callable[[Path], object]
    message: str


PLACES = [
    Place("missing", lambda path: None, "no such file"),
    Place("folder", lambda path: path.mkdir(), "is a folder"),
    Place("pipe", lambda path: os.mkfifo(path), "is not a regular file"),
    Place("loop of links", lambda path: path.symlink_to(path), "cannot be read"),
    Place("dangling link", lambda path: path.symlink_to("nowhere"), "no such file"),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.id)
def test_what_is_no_file_is_refused(workspace: Workspace, tmp_path: Path, place: Place) -> None:
    place.make(tmp_path / "x")

    with pytest.raises(UsageError, match=place.message):
        ingest_image(workspace, tmp_path / "x")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(encoded("PNG"))
    (tmp_path / "x").chmod(0)

    with pytest.raises(UsageError, match="no permission"):
        ingest_image(workspace, tmp_path / "x")


def test_a_path_that_no_file_system_takes_is_refused(workspace: Workspace) -> None:
    for path in ("a\0b", "x" * 5000):
        with pytest.raises(UsageError, match="cannot be read"):
            ingest_image(workspace, path)


def test_a_large_file_is_refused_without_reading_it(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(images.MOST_BYTES + 1)  # a hole: it takes no room
    monkeypatch.setattr("builtins.open", lambda *_: pytest.fail("was opened"))

    with pytest.raises(UsageError, match="200 MB, the limit is 200 MB; save it smaller"):
        ingest_image(workspace, tmp_path / "large.png")


def test_equal_bytes_are_one_image_under_many_names(workspace: Workspace, tmp_path: Path) -> None:
    data, names = encoded("PNG"), ["a/1.png", "b/1.png"]
    for name in names:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(data)

    first, second, again = (ingest_image(workspace, tmp_path / name) for name in (*names, names[0]))

    assert first == second == again == ingest_image(workspace, data, name="from memory")
    assert len([path for path in workspace.images.rglob("*") if path.is_file()]) == 1
    with workspace.reading() as connection:
        stored = [name for (name,) in connection.execute("SELECT name FROM image_names ORDER BY rowid")]
    assert stored == [*(str(tmp_path / name) for name in names), "from memory"]


def test_equal_stems_are_different_images(workspace: Workspace) -> None:
    one = ingest_image(workspace, encoded("PNG"), name="a/1.png")
    other = ingest_image(workspace, encoded("PNG", "L"), name="b/1.png")

    assert one["path"] != other["path"]


@pytest.mark.parametrize("name", ["../../escape.png", "/etc/passwd", "..", "a;DROP TABLE images", "x\ud83d.png"])
def test_a_name_is_only_a_label(workspace: Workspace, name: str) -> None:
    image = ingest_image(workspace, encoded("PNG"), name=name)

    assert Path(image["path"]).parent.parent == workspace.images
    with workspace.reading() as connection:
        assert connection.execute("SELECT name FROM image_names").fetchall() == [(name.replace("\ud83d", "?"),)]


def test_a_file_name_that_is_not_text(workspace: Workspace, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(path)).write_bytes(encoded("PNG"))

    assert ingest_image(workspace, os.fsdecode(path))["width"] == 6


def test_a_damaged_copy_is_written_anew(workspace: Workspace) -> None:
    data = encoded("PNG")
    path = Path(ingest_image(workspace, data)["path"])
    path.write_bytes(data[:10])

    ingest_image(workspace, data)

    assert path.read_bytes() == data


def test_a_disk_that_fills_up_leaves_no_half_image(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(StoreError, match="disk full; free space and run again"):
        ingest_image(workspace, encoded("PNG"))

    assert [path for path in workspace.images.rglob("*") if path.is_file()] == []


def test_names_that_differ_in_bytes_that_are_no_text_differ() -> None:
    labels = [label_of(os.fsdecode(name)) for name in (b"in/a\xff.png", b"in/a\xfe.png", "in/ä.png".encode())]
    assert labels == ["in/a\ufffdff.png", "in/a\ufffdfe.png", "in/ä.png"]
    assert label_of("a\ud800.png") == "a?.png", "half a pair is no byte"
