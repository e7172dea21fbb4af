"""`anomagent dataset`: from images to a data set. Each command is a module of its own; here they are gathered."""

import typer

from anomagent.cli import (
    dataset_build,
    dataset_dedupe,
    dataset_export,
    dataset_filter,
    dataset_import,
    dataset_ingest,
    dataset_manifest,
    dataset_split,
    dataset_stats,
)

app = typer.Typer(help="Data sets: from images to files that can be published.", no_args_is_help=True)


@app.callback()
def dataset() -> None:
    """Data sets: images in, chosen, split and described; what was found, and what every agent said on the way, out."""


app.command()(dataset_ingest.ingest)
app.command("filter")(dataset_filter.filter_images)
app.command()(dataset_dedupe.dedupe)
app.command()(dataset_manifest.manifest)
app.command("import")(dataset_import.import_)
app.command()(dataset_split.split)
app.command()(dataset_split.leakage)
app.command()(dataset_stats.stats)
app.command()(dataset_export.export)
app.command()(dataset_build.build)
