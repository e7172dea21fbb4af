"""Which images are AI-generated and which are real: the labels of deepfake detection."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.documents import parse_document, read_text, shown
from anomagent.benchmark.images import IMAGE_SUFFIXES, is_image_name
from anomagent.benchmark.tables import is_parquet, read_rows
from anomagent.errors import UsageError

__all__ = ["FOLDERS", "IMAGE_SUFFIXES", "Labels", "other_files", "read_labels"]

Labels = dict[str, bool]
"""By base name: True = AI-generated (label 1), False = a real photograph (label 0)."""

FOLDERS: Final = {"0_real": False, "1_fake": True}
"""The benchmark's folders, and whether their images are AI-generated."""

_WORDS: Final = {
    **dict.fromkeys(("1", "true", "fake", "ai", "ai generated"), True),
    **dict.fromkeys(("0", "false", "real"), False),
}
_EXAMPLE: Final = "1, true, fake, ai, ai-generated or 0, false, real"


def read_labels(path: Path) -> Labels:
    """Each label by base name: True = AI (1, true, fake, ai, AI-generated), False = real (0, false, real).

    `path` is a folder with 0_real/ or 1_fake/ or both (every image below them, known by its suffix), a JSON object
    `{name: label}`, a table with the columns image and label (CSV, JSON lines, a JSON list, Parquet), or instruction
    data, whose paths begin with 0_real/ or 1_fake/. Raises `UsageError` for anything else, an unknown label with its
    place, and a base name with two labels.
    """
    labels: Labels = {}
    for place, image, is_ai in _in_folder(path) if path.is_dir() else _in_file(path):
        name = base_name(image)
        if not name.strip():
            raise UsageError(f"{path}: {place}: {shown(image)} is no name of an image; correct it")
        if labels.setdefault(name, is_ai) != is_ai:
            raise UsageError(
                f"{path}: {place}: {shown(name)} is labelled real and AI; images are matched by base name, rename one"
            )
    if not labels:
        raise UsageError(
            f"{path}: has no labelled image; expected {' and '.join(FOLDERS)} with images, or a label file"
        )
    return labels


def other_files(path: Path) -> list[Path]:
    """The files in the benchmark's folders below `path` that are not called like images and so have no label.

    Hidden files are not among them; a file of labels has none. Raises `UsageError` for a folder that cannot be read.
    """
    files = [file for folder in FOLDERS for file in _files(path / folder)]
    return [file for file in files if not is_image_name(file) and not file.name.startswith(".")]


def _in_folder(path: Path) -> Iterator[tuple[str, str, bool]]:
    for folder, is_ai in FOLDERS.items():
        yield from ((folder, str(file), is_ai) for file in _files(path / folder) if is_image_name(file))


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_refuse) if folder.is_dir() else ():
        folders.sort()
        yield from (Path(parent, file) for file in sorted(files))


def _refuse(error: OSError) -> None:
    raise UsageError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions") from error


def _in_file(path: Path) -> Iterator[tuple[str, str, bool]]:
    values = _by_name(path)
    if values is not None:
        for name, label in values.items():
            yield "a key", name, _is_ai(label, f"{path}: {shown(name)}")
        return
    for row in read_rows(path, ("image", "label", "conversations")):
        image = row.values.get("image")
        if not isinstance(image, str):
            raise UsageError(f"{path}: {row.place}: no image; a label file needs the columns image and label")
        if "label" not in row.values and "conversations" in row.values:
            yield row.place, image, _by_folder(image, f"{path}: {row.place}")
        else:
            yield row.place, image, _is_ai(row.values.get("label"), f"{path}: {row.place}")


def _by_name(path: Path) -> dict[str, object] | None:
    """The object of a file `{name: label}`; None where the file is a table."""
    if is_parquet(path):
        return None
    text = read_text(path)
    if not text.lstrip().startswith("{"):
        return None
    document = parse_document(text, path)
    value = document.value
    if not isinstance(value, dict) or "label" in value or "conversations" in value:
        return None
    return cast(dict[str, object], value)


def _is_ai(label: object, place: str) -> bool:
    words = " ".join(str(label).replace("_", " ").replace("-", " ").lower().split())
    if label is None or words not in _WORDS:
        said = "no label" if label is None else f"the label {shown(str(label))} is unknown"
        raise UsageError(f"{place}: {said}; use {_EXAMPLE}")
    return _WORDS[words]


def _by_folder(image: str, place: str) -> bool:
    """The label of "1_fake/x.jpg"; the last of the benchmark's folders in the path counts."""
    parts = image.replace("\\", "/").split("/")[:-1]
    found = [FOLDERS[part] for part in parts if part in FOLDERS]
    if not found:
        raise UsageError(f"{place}: {shown(image)} lies neither in {' nor in '.join(FOLDERS)}; add a label")
    return found[-1]
