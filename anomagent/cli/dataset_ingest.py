"""`anomagent dataset ingest`: raw images into a workspace."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomagent.cli.console import complain, flat, note, plain, print_json, stdout
from anomagent.cli.dataset_progress import progress_of
from anomagent.cli.options import WorkspaceOption, check_writable, settings_of
from anomagent.cli.run import SOMETHING_FAILED

if TYPE_CHECKING:
    from anomagent.dataset.ingest import Ingested
    from anomagent.store.sources import LeftOut

_PATHS_KEPT = 100
"""So many paths of a command are kept in the store."""


def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Images, folders (at every depth), globs in quotes, and manifests: CSV, JSON lines, Parquet with a "
            "column image and, where known, prompt, source or generator, id, boxes. Relative to the manifest.",
        ),
    ],
    workspace: WorkspaceOption = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Generator or collection of all images whose manifest names none."),
    ] = None,
    min_pixels: Annotated[
        int, typer.Option(metavar="N", help="Leave out images of fewer pixels, width times height.")
    ] = 1024,
    max_aspect: Annotated[
        float, typer.Option(metavar="R", help="Leave out images whose longer side is over R times the shorter.")
    ] = 10.0,
    allow_animated: Annotated[
        bool, typer.Option("--allow-animated", help="Take images of several frames; the first one counts.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write every file that was left out, and why, as CSV.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print counts and files left out as one JSON object.")] = False,
) -> None:
    """Take images into the workspace: each checked, known by its content, and copied; the originals stay untouched.

    A manifest's boxes are {"object": [x0, y0, x1, y1]} in pixels of the upright image. Doing it again takes only what
    is new, and goes on where it was broken off. Exit code 3: files are missing, unreadable or damaged; what a rule
    leaves out is no failure.

    Example: `anomagent dataset ingest images/ list.csv --source flux`
    """
    from anomagent.benchmark.items import gather
    from anomagent.benchmark.titles import LONGEST_SOURCE, check_label
    from anomagent.dataset.ingest import ingest as take
    from anomagent.dataset.ingest import result_of
    from anomagent.dataset.rules import Rules
    from anomagent.store import Workspace
    from anomagent.store.sources import read_left_out
    from anomagent.store.steps import dataset_step

    rules = Rules(min_pixels, max_aspect, allow_animated)
    check_writable(report)
    check_label("--source", source, LONGEST_SOURCE)
    items = gather(paths)
    store = Workspace.open(settings_of(workspace=workspace).workspace)
    settings = {"paths": paths[:_PATHS_KEPT], "items": len(items), "source": source, **vars(rules)}
    with dataset_step(store, "ingest", settings) as step, progress_of("ingesting", len(items)) as advance:
        told = take(store, step, items, rules, source, advance)
    if report:
        _write_report(report, read_left_out(store, step.id))
    if json:
        files = [file._asdict() for file in read_left_out(store, step.id)]
        print_json({"step": step.id, **result_of(told), "left_out_files": files})
    else:
        _print(told, read_left_out(store, step.id))
    _warn(told)
    if told.broken:
        raise typer.Exit(SOMETHING_FAILED)


def _write_report(file: Path, left_out: "Iterable[LeftOut]") -> None:
    from anomagent.evaluation.table_files import write_table

    write_table({"file": str, "reason": str, "message": str}, left_out, file, "csv")


def _print(told: "Ingested", left_out: "Iterable[LeftOut]") -> None:
    from rich.table import Table

    from anomagent.dataset.rules import REASONS
    from anomagent.report.costs import count

    console = stdout()
    console.print(f"{count(told.files, 'file')}: {count(told.new, 'new image')}, {told.known:,} known by content")
    if not told.left_out:
        return
    first: dict[str, LeftOut] = {}
    for file in left_out:
        first.setdefault(file.reason, file)
    table = Table("left out", "files", "the first of them", box=None, pad_edge=False)
    for reason in REASONS:
        if reason in first:
            example = f"{first[reason].name}: {first[reason].message}"
            table.add_row(reason, f"{told.left_out[reason]:,}", plain(flat(example)))
    console.print(table)


def _warn(told: "Ingested") -> None:
    """What nobody asked and everybody should know."""
    from anomagent.report.costs import count

    exif = {"turned by EXIF": told.turned, "from a camera": told.cameras, "with a position": told.positions}
    if said := [f"{count:,} {what}" for what, count in exif.items() if count]:
        note(f"EXIF of the files that were looked into: {', '.join(said)}; copies keep their EXIF data")
    if told.boxes_outside:
        more = len(told.boxes_outside) - 1
        others = f" and {more:,} more" if more else ""
        complain(f"boxes beyond the edge, none taken: {told.boxes_outside[0]}{others}; correct the manifest")
    if told.broken:
        complain(f"{count(told.broken, 'file')} missing, unreadable or damaged; --report FILE.csv names each")
