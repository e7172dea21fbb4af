"""The commands, gathered. Their modules import nothing heavy before they run, so that `--help` is quick."""

from typing import Annotated

import typer

from anomagent.cli import (
    audit,
    batch,
    compare,
    dataset,
    doctor,
    evaluate,
    finetune,
    predict,
    review,
    run,
    scenes,
    show,
    studio,
)

app = typer.Typer(
    name="anomagent",
    help="Finds and explains semantic anomalies in AI-generated images.",
    epilog="Begin with `anomagent doctor`, then `anomagent run IMAGE`. Every command has --help with an example.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=True,
    # A traceback with local variables could show a key.
    pretty_exceptions_enable=False,
)
app.command()(run.run)
app.command()(batch.batch)
app.command()(predict.predict)
app.command()(show.show)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.command()(audit.audit)
app.add_typer(review.app, name="review")
app.add_typer(dataset.app, name="dataset")
app.add_typer(finetune.app, name="finetune")
app.add_typer(scenes.app, name="scenes")
app.command()(studio.studio)
app.command()(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        from anomagent import __version__

        typer.echo(f"anomagent {__version__}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Finds and explains semantic anomalies in AI-generated images."""
