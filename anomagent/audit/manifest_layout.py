"""Images to audit that a manifest lists, with their prompts and generators."""

import os
import unicodedata
from pathlib import Path

from anomagent.audit.found import FoundImage, GeneratorImages
from anomagent.benchmark.documents import shown
from anomagent.benchmark.manifests import read_manifest
from anomagent.errors import UsageError


def read_manifest_layout(path: Path, name: str | None = None) -> list[GeneratorImages]:
    """The generators of a manifest, ordered by name.

    Its paths are relative to its folder and stay in it, whatever ".." and links they hold: it may be somebody else's.
    An absolute path is the user's own. A row's generator is its "generator", else its "source", else the manifest's own
    name; with `name`, all rows are of the one generator called so. Raises `UsageError` as `read_manifest` does, for an
    image that is not there or outside the folder, and for one that is listed twice under two spellings of its path.
    """
    found: dict[str, dict[str, FoundImage]] = {}
    spellings: dict[str, str] = {}
    missing: list[str] = []
    for row in read_manifest(path):
        _check_inside(path, row["image"])
        image = FoundImage(path.parent / row["image"], row.get("prompt"), _key(row["image"]))
        first = spellings.setdefault(image.key, row["image"])
        if first != row["image"]:
            raise UsageError(f"{path}: {shown(first)} and {shown(row['image'])} are one file; keep one")
        if not image.path.is_file():
            missing.append(row["image"])
        generator = name or row.get("generator") or row.get("source") or path.stem
        found.setdefault(unicodedata.normalize("NFC", generator), {})[image.key] = image
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UsageError(
            f"{path}: lists {shown(missing[0])}{others}, not there; paths are relative to {path.parent}, correct them"
        )
    if not found:
        raise UsageError(f"{path}: lists no image; give a manifest with at least one row")
    return [
        GeneratorImages(generator, "manifest", tuple(images[key] for key in sorted(images)))
        for generator, images in sorted(found.items())
    ]


def _check_inside(manifest: Path, image: str) -> None:
    """Raise `UsageError` where a relative path leaves the manifest's folder, by ".." or by a link."""
    file = manifest.parent / image
    if os.path.isabs(image):
        return
    climbs = os.path.normpath(image).split(os.sep)[0] == os.pardir
    leads_out = file.is_file() and not file.resolve().is_relative_to(manifest.parent.resolve())
    if climbs or leads_out:
        raise UsageError(
            f"{manifest}: {shown(image)} leads out of {manifest.parent}; put the manifest above its images, or write "
            "the absolute path"
        )


def _key(image: str) -> str:
    return unicodedata.normalize("NFC", Path(os.path.normpath(image)).as_posix())
