"""`anomagent dataset manifest`: the images that are kept, as a list."""

from pathlib import Path
from typing import Annotated

import typer

from anomagent.cli.console import note, print_json
from anomagent.cli.options import WorkspaceOption, settings_of


def manifest(
    out: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="The file to write.")],
    workspace: WorkspaceOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as one JSON object.")] = False,
) -> None:
    """List the images that no step has left out, with prompt, source and id: what `anomagent batch` is to analyse.

    Write it into the folder in which they were ingested, and images keep their names. One whose file has gone is
    listed by the workspace's copy.

    Example: `anomagent dataset manifest kept.jsonl`
    """
    from dataclasses import asdict

    from anomagent.dataset.manifest import write_manifest
    from anomagent.store import Workspace

    store = Workspace.open(settings_of(workspace=workspace).workspace, create=False)
    written = write_manifest(store, out, overwrite=force)
    if json:
        print_json({**asdict(written), "file": str(out)})
    else:
        note(f"wrote {out}: {written.images:,} images")
    warn_of_copies(written.copies)


def warn_of_copies(copies: int) -> None:
    """Say that images are listed by their copies."""
    if copies:
        note(f"no longer where they came from, listed by copies of the same base name in the workspace: {copies:,}")
