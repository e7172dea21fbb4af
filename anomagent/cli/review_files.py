"""`anomagent review export|import`: candidates for Label Studio, Argilla or a table, and the answers from there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from anomagent.cli.console import complain, note, print_json
from anomagent.cli.options import WorkspaceOption, settings_of
from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from anomagent.store import Workspace

RunOption = Annotated[
    str | None, typer.Option(metavar="RUN", help="Candidates of this run alone, not of the whole workspace.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the counts as one JSON object.")]

_LEFT_OUT = 3
"""Exit code: done, but answers were left out."""


def export(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    workspace: WorkspaceOption = None,
    run: RunOption = None,
    form: Annotated[
        Literal["label-studio", "argilla", "csv"],
        typer.Option("--format", help="label-studio: tasks, and the labeling configuration beside; argilla: records."),
    ] = "csv",
    images: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="How images are named: an address under which the workspace's folder images is served, "
            "paths (of the files), or none.",
        ),
    ] = "paths",
    with_answers: Annotated[
        bool, typer.Option("--with-answers", help="With people's standing answers; csv always has all answers.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    json: JsonOption = False,
) -> None:
    """Write the candidates for review elsewhere, by default without anybody's answers.

    CSV has a row for each answer there ever was. Cells are exact, also those that begin with = + - or @, which a
    spreadsheet may take for formulas: open it as text. In Label Studio's file people are named as members' emails.

    Example: `anomagent review export tasks.json --format label-studio --images https://images.example.org`
    """
    from dataclasses import asdict

    from anomagent.review.exchange.export import export_review

    store = of_review(context, workspace)
    done = export_review(store, out, form, run_id=run, images=images, with_answers=with_answers, overwrite=force)
    if json:
        print_json(asdict(done))
    else:
        beside = f", and {done.config}" if done.config else ""
        note(f"wrote {out}: {done.candidates:,} candidates, {done.answers:,} answers{beside}")


def import_answers(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What came of a file from `review export`.")],
    workspace: WorkspaceOption = None,
    annotator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[THEIRS=]NAME", help="What a person is called here; NAME alone: whoever the file does not name."
        ),
    ] = None,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave out answers about candidates that are unknown or changed.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Take in answers: Label Studio's exports (JSON, JSON-MIN), Argilla's records, CSV; all of a file or nothing.

    Each candidate must be the one that was exported, texts and image. Importing twice adds nothing, nor does what says
    the same as the person's answer here. An id of Argilla that is nobody's here needs --annotator ID=NAME. Exit code 3:
    answers were left out, about unknown candidates or older than what the person has said since.

    Example: `anomagent review import annotations.json --annotator 7=Ada`
    """
    from anomagent.review.exchange.answers import Names
    from anomagent.review.exchange.importing import import_review

    try:
        names = Names.of(annotator or [])
    except ValueError as error:
        raise ConfigurationError(f"--annotator: {error}") from error
    done = import_review(of_review(context, workspace), file, names, skip_unknown=skip_unknown)
    if json:
        print_json(done.described())
    else:
        note(f"{file}: {done.answers:,} answers: {done.new:,} new, {done.known:,} known; {done.boxes:,} new boxes")
    counts = {"unknown or changed candidates": done.unknown, "older than the person's last": done.older, **done.passed}
    if said := [f"{number:,} {what}" for what, number in counts.items() if number]:
        complain(f"left out: {', '.join(said)}")
    if done.unknown or done.older:
        raise typer.Exit(_LEFT_OUT)


def of_review(context: typer.Context, workspace: Path | None) -> "Workspace":
    """The workspace, also where --workspace stands before the command's name."""
    from anomagent.store import Workspace

    before = context.parent.params.get("workspace") if context.parent else None
    return Workspace.open(settings_of(workspace=workspace or before).workspace, create=False)
