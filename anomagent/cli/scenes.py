"""`anomagent scenes`: rendered scenes with planted anomalies, exact ground truth for trying and measuring."""

import sys
from pathlib import Path
from typing import Annotated

import typer

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
