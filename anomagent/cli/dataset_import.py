"""`anomagent dataset import`: published annotations into a workspace."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from anomagent.cli.console import complain, flat, note, print_json
from anomagent.cli.options import WorkspaceOption, settings_of
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.cli.scoring_options import check_together
from anomagent.cli.sides import BadEntries
from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anomagent.dataset.importing import Imported

_LONGEST_SOURCE = 200
_FULL_REPORT = 80


def import_(
    annotations: Annotated[
        Path, typer.Argument(metavar="ANNOTATIONS", help="Annotations in any of the benchmark's shapes.")
    ],
    images: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|MANIFEST",
            help="Where their images lie, or a table of image and, where known, source and prompt.",
            show_default="the workspace's images",
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="Generator or collection of images whose manifest names none.")
    ] = None,
    reviewed_by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who accepted all of these; recorded as that person's answers.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(metavar="FILE", help='The official split, {"train": [names], "test": [names]}.')
    ] = None,
    split_name: Annotated[
        str, typer.Option("--split-name", metavar="NAME", help="What the split is called in the workspace.")
    ] = "default",
    missing_images: Annotated[
        Literal["error", "skip"],
        typer.Option(help="Entries whose image is not at hand: refuse the file, or leave them out."),
    ] = "error",
    bad_entries: Annotated[
        BadEntries, typer.Option(help="Entries that cannot be read: refuse the file, or leave them out.")
    ] = "error",
    json: Annotated[bool, typer.Option("--json", help="Print the counts as one JSON object.")] = False,
) -> None:
    """Take published annotations into the workspace, as analyses of their images, matched by base name.

    Review, statistics and evaluation then work on them. Doing it again adds nothing; a list that has changed becomes a
    new analysis. Exit code 3: something was left out.

    Example: `anomagent dataset import annotations.json --images images/ --reviewed-by authors`
    """
    from dataclasses import asdict

    from anomagent.benchmark.items import gather
    from anomagent.benchmark.reading import read_annotations, read_split, require_whole
    from anomagent.cli.scoring import progress_bar
    from anomagent.dataset.importing import Wishes, assign_parts, import_annotations
    from anomagent.store import Workspace
    from anomagent.store.steps import dataset_step

    check_together(("--split-name", split_name != "default", "--split", split is not None))
    _check_name("--reviewed-by", reviewed_by, _LONGEST_NAME)
    _check_name("--source", source, _LONGEST_SOURCE)
    _check_name("--split-name", split_name, _LONGEST_SOURCE)
    said = read_annotations(annotations)
    if bad_entries == "error":
        require_whole(said)
    parts: Mapping[str, frozenset[str]] = read_split(split) if split else {}
    items = None if images is None else gather([images])
    store = Workspace.open(settings_of(workspace=workspace).workspace, create=images is not None)
    wishes = Wishes(source, reviewed_by, missing_images)
    told_to = {"file": str(annotations), "images": images, "split": str(split) if split else None, **asdict(wishes)}
    with progress_bar("importing") as show, dataset_step(store, "import", told_to) as step:
        told, hashes = import_annotations(store, step, said, items, wishes, lambda done: show(done, len(said.images)))
        if split:
            assign_parts(store, step, split_name, parts, hashes, told)
    if json:
        print_json(asdict(told))
    else:
        _report(told)
    if told.missing or told.failed or told.partial:
        raise typer.Exit(SOMETHING_FAILED)


_LONGEST_NAME = 80
"""Of an annotator, as `anomagent.state.reviews` has it."""


def _check_name(option: str, name: str | None, longest: int) -> None:
    """Raises `ConfigurationError` for a name that is empty, long, or of more than one line."""
    if name is not None and (not name.strip() or len(name) > longest or flat(name) != name):
        raise ConfigurationError(
            f"{option} {name[:_FULL_REPORT]!r}: give a name of 1 to {longest} characters, one line"
        )


def _report(told: "Imported") -> None:
    """What was done on stderr, and what was left out."""
    note(f"imported {told.new} analyses with {told.anomalies} anomalies; {told.unchanged} images as before")
    if told.run:
        note(f"run {told.run}")
    if told.answers:
        note(f"answers recorded: {told.answers}")
    if told.descriptions:
        note(f"real images with a description: {told.descriptions}")
    if told.assigned or told.unassigned:
        note(f"in the split: {told.assigned}; not named by it: {told.unassigned}")
    counts = {
        "without an image (left out)": told.missing,
        "without a list that can be read (left out)": told.failed,
        "with entries that cannot be read": told.partial,
    }
    if said := [f"{number} {what}" for what, number in counts.items() if number]:
        complain(f"images: {', '.join(said)}")
