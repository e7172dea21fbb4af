"""The images of a split as leakage is sought among them: of a workspace, or of files."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomagent.benchmark.annotations import AnnotationSet, base_name
from anomagent.benchmark.documents import shown
from anomagent.benchmark.images import is_image_name
from anomagent.benchmark.manifests import read_manifest
from anomagent.benchmark.reading import read_annotations, read_split
from anomagent.dataset.fingerprints import METHOD, fingerprint_files, measure_fingerprints
from anomagent.dataset.leakage import Item
from anomagent.errors import UsageError
from anomagent.store import Workspace
from anomagent.store.fingerprints import read_fingerprints
from anomagent.store.images import hash_file
from anomagent.store.splits import count_parts, read_members

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """The images of a split, and what could not be had."""

    items: Sequence[Item]
    unreadable: Mapping[str, str]
    """By name, why the image's file could not be compared: it is missing, or cannot be read."""
    without_part: int = 0
    """Images of a workspace that the split has not placed."""


def workspace_source(workspace: Workspace, split: str, progress: Progress | None = None) -> Source:
    """The images of a workspace's data set by their parts; a name that two have gets the content's hash behind it.

    Raises `UsageError` where it has no such split.
    """
    known = count_parts(workspace)
    if split not in known:
        there = f"it has {', '.join(sorted(known))}" if known else "it has none yet; run `anomagent dataset split`"
        raise UsageError(f"no split {shown(split)} in workspace {workspace.path}; {there}")
    problems = measure_fingerprints(workspace, progress)
    fingerprints = read_fingerprints(workspace, METHOD)
    items: dict[str, Item] = {}
    unreadable: dict[str, str] = {}
    without = 0
    for one in read_members(workspace, split):
        if one.part is None:
            without += 1
            continue
        name = one.names[0] if one.names[0] not in items else f"{one.names[0]} ({one.sha256[:12]})"
        if one.sha256 in problems:
            unreadable[name] = problems[one.sha256]
        items[name] = Item(name, one.part, one.sha256, fingerprints.get(one.sha256), one.prompts)
    return Source(list(items.values()), unreadable, without)


def file_source(
    split: Path,
    images: Path | None = None,
    annotations: Path | None = None,
    prompts: Path | None = None,
    progress: Progress | None = None,
) -> Source:
    """The images of a split file: their files in a folder and below, their annotations, and a manifest's prompts.

    All are matched by base name. Raises `UsageError` for what cannot be read, and for a name of the split that two
    different files or rows have.
    """
    parts = {name: part for part, names in read_split(split).items() for name in names}
    places = _find_files(images, parts) if images else {}
    said = _annotation_texts(read_annotations(annotations)) if annotations else {}
    shows = _read_prompts(prompts, parts) if prompts else {}
    fingerprints: dict[str, bytes | None] = {}
    unreadable = dict.fromkeys(sorted(parts.keys() - places.keys()), "no file of this name") if images else {}
    for some in fingerprint_files(sorted(places.items())):
        fingerprints.update((one.key, one.value) for one in some)
        unreadable.update((one.key, one.problem) for one in some if one.value is None)
        if progress:
            progress(len(fingerprints), len(places))
    contents = {name: hash_file(place) for name, place in places.items()}
    items = [
        Item(name, part, contents.get(name), fingerprints.get(name), shows.get(name, ()), said.get(name))
        for name, part in parts.items()
    ]
    return Source(items, unreadable)


def _find_files(folder: Path, wanted: Mapping[str, str]) -> dict[str, Path]:
    """The image files of a folder and below by base name, those that the split names."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: is no folder; give the one that holds the images")
    found: dict[str, Path] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            base, place = base_name(name), Path(parent, name)
            if base not in wanted or not is_image_name(name) or not place.is_file():
                continue
            if base in found:
                raise UsageError(f"{folder}: {found[base]} and {place} share a base name; keep one")
            found[base] = place
    return found


def _read_prompts(path: Path, wanted: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, str] = {}
    for row in read_manifest(path):
        name, prompt = base_name(row["image"]), row.get("prompt")
        if prompt is not None and name in wanted and found.setdefault(name, prompt) != prompt:
            raise UsageError(f"{path}: two images {shown(name)} have different prompts; rename one")
    return {name: (prompt,) for name, prompt in found.items()}


def _annotation_texts(annotations: AnnotationSet) -> dict[str, tuple[str, ...]]:
    """Phenomenon and reasoning of each anomaly, by base name."""
    return {
        name: tuple(f"{anomaly.phenomenon} {anomaly.reasoning}" for anomaly in image.anomalies)
        for name, image in annotations.by_base_name().items()
        if image.failure is None
    }
