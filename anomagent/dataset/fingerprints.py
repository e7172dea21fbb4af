"""Perceptual fingerprints: 64 bits of how a picture looks, which survive scaling, compression and light retouching.

The picture's brightness is brought to 32 x 32, its cosine transform taken, and of the 64 slowest waves each bit says
whether its coefficient lies above the median. Near-duplicates differ in few bits, unrelated pictures in about 32.
Colour is not looked at, and a mirrored picture is another one.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from anomagent.dataset.ahead import in_order
from anomagent.errors import UsageError
from anomagent.models.imaging import load_rgb, open_image
from anomagent.store import Workspace
from anomagent.store.fingerprints import find_unmeasured, save_fingerprints
from anomagent.store.pictures import MOST_PIXELS

METHOD: Final = "dct64-1"
"""What fingerprints of this kind are stored under; it changes whenever their bits do."""
FLAT: Final = b""
"""The fingerprint of a picture with nothing to see: any bits of its transform would be noise."""

_SIDE: Final = 32
_DECODED: Final = 256
"""Pixels a side that are decoded at least, of JPEG: its decoder scales down by whole blocks, much faster."""
_FAINTEST: Final = 4.0
"""Root mean square of the waves, in grey levels of 255, below which a picture is flat."""
_MOST_THREADS: Final = 16
"""Each may hold a picture of the largest size."""
_AT_ONCE: Final = 256
"""Pictures that are told of together, and stored together."""


class Fingerprint(NamedTuple):
    """What came of one picture."""

    key: str
    """As the caller names the picture: its content's hash or its file."""
    value: bytes | None
    """8 bytes, or `FLAT`; None where the picture cannot be read."""
    problem: str = ""
    """Why it cannot be read."""


def fingerprint(picture: Image.Image) -> bytes:
    """The 64 bits of an upright picture as 8 bytes, big endian; `FLAT` where it has no visible structure."""
    grey = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    waves = _transform(np.asarray(grey, dtype=np.float64))[_SLOWEST]
    if np.sqrt(np.sum(waves**2)) / _SIDE < _FAINTEST:
        return FLAT
    return np.packbits(waves > np.median(waves)).tobytes()


def fingerprint_file(path: Path) -> bytes:
    """The fingerprint of an image file, upright. Raises `UsageError` where it cannot be read."""
    try:
        with path.open("rb") as file, open_image(file) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"{image.width:,} x {image.height:,} pixels are too many")
            if image.format in ("JPEG", "MPO"):
                image.draft("L", (_DECODED, _DECODED))
                return fingerprint(ImageOps.exif_transpose(image))
    except Exception as error:  # whatever a decoder throws at hostile bytes, the image is not readable
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path}: not a readable image ({reason}); convert it or leave it out") from error
    return fingerprint(load_rgb(path, MOST_PIXELS))


def fingerprint_files(files: Iterable[tuple[str, Path]], threads: int | None = None) -> Iterator[list[Fingerprint]]:
    """The fingerprints of pictures given as key and file, some hundred at a time, in their order.

    Decoding takes nearly all of the time and runs beside Python in as many threads as there are processors.
    """
    with ThreadPoolExecutor(threads or min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        found = in_order(pool, _tried, files)
        while some := list(islice(found, _AT_ONCE)):
            yield some


def measure_fingerprints(workspace: Workspace, progress: Callable[[int, int], None] | None = None) -> dict[str, str]:
    """Take and keep the fingerprints that a workspace's images lack; of those that cannot be read, why, by content.

    What is kept stays kept when this is broken off. `progress` is told how many of how many are done.
    """
    missing, unreadable, done = find_unmeasured(workspace, METHOD), dict[str, str](), 0
    for some in fingerprint_files(missing):
        unreadable.update((one.key, one.problem) for one in some if one.value is None)
        save_fingerprints(workspace, METHOD, [(one.key, one.value) for one in some if one.value is not None])
        done += len(some)
        if progress:
            progress(done, len(missing))
    return unreadable


def as_numbers(values: Iterable[bytes]) -> NDArray[np.uint64]:
    """Fingerprints, none of them `FLAT`, as 64-bit numbers, [n]."""
    return np.frombuffer(b"".join(values), dtype=">u8").astype(np.uint64)


def _tried(file: tuple[str, Path]) -> Fingerprint:
    key, path = file
    try:
        return Fingerprint(key, fingerprint_file(path))
    except UsageError as error:
        return Fingerprint(key, None, str(error))


def _transform(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The two-dimensional cosine transform, orthonormal: the mean square of a picture is that of its waves."""
    fft: Any = import_module("scipy.fft")
    return cast("NDArray[np.float64]", fft.dctn(pixels, norm="ortho"))


def _slowest(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the slowest waves, the constant one left out."""
    waves = sorted(((y, x) for y in range(_SIDE) for x in range(_SIDE)), key=lambda wave: (sum(wave), wave))
    rows, columns = zip(*waves[1 : count + 1], strict=True)
    return np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp)


_SLOWEST: Final = _slowest(64)
