"""`anomagent dataset filter`: which images stay by their scores."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomagent.cli.console import complain, note, print_json, stdout
from anomagent.cli.dataset_progress import progress_of
from anomagent.cli.options import WorkspaceOption, check_writable, settings_of
from anomagent.cli.run import SOMETHING_FAILED

if TYPE_CHECKING:
    from anomagent.dataset.filter import Prospect
    from anomagent.dataset.measure import Measured

_FAILURES_SHOWN = 5


def filter_images(
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", metavar="MODEL", help="A CLIP model: a directory, or a hub name, which is downloaded once."
        ),
    ],
    workspace: WorkspaceOption = None,
    realism_min: Annotated[
        float | None, typer.Option(metavar="X", help="Least realism: photograph against AI-generated image, 0 to 1.")
    ] = None,
    prompt_similarity_min: Annotated[
        float | None, typer.Option(metavar="X", help="Least cosine of image and prompt, -1 to 1; often 0.15 to 0.35.")
    ] = None,
    photo_min: Annotated[
        float | None, typer.Option(metavar="X", help="Least share of photograph against illustration, 0 to 1.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Decide so; without this nothing is dropped.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the histograms as .png, .svg or .pdf.")
    ] = None,
    device: Annotated[str, typer.Option(help="One of auto, cpu, cuda, cuda:N, mps.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, max=4096, help="Images that the model sees at once.")] = 32,
    json: Annotated[bool, typer.Option("--json", help="Print all figures as one JSON object.")] = False,
) -> None:
    """Score images with CLIP, show how the scores are spread and what thresholds would do; --apply does it.

    Scores are kept: other thresholds take seconds and decide anew about all images. An image whose prompt is not known
    has no prompt similarity and is not dropped for it. Exit code 3: copies of images cannot be read.

    Example: `anomagent dataset filter --model openai/clip-vit-base-patch32 --realism-min 0.3`
    """
    from anomagent.dataset import filter as filtering
    from anomagent.dataset.clip import Clip
    from anomagent.dataset.histogram import check_plot
    from anomagent.dataset.histogram import plot as draw
    from anomagent.dataset.scores import unmeasured
    from anomagent.store import Workspace
    from anomagent.store.steps import dataset_step

    thresholds = filtering.Thresholds(realism_min, prompt_similarity_min, photo_min)
    if plot:
        check_writable(plot)
        check_plot(plot)
    store = Workspace.open(settings_of(workspace=workspace).workspace, create=False)
    clip = Clip(model, device)
    from anomagent.dataset.measure import measure  # needs what Clip has found to be there

    lacking = sum(1 for _ in unmeasured(store, clip.identity))
    settings = {"model": model, "weights": clip.identity, **vars(thresholds), "applied": apply}
    with dataset_step(store, "filter", settings) as step:
        with progress_of("measuring", lacking) as advance:
            measured = measure(store, clip, batch_size, advance)
        prospect = filtering.foresee(store, clip.identity, thresholds)
        changed = filtering.apply(store, step, prospect) if apply else 0
        counts = {"applied": apply, "new": measured.new, "changed": changed}
        step.result = {**counts, **filtering.result_of(prospect)}
    if plot:
        draw({name: (each, thresholds.of(name)) for name, each in prospect.histograms().items()}, plot)
    if json:
        print_json({"step": step.id, "model": clip.identity, "failed": measured.failed, **step.result})
    else:
        _print(prospect, measured, apply)
        note(f"these scores are called {clip.identity}, after the model's content")
    _warn(prospect, measured, apply)
    if measured.failed:
        raise typer.Exit(SOMETHING_FAILED)


def _print(prospect: "Prospect", measured: "Measured", applied: bool) -> None:
    from anomagent.dataset.filter import SCORES
    from anomagent.report.costs import count

    console = stdout()
    for score, histogram in prospect.histograms().items():
        threshold = prospect.thresholds.of(score)
        said = "" if threshold is None else f", {prospect.below[score]:,} below {threshold:g}"
        console.print(f"{score.replace('_', ' ')}: {count(sum(histogram.counts), 'image')}{said}")
        for line in histogram.lines(threshold):
            console.print(line, no_wrap=True, crop=False, overflow="ignore")
        console.print()
    images = len(prospect.decisions)
    if all(prospect.thresholds.of(score) is None for score in SCORES):
        console.print(f"{count(images, 'image')}, no threshold: all {'stay' if applied else 'would stay'}")
    else:
        verb = "stay" if applied else "would stay"
        console.print(f"{prospect.kept:,} of {count(images, 'image')} {verb}, {images - prospect.kept:,} go")
    if prospect.without_prompt:
        console.print(f"{count(prospect.without_prompt, 'image')} without a prompt: no similarity, not dropped for it")
    note(f"{count(measured.new, 'image')} measured now" + ("" if applied else "; nothing is decided without --apply"))


def _warn(prospect: "Prospect", measured: "Measured", applied: bool) -> None:
    if prospect.bereft:
        lost = "go" if applied else "would go"
        complain(
            f"images that stood for groups of near-duplicates and {lost}: {prospect.bereft:,}; "
            "`anomagent dataset dedupe --apply` then brings the best of each group back"
        )
    for message in measured.failed[:_FAILURES_SHOWN]:
        complain(message)
    if (more := len(measured.failed) - _FAILURES_SHOWN) > 0:
        complain(f"and {more:,} more that cannot be read")
