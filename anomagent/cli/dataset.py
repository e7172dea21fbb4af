"""`anomagent dataset`: results as files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from anomagent.cli.console import complain, note, print_json
from anomagent.cli.options import WorkspaceOption, settings_of
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.dataset.stages import Stage
from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from anomagent.dataset.export import Exported
    from anomagent.state.findings import Status

app = typer.Typer(help="Data sets: results as files.", no_args_is_help=True)


@app.callback()
def dataset() -> None:
    """Data sets: what was found, and what every agent said on the way, as files."""


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    workspace: WorkspaceOption = None,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Of this run alone, not of the whole workspace.")
    ] = None,
    shape: Annotated[
        Literal["released", "project-page", "jsonl", "classic"] | None,
        typer.Option(
            help="released, project-page: the benchmark's files; jsonl: the lines of `run --json`; "
            "classic: the classic text by image.",
            show_default="released",
        ),
    ] = None,
    stage: Annotated[
        Stage | None,
        typer.Option(help="Instead: what these agents said on the way, one JSON object an image, one a line."),
    ] = None,
    status: Annotated[
        str, typer.Option(metavar="STATUS,...", help="Which results: ok, partial; jsonl and stages: failed as well.")
    ] = "ok,partial",
    keys: Annotated[
        Literal["base", "path", "sha256"],
        typer.Option(help="Images by the last part of their name, by the name as analysed, or by content."),
    ] = "base",
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as one JSON object.")] = False,
) -> None:
    """Write results as a file: the newest finished analysis of each image, also while a batch is going on.

    Severity is realism: 0 = completely implausible, 100 = fully realistic. Failed analyses are counted and left out.
    Exit code 3: some failed, wholly or in part; the rest is written.

    Example: `anomagent dataset export annotations.json --shape released`
    """
    from dataclasses import asdict

    from anomagent.dataset.export import export as write
    from anomagent.store import Workspace

    if shape and stage:
        raise ConfigurationError("--shape and --stage exclude each other; choose one")
    statuses = _statuses(status)
    store = Workspace.open(settings_of(workspace=workspace).workspace, create=False)
    content = stage or shape or "released"
    exported = write(store, out, content, run_id=run, statuses=statuses, key=keys, overwrite=force)
    if json:
        print_json(asdict(exported))
    else:
        note(f"wrote {out}: {exported.images} images, {exported.anomalies} anomalies")
    _report_missing(exported, statuses)
    if exported.failed or exported.partial:
        raise typer.Exit(SOMETHING_FAILED)


def _statuses(text: str) -> "list[Status]":
    """`ok,partial` as statuses. Raises `ConfigurationError`."""
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in ("ok", "partial", "failed")]:
        raise ConfigurationError(f"--status {text}: no status {unknown[0]!r}; known: ok, partial, failed")
    return cast("list[Status]", names)


def _report_missing(exported: "Exported", statuses: "list[Status]") -> None:
    """One line on stderr with how many images failed, wholly or in part, or are not finished."""
    failed = "written" if "failed" in statuses else "left out"
    partial = "written" if "partial" in statuses else "left out"
    counts = {
        f"failed ({failed})": exported.failed,
        f"partial ({partial})": exported.partial,
        "not finished": exported.running,
    }
    if said := [f"{number} {what}" for what, number in counts.items() if number]:
        complain(f"images: {', '.join(said)}")
