"""Reads annotations, predictions and splits from files, whichever of the shapes in use they have."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, cast

from anomagent.benchmark.annotations import AnnotationSet, BadEntry, ImageAnnotations, base_name
from anomagent.benchmark.documents import Document, as_object, is_unicode, kind_of, read_document, shown
from anomagent.benchmark.shapes import Content, content_of, content_of_record, is_record
from anomagent.errors import UsageError

PARTS: Final = frozenset({"train", "test", "val", "validation", "dev"})
"""What the parts of a split may be called."""


def read_annotations(path: Path) -> AnnotationSet:
    """Read a file of annotations, predictions or descriptions; its shape is known by what it holds.

    - `{image: value}`: the released shape, the project page's, and real images. A value is a list of entries, a text
      (the classic text or JSON of a list; another text is a description) or `{"answer": ..., "anomalies": ...}`.
    - JSON lines or a list of `{"image": ..., "answer": ..., "anomalies": ...}`, and what `run --json` prints. The same
      record twice counts once.
    - Instruction data: a list of `{"image": ..., "conversations": [...]}`. Instances of one image are one list.

    An entry that is no anomaly is in `bad`; `require_whole` refuses it. Raises `UsageError` for a file that cannot be
    read, is no such file, names an image twice with different content, or repeats a key.
    """
    document = read_document(path)
    if _is_split(document.value):
        raise UsageError(
            f"{path}: is a split (names by part), not annotations; give the file that holds the annotations"
        )
    contents: dict[str, list[Content]] = {}
    for place, key, content in _contents(document, path):
        known = contents.setdefault(_checked(key, place, path), [])
        if content not in known:
            known.append(content)
    return _annotation_set(str(path), contents)


def require_whole(annotations: AnnotationSet, how_many_shown: int = 3) -> None:
    """Raises `UsageError` where entries could not be read, naming the first and how to go on without them."""
    if not annotations.bad:
        return
    first = "; ".join(
        f"{shown(bad.image)} entry {bad.index + 1}: {bad.reason}" for bad in annotations.bad[:how_many_shown]
    )
    count = "1 entry" if len(annotations.bad) == 1 else f"{len(annotations.bad)} entries"
    more = len(annotations.bad) - how_many_shown
    raise UsageError(
        f"{annotations.source}: {count} cannot be read ({first}{f'; and {more} more' if more > 0 else ''}); "
        "correct the file, or leave them out with --bad-entries skip"
    )


def read_split(path: Path) -> dict[str, frozenset[str]]:
    """The base names of each part of a split, `{"train": [names], "test": [names]}`.

    Raises `UsageError` for another shape, and for a base name that stands twice, in one part or in two.
    """
    value = read_document(path).value
    if not _is_split(value):
        raise UsageError(f'{path}: is no split; it needs the shape {{"train": ["a.jpg"], "test": ["b.jpg"]}}')
    parts = cast(dict[str, list[str]], value)
    if unknown := parts.keys() - PARTS:
        raise UsageError(f"{path}: {shown(min(unknown))} is no part of a split; it may have {', '.join(sorted(PARTS))}")
    home: dict[str, tuple[str, str]] = {}
    for part, names in parts.items():
        for name in names:
            base = base_name(_checked(name, f"part {part}", path))
            if base in home:
                other, other_part = home[base]
                raise UsageError(
                    f"{path}: {shown(other)} in {other_part} and {shown(name)} in {part} share the base name "
                    f"{shown(base)}, by which images are matched; keep one"
                )
            home[base] = name, part
    return {part: frozenset(base_name(name) for name in names) for part, names in parts.items()}


def _is_split(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    parts = cast(dict[str, object], value)
    known = parts.keys() & PARTS
    return bool(known & {"train", "test"}) and all(_are_names(parts[part]) for part in known)


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in cast(list[object], value))


def _contents(document: Document, path: Path) -> Iterator[tuple[str, str, Content]]:
    """Place, image and content of everything that a file lists, in its order."""
    value = document.value
    if not isinstance(value, dict | list):
        raise UsageError(f"{path}: is {kind_of(value)}; annotations are {{image: [...]}} or a list of records")
    if isinstance(value, dict) and not is_record(cast(object, value)):
        for key, said in cast(dict[str, object], value).items():
            yield "a key", key, content_of(said)
        return
    for index, record in enumerate(document.items()):
        place = document.place(index)
        try:
            yield place, *_of_record(record)
        except ValueError as error:
            raise UsageError(f"{path}: {place}: {error}; correct the file") from error


def _of_record(record: object) -> tuple[str, Content]:
    said = as_object(record)
    image = said.get("image")
    if not isinstance(image, str):
        raise ValueError("it has no image" if image is None else "its image is not text")
    return image, content_of_record(said)


def _checked(key: str, place: str, path: Path) -> str:
    """`key` as an image may be called."""
    if not base_name(key).strip() or not is_unicode(key):
        raise UsageError(f"{path}: {place}: {shown(key)} is no name of an image; correct the file")
    return key


def _annotation_set(source: str, contents: dict[str, list[Content]]) -> AnnotationSet:
    images: dict[str, ImageAnnotations] = {}
    bad: list[BadEntry] = []
    for key, parts in contents.items():
        content = _joined(source, key, parts).settled()
        said = content.anomalies, content.answer, content.description, content.failure, content.partial
        images[key] = ImageAnnotations(key, *said)
        bad += [BadEntry(source, key, refused.index, refused.reason) for refused in content.refused]
    return AnnotationSet(source, images, tuple(bad))


def _joined(source: str, key: str, parts: Iterable[Content]) -> Content:
    first, *others = parts
    try:
        for other in others:
            first = first.joined(other)
    except ValueError as error:
        raise UsageError(f"{source}: {shown(key)}: {error}; keep one") from error
    return first
