"""`anomagent scenes`: rendered scenes with planted anomalies, exact ground truth for trying and measuring."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from anomagent.cli.options import BaseUrlOption, ModelOption, RolesOption, WorkspaceOption, settings_of
from anomagent.cli.run import SOMETHING_FAILED

if TYPE_CHECKING:
    from rich.console import Group

app = typer.Typer(help="Rendered scenes with planted anomalies.", no_args_is_help=True)


@app.callback()
def scenes() -> None:
    """Rendered scenes with planted anomalies: exact ground truth for trying and measuring."""


@app.command()
def render(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.")],
    count: Annotated[int, typer.Option(help="How many scenes.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the first scene; equal seeds give equal scenes.")] = 0,
    size: Annotated[int, typer.Option(metavar="PX", help="Width and height of the images in pixels.")] = 504,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds other files.")] = False,
) -> None:
    """Render scenes into OUT: images/, annotations.json (the benchmark's format) and scenes.json (all that is known).

    manifest.jsonl lists the images with what was asked for and where each object is, for `anomagent dataset ingest`.

    Example: `anomagent scenes render scenes --count 20 --seed 7`
    """
    from rich.console import Console
    from rich.progress import Progress

    from anomagent.scenes.render import render as render_scenes

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("rendering", total=count)
        written = render_scenes(
            count, seed, out, size, overwrite=force, progress=lambda done: bar.update(task, completed=done)
        )
    typer.echo(f"{written.folder}: {written.images} scenes, {written.anomalies} anomalies, {written.clean} without any")


@app.command()
def bench(
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    roles: RolesOption = None,
    schedule: Annotated[Literal["paper", "lean", "direct"], typer.Option(help="As in `anomagent run`.")] = "lean",
    workspace: WorkspaceOption = None,
    count: Annotated[int, typer.Option(min=2, help="How many held-out scenes.")] = 300,
    seed: Annotated[int | None, typer.Option(help="Seed of the first scene.", show_default="2000000")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all figures as one JSON object.")] = False,
) -> None:
    """Measure a model on held-out scenes through the whole graph: objects, anomalies, false alarms, controls.

    The control "image swapped" scores what was found against what another scene holds. Exit code 3: an analysis failed.

    Example: `anomagent scenes bench --model embedded --count 300`
    """
    from rich.console import Console
    from rich.progress import Progress

    from anomagent.cli.console import complain, flat, print_json, stdout
    from anomagent.scenes.bench import HELD_OUT_SEED
    from anomagent.scenes.bench import bench as measure

    settings = settings_of(roles, model=model, base_url=base_url, schedule=schedule, workspace=workspace)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("analysing", total=count)
        first = HELD_OUT_SEED if seed is None else seed
        figures = asyncio.run(measure(settings, count, first, lambda done: bar.update(task, completed=done)))
    if json:
        print_json(figures)
    else:
        stdout().print(_draw(figures))
    if figures["status"]["ok"] < figures["scenes"]:
        complain(f"{figures['failures']} failures, such as: {'; '.join(map(flat, figures['reasons']))}")
        raise typer.Exit(SOMETHING_FAILED)


_ROWS = {
    "objects": "objects",
    "anomalies": "anomalies",
    "whole_image_scan": "  whole-image scans alone",
    "per_object": "  agents for single objects alone",
    "image_swapped": "control: another scene's image",
    "image_grey": "control: a grey image",
}


def _draw(figures: "dict[str, Any]") -> "Group":
    from rich.console import Group
    from rich.table import Table

    title = f"{figures['scenes']} scenes, {figures['schedule']}"
    table = Table("", "present", "precision", "recall", "F1", title=title)
    named = [(name, figures[key]) for key, name in _ROWS.items()]
    for name, row in (*named, *figures["kinds"].items()):
        table.add_row(name, str(row["present"]), *(f"{row[figure]:.3f}" for figure in ("precision", "recall", "f1")))
    status = ", ".join(f"{number} {name}" for name, number in figures["status"].items())
    alarms = f"False alarms on {figures['false_alarms']} of {figures['clean_scenes']} clean scenes."
    return Group(table, f"{alarms} Analyses: {status}. {figures['calls']} calls, {figures['seconds']} s.")
