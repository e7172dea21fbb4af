"""The images of a split as leakage is sought among them: of a workspace, or of files."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.documents import shown
from anomagent.benchmark.images import is_image_name
from anomagent.benchmark.manifests import read_manifest
from anomagent.benchmark.reading import read_annotations
from anomagent.dataset.fingerprints import METHOD, fingerprint_files, measure_fingerprints
from anomagent.dataset.leakage import KINDS, Item, Kind
from anomagent.dataset.split_keys import match, read_keys, tidy
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly
from anomagent.store import Workspace
from anomagent.store.annotations import reading_newest
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


def workspace_source(
    workspace: Workspace, split: str, kinds: Collection[Kind] = KINDS, progress: Progress | None = None
) -> Source:
    """The images of a workspace's data set by their parts; a name that two have gets the content's hash behind it.

    Only what these `kinds` need is read. Raises `UsageError` where it has no such split.
    """
    known = count_parts(workspace)
    if split not in known:
        there = f"it has {', '.join(sorted(known))}" if known else "it has none yet; run `anomagent dataset split`"
        raise UsageError(f"no split {shown(split)} in workspace {workspace.path}; {there}")
    looks = "near-duplicates" in kinds
    problems = measure_fingerprints(workspace, progress) if looks else {}
    fingerprints = read_fingerprints(workspace, METHOD) if looks else {}
    said = _candidate_texts(workspace) if "annotations" in kinds else {}
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
        fingerprint, texts = fingerprints.get(one.sha256), said.get(one.sha256)
        items[name] = Item(name, one.part, one.sha256, fingerprint, one.prompts, texts)
    return Source(list(items.values()), unreadable, without)


def file_source(
    split: Path,
    images: Path | None = None,
    annotations: Path | None = None,
    prompts: Path | None = None,
    kinds: Collection[Kind] = KINDS,
    progress: Progress | None = None,
) -> Source:
    """The images of a split file: their files in a folder and below, their annotations, and a manifest's prompts.

    All are matched by whole name or base name, see `match`; only what these `kinds` need is read. Raises `UsageError`
    for what cannot be read, and for a name of the split that two different files or rows have.
    """
    parts = read_keys(split)
    folder = images if {"equal-files", "near-duplicates"} & {*kinds} else None
    places = _find_files(folder, parts) if folder else {}
    said = _annotation_texts(annotations, parts) if annotations and "annotations" in kinds else {}
    shows = _read_prompts(prompts, parts) if prompts and {"prompts", "entities"} & {*kinds} else {}
    fingerprints: dict[str, bytes | None] = {}
    unreadable = dict.fromkeys(sorted(parts.keys() - places.keys()), "no file of this name") if folder else {}
    for some in fingerprint_files(sorted(places.items())) if "near-duplicates" in kinds else ():
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


def _find_files(folder: Path, parts: Mapping[str, str]) -> dict[str, Path]:
    """The image files of a folder and below, those that the split names."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: is no folder; give the one that holds the images")
    wanted = set(map(base_name, parts))
    files: list[tuple[Path, list[str]]] = []
    for parent, _, names in os.walk(folder):
        for name in names:
            place = Path(parent, name)
            if base_name(name) in wanted and is_image_name(name) and place.is_file():
                files.append((place, [_called(place, folder, parts)]))
    found = match(parts, files, folder)
    for places in found.values():
        if len(places) > 1:
            raise UsageError(f"{folder}: {places[0]} and {places[1]} share a base name; keep one")
    return {name: place for name, (place,) in found.items()}


def _called(place: Path, folder: Path, parts: Mapping[str, str]) -> str:
    """What a split calls a file: its path, or that within the folder."""
    return str(place) if tidy(str(place)) in parts else str(place.relative_to(folder))


def _read_prompts(path: Path, parts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    rows = [(row["prompt"], [row["image"]]) for row in read_manifest(path) if "prompt" in row]
    found = match(parts, rows, path)
    for name, prompts in found.items():
        if len(prompts) > 1:
            raise UsageError(f"{path}: two images {shown(name)} have different prompts; rename one")
    return {name: tuple(prompts) for name, prompts in found.items()}


def _annotation_texts(path: Path, parts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Phenomenon and reasoning of each anomaly."""
    images = read_annotations(path).by_base_name()
    found = match(parts, ((name, [name]) for name, image in images.items() if image.failure is None), path)
    return {key: tuple(map(_text, images[names[0]].anomalies)) for key, names in found.items()}


def _candidate_texts(workspace: Workspace) -> dict[str, tuple[str, ...]]:
    """Phenomenon and reasoning of each candidate of the newest analysis of each content, reviewed or not."""
    with reading_newest(workspace, key="sha256", kept=True, may_be_empty=True) as newest:
        listed = list(newest.listed(("ok", "partial")))
        return {one.sha256: tuple(intern(_text(found)) for found in newest.anomalies(one.id)) for one in listed}


def _text(anomaly: Anomaly) -> str:
    return f"{anomaly.phenomenon} {anomaly.reasoning}"
