"""What a command compares: files, runs and workspaces, read into annotation sets."""

from dataclasses import replace
from os.path import exists, isdir, isfile, join  # where nothing can be, nothing is: a name that is too long, say
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from anomagent.cli.console import note
from anomagent.errors import UsageError

if TYPE_CHECKING:
    from anomagent.benchmark.annotations import AnnotationSet
    from anomagent.config import Settings
    from anomagent.report.pictures import FindPicture
    from anomagent.store import Workspace

BadEntries = Literal["error", "skip"]
"""Entries that are no anomaly: refuse the file, or leave them out and count them."""

DATABASE = "anomagent.db"


def read_side(what: str, settings: "Settings", bad_entries: BadEntries) -> "AnnotationSet":
    """The annotations of a file, of a workspace folder (the newest result of each image), or of a run's id.

    Raises `UsageError` where it is none of them, and for entries that are no anomaly unless these are to be skipped.
    """
    from anomagent.benchmark.reading import read_annotations, require_whole
    from anomagent.report.costs import count
    from anomagent.store.annotations import annotations_of

    if workspace := workspace_of(what, settings):
        return annotations_of(workspace) if isdir(what) else _run_of(workspace, what)
    if isdir(what):
        raise UsageError(f"{what}: a folder that is no workspace; give a prediction file, a run's id or a workspace")
    if not exists(what):
        raise UsageError(f"{what}: no such file, and no workspace {settings.workspace} with a run of that name")
    annotations = read_annotations(Path(what))
    if bad_entries == "error":
        require_whole(annotations)
    elif annotations.bad:
        first, left_out = annotations.bad[0], count(len(annotations.bad), "entry", "entries")
        example = f"entry {first.index + 1} of {first.image}: {first.reason}"
        note(f"{annotations.source}: {left_out} left out, such as {example}")
    return annotations


def _run_of(workspace: "Workspace", run_id: str) -> "AnnotationSet":
    from anomagent.store.annotations import annotations_of

    try:
        return annotations_of(workspace, run_id)
    except UsageError as error:
        # Most who name no run have mistyped a path.
        here = f"{run_id}: no such file, and no run of that name in"
        raise UsageError(str(error).replace(f"no run {run_id!r} in", here)) from error


def workspace_of(what: str, settings: "Settings") -> "Workspace | None":
    """The workspace that `what` names: its folder, or the run of `settings.workspace`; None for a file."""
    from anomagent.store import Workspace

    if isfile(join(what, DATABASE)):
        return Workspace.open(what, create=False)
    if exists(what) or not _has_workspace(settings):
        return None
    return Workspace.open(settings.workspace, create=False)


def _has_workspace(settings: "Settings") -> bool:
    return isfile(settings.workspace.expanduser() / DATABASE)


def only_part(annotations: "AnnotationSet", split: Path | None, part: str) -> "AnnotationSet":
    """The images of one part of a split, all of them where there is no split.

    The result knows the part's names, also those that it lacks. Raises `UsageError` for no such part.
    """
    if split is None:
        return annotations
    from anomagent.benchmark.annotations import base_name
    from anomagent.benchmark.reading import read_split

    parts = read_split(split)
    if part not in parts:
        raise UsageError(f"{split}: has no part {part!r}; choose one of {', '.join(parts)} with --part")
    kept = {key: image for key, image in annotations.images.items() if base_name(key) in parts[part]}
    bad = tuple(entry for entry in annotations.bad if base_name(entry.image) in parts[part])
    return replace(annotations, images=kept, bad=bad, part=parts[part])


def sources_of(annotations: "AnnotationSet", table: Path | None) -> dict[str, str]:
    """Where each image comes from, by base name: what `table` says, else the folder in the image's key.

    Raises `UsageError` where neither says anything.
    """
    from anomagent.benchmark.annotations import base_name
    from anomagent.benchmark.manifests import read_sources

    if table:
        return read_sources(table)
    folders = {base_name(key): PurePath(key.replace("\\", "/")).parent.name for key in annotations.images}
    if not any(folders.values()):
        raise UsageError(
            f"{annotations.source}: its images lie in no folders; say where they come from: --sources FILE"
        )
    return {name: folder for name, folder in folders.items() if folder}


def pictures_for(folder: Path | None, settings: "Settings") -> "FindPicture":
    """Where a page's example images are: in `folder`, else in the workspace where there is one."""
    from anomagent.report.pictures import images_below, no_pictures, pictures_in
    from anomagent.store import Workspace
    from anomagent.store.images import images_by_name

    if folder:
        if not isdir(folder):
            raise UsageError(f"--images {folder}: no such folder; give the folder of the images")
        return pictures_in(images_below(folder))
    if _has_workspace(settings):
        return pictures_in(images_by_name(Workspace.open(settings.workspace, create=False)))
    return no_pictures
