"""`anomagent dataset export`: results as files, what people accepted by default."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from anomagent.cli.console import complain, note, print_json
from anomagent.cli.options import WorkspaceOption, settings_of
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.cli.scoring_options import check_together, is_given
from anomagent.dataset.stages import Stage
from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from anomagent.dataset.export import Choices, Exported
    from anomagent.state.findings import Status

_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")


def export(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; a folder for hf and with --split.")],
    workspace: WorkspaceOption = None,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Of this run alone, not of the whole workspace.")
    ] = None,
    shape: Annotated[
        Literal["released", "project-page", "jsonl", "classic", "real-images", "hf"] | None,
        typer.Option(
            help="released, project-page: the benchmark's files; jsonl: the lines of `run --json`; "
            "classic: the classic text by image; real-images: descriptions of real images, which the shapes before "
            "leave out; hf: a folder for Hugging Face's datasets, Parquet and a card, with both.",
            show_default="released",
        ),
    ] = None,
    stage: Annotated[
        Stage | None,
        typer.Option(help="Instead: what these agents said on the way, one JSON object an image, one a line."),
    ] = None,
    anomalies: Annotated[
        Literal["accepted", "all"], typer.Option(help="What people accepted, or all candidates, reviewed or not.")
    ] = "accepted",
    undecided: Annotated[
        Literal["skip", "include"],
        typer.Option(
            "--open",
            help="Images with a candidate that is unreviewed or unsure: leave them out, or write what is "
            "accepted of them so far.",
        ),
    ] = "skip",
    status: Annotated[
        str, typer.Option(metavar="STATUS,...", help="Which results: ok, partial; jsonl and stages: failed as well.")
    ] = "ok,partial",
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="A folder: one file for each part of this split, and split.json.")
    ] = None,
    names: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only images named in FILE, one name a line.")
    ] = None,
    keys: Annotated[
        Literal["base", "path", "sha256"] | None,
        typer.Option(
            help="Images by the last part of their name, by the name as analysed (of two contents the newest), or by "
            "content: each once.",
            show_default="base; for hf sha256",
        ),
    ] = None,
    image_paths: Annotated[
        bool, typer.Option("--image-paths", help="hf: where the images lie on this machine, not the images themselves.")
    ] = False,
    license: Annotated[
        str | None, typer.Option(metavar="ID", help="hf: the license, such as cc-by-4.0; else the card asks for it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as one JSON object.")] = False,
) -> None:
    """Write a data set: of each image the newest finished analysis, of it what people accepted in `anomagent review`.

    An analysis that people reviewed goes before a newer one that nobody has looked at. Images that were filtered out
    are left out, and so are those that people are not done with; an empty list says that nothing was found or all was
    rejected. Severity is realism: 0 = completely implausible, 100 = fully realistic. What is not written is counted.
    Exit code 3: some failed, wholly or in part, or are not done; the rest is written.

    Example: `anomagent dataset export annotations.json --shape released`
    """
    from dataclasses import asdict

    from anomagent.dataset.export import Card, Choices
    from anomagent.dataset.export import export as write
    from anomagent.store import Workspace
    from anomagent.store.steps import dataset_step

    if shape and stage:
        raise ConfigurationError("--shape and --stage exclude each other; choose one")
    check_together(
        ("--image-paths", image_paths, "--shape hf", shape == "hf"),
        ("--license", license is not None, "--shape hf", shape == "hf"),
        ("--anomalies", is_given(context, "anomalies"), "a shape: stages are what was said", stage is None),
        ("--open", is_given(context, "undecided"), "a shape: stages are what was said", stage is None),
        ("--open", is_given(context, "undecided"), "--anomalies accepted", anomalies == "accepted"),
    )
    if license is not None and not _LICENSE.fullmatch(license):
        raise ConfigurationError(f"--license {license!r}: is no license's id; give one such as cc-by-4.0 or apache-2.0")
    # Whoever trains on a data set of Hugging Face expects no picture in it twice.
    key = keys or ("sha256" if shape == "hf" else "base")
    chosen = Choices(
        run_id=run,
        statuses=_statuses(status),
        key=key,
        anomalies=anomalies,
        undecided=undecided,
        split=split,
        names=_names(names),
        overwrite=force,
        card=Card("paths" if image_paths else "bytes", license),
    )
    store = Workspace.open(settings_of(workspace=workspace).workspace, create=False)
    content = stage or shape or "released"
    told = {"out": str(out), "content": content, "anomalies": anomalies, "run": run, "split": split, "status": status}
    with dataset_step(store, "export", told | {"open": undecided, "keys": key}) as step:
        exported = write(store, out, content, chosen)
        step.result = asdict(exported)
    if json:
        print_json(asdict(exported))
    else:
        note(f"wrote {out}: {exported.images} images, {exported.anomalies} anomalies")
    skips = undecided == "skip" and anomalies == "accepted" and stage is None
    _report_rest(exported, chosen, of_shape=stage is None, skips=skips, real=shape == "real-images")
    if exported.failed or exported.partial or (skips and exported.open_images):
        raise typer.Exit(SOMETHING_FAILED)


def _names(file: Path | None) -> list[str] | None:
    """The lines of a file that are not blank. Raises `UsageError`."""
    if file is None:
        return None
    from anomagent.benchmark.documents import read_text

    return [line.strip() for line in read_text(file).splitlines() if line.strip()]


def _statuses(text: str) -> "list[Status]":
    """`ok,partial` as statuses. Raises `ConfigurationError`."""
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in ("ok", "partial", "failed")]:
        raise ConfigurationError(f"--status {text}: no status {unknown[0]!r}; known: ok, partial, failed")
    return cast("list[Status]", names)


def _report_rest(exported: "Exported", chosen: "Choices", of_shape: bool, skips: bool, real: bool) -> None:
    """On stderr, a line each: candidates that are not accepted, and images that failed or are in no file."""
    failed, partial = ("written" if status in chosen.statuses else "left out" for status in ("failed", "partial"))
    candidates = {
        "rejected": exported.rejected,
        "unsure": exported.unsure,
        "unreviewed": exported.unreviewed,
    }
    other = "no real ones" if real else "real ones, which --shape real-images writes"
    images = {
        f"failed ({failed})": exported.failed,
        f"partial ({partial})": exported.partial,
        f"with undecided candidates ({'left out' if skips else 'written'})": exported.open_images,
        "not finished": exported.running,
        "filtered out": exported.dropped,
        "in no part of the split": exported.unassigned,
        f"{other} (left out)": exported.described,
        "behind a newer image of the same name (left out)": exported.hidden,
    }
    if exported.superseded:
        complain(f"superseded: reviewed results are older than {exported.superseded} newer analyses, and are used")
    if of_shape:
        _say("candidates", candidates)
    _say("images", images)
    if exported.unknown:
        complain(f"names of no image: {exported.unknown}")


def _say(what: str, counts: dict[str, int]) -> None:
    if said := [f"{number} {about}" for about, number in counts.items() if number]:
        complain(f"{what}: {', '.join(said)}")
