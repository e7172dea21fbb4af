"""`anomagent dataset import`: published annotations into a workspace."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from anomagent.cli.console import complain, note, print_json
from anomagent.cli.dataset_dedupe import check_packages
from anomagent.cli.options import WorkspaceOption, settings_of
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.cli.scoring_options import check_together
from anomagent.cli.sides import BadEntries

if TYPE_CHECKING:
    from anomagent.dataset.importing import Imported


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
        Path | None,
        typer.Option(
            metavar="FILE", help='The official split, {"train": [names], "test": [names]}, as for `dataset split`.'
        ),
    ] = None,
    split_name: Annotated[
        str, typer.Option("--split-name", metavar="NAME", help="What the split is called in the workspace.")
    ] = "default",
    unknown: Annotated[
        Literal["error", "skip"], typer.Option(help="Names in --split that no image of the workspace has.")
    ] = "error",
    unlisted: Annotated[
        Literal["error", "leave"],
        typer.Option(help="Images of the workspace that --split does not name: leave them without a part."),
    ] = "error",
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

    Review, statistics and evaluation then work on them. Doing it again adds nothing, not even where an image was
    analysed since, which is said; a list that has changed becomes a new analysis. Descriptions of real images are kept:
    `dataset export --shape real-images` writes them. Exit code 3: something was left out.

    Example: `anomagent dataset import annotations.json --images images/ --reviewed-by authors`
    """
    from dataclasses import asdict

    from anomagent.benchmark.items import gather
    from anomagent.benchmark.reading import read_annotations, require_whole
    from anomagent.benchmark.titles import LONGEST_ANNOTATOR, LONGEST_SOURCE, LONGEST_SPLIT, check_label
    from anomagent.cli.scoring import progress_bar
    from anomagent.dataset.importing import Wishes, assign_parts, import_annotations
    from anomagent.store import Workspace
    from anomagent.store.steps import dataset_step

    check_together(
        ("--split-name", split_name != "default", "--split", split is not None),
        ("--unknown", unknown != "error", "--split", split is not None),
        ("--unlisted", unlisted != "error", "--split", split is not None),
    )
    check_label("--reviewed-by", reviewed_by, LONGEST_ANNOTATOR)
    check_label("--source", source, LONGEST_SOURCE)
    check_label("--split-name", split_name, LONGEST_SPLIT)
    said = read_annotations(annotations)
    if bad_entries == "error":
        require_whole(said)
    if split:
        check_packages("import --split")
        from anomagent.dataset.split_keys import read_keys

        read_keys(split)  # what is no split is refused before anything is written
    items = None if images is None else gather([images])
    store = Workspace.open(settings_of(workspace=workspace).workspace, create=images is not None)
    wishes = Wishes(source, reviewed_by, missing_images)
    told_to = {"file": str(annotations), "images": images, "split": str(split) if split else None, **asdict(wishes)}
    with progress_bar("importing") as show, dataset_step(store, "import", told_to) as step:
        told, _ = import_annotations(store, step, said, items, wishes, lambda done: show(done, len(said.images)))
        if split:
            assign_parts(store, step, split_name, split, told, unknown, unlisted)
    if json:
        print_json(asdict(told))
    else:
        _report(told)
    if told.missing or told.failed or told.partial:
        raise typer.Exit(SOMETHING_FAILED)


def _report(told: "Imported") -> None:
    """What was done on stderr, and what was left out."""
    note(f"imported {told.new} analyses with {told.anomalies} anomalies; {told.unchanged} images as before")
    if told.run:
        note(f"run {told.run}")
    if told.answers:
        note(f"answers recorded: {told.answers}")
    if told.descriptions:
        note(f"real images with a description: {told.descriptions}")
    if told.assigned or told.unlisted or told.unknown:
        note(
            f"newly placed by the split: {told.assigned}; not named by it: {told.unlisted}; "
            f"names of no image in it: {told.unknown}"
        )
    if told.superseded:
        complain(
            f"images: {told.superseded} as before, but analysed since; the newer analysis counts, unless people "
            "reviewed the imported one (export --run takes one run)"
        )
    counts = {
        "without an image (left out)": told.missing,
        "without a list that can be read (left out)": told.failed,
        "with entries that cannot be read": told.partial,
    }
    if said := [f"{number} {what}" for what, number in counts.items() if number]:
        complain(f"images: {', '.join(said)}")
