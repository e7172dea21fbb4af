from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anomagent.errors import UsageError
from anomagent.review import images
from anomagent.review.images import show_image
from anomagent.store import Workspace, ingest_image
from tests.review.conftest import Browser, picture


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "empty")


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (picture(), "image/png"),
        (picture(format="JPEG"), "image/jpeg"),
        (picture(format="JPEG", exif=_exif(1)), "image/jpeg"),
        (picture(format="WEBP"), "image/webp"),
        (picture(format="GIF"), "image/gif"),
    ],
    ids=["png", "jpeg", "upright jpeg", "webp", "gif"],
)
def test_what_browsers_show_is_shown_as_it_is(data: bytes, mime: str, empty: Workspace) -> None:
    ref = ingest_image(empty, data, "a")

    assert show_image(empty, ref["sha256"]) == (mime, data)


def _animated() -> bytes:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (picture(format="TIFF"), (64, 48)),
        (picture(format="BMP"), (64, 48)),
        (picture(format="JPEG", mode="CMYK"), (64, 48)),
        (picture(format="JPEG", exif=_exif(6)), (48, 64)),
        (picture(format="PNG", exif=_exif(8)), (48, 64)),
        (picture("#8000", mode="RGBA", format="TIFF"), (64, 48)),
        (picture("#8000", mode="RGBA"), (64, 48)),
        (_animated(), (64, 48)),
    ],
    ids=["tiff", "bmp", "cmyk", "turned jpeg", "turned png", "see-through tiff", "see-through png", "animated"],
)
def test_the_rest_becomes_an_upright_png(data: bytes, size: tuple[int, int], empty: Workspace) -> None:
    ref = ingest_image(empty, data, "a")

    shown = show_image(empty, ref["sha256"])

    with Image.open(io.BytesIO(shown.content)) as image:
        assert (shown.mime, image.format, image.mode, image.size) == ("image/png", "PNG", "RGB", size)
        assert (ref["width"], ref["height"]) == size
        assert getattr(image, "n_frames", 1) == 1


def test_large_images_are_scaled_down(empty: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MOST_SHOWN", 64 * 48 // 4)
    ref = ingest_image(empty, picture(), "a")

    with Image.open(io.BytesIO(show_image(empty, ref["sha256"]).content)) as image:
        assert image.size == (32, 24)


def test_an_image_that_is_gone_or_another_is_not_shown(empty: Workspace) -> None:
    ref = ingest_image(empty, picture(), "a")
    Path(ref["path"]).write_bytes(picture("blue"))
    with pytest.raises(UsageError, match="another content"):
        show_image(empty, ref["sha256"])
    Path(ref["path"]).unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        show_image(empty, ref["sha256"])


@pytest.mark.parametrize("way", ["link", "relative", "absolute"])
def test_nothing_outside_the_folder_is_shown(way: str, empty: Workspace, tmp_path: Path) -> None:
    data = picture("green")
    outside, sha256 = tmp_path / "outside.png", hashlib.sha256(data).hexdigest()
    outside.write_bytes(data)
    path = Path(ingest_image(empty, data, "a")["path"])
    if way == "link":
        path.unlink()
        path.symlink_to(outside)
    else:
        told = "images/../../outside.png" if way == "relative" else str(outside)
        with empty.writing() as connection:
            connection.execute("UPDATE images SET path = ?", (told,))

    with pytest.raises(UsageError, match="does not lie in the workspace"):
        show_image(empty, sha256)


def test_images_are_kept_by_the_browser_for_good(ann: Browser) -> None:
    about: dict[str, Any] = ann.get("/api/next").json()["item"]["image"]
    reply = ann.get(about["url"])

    assert hashlib.sha256(reply.content).hexdigest() == about["sha256"]
    assert (reply.headers["content-type"], reply.headers["x-content-type-options"]) == ("image/png", "nosniff")
    assert "immutable" in reply.headers["cache-control"]
    assert ann.get(about["url"], **{"If-None-Match": reply.headers["etag"]}).status_code == 304
