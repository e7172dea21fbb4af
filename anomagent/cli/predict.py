"""`anomagent predict`: what one model says alone about many images, as a file that `evaluate` reads."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from anomagent.cli.console import note
from anomagent.cli.options import ModelOption, WorkspaceOption, check_writable, settings_of
from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from anomagent.benchmark.items import Item
    from anomagent.config import Settings
    from anomagent.prediction.presets import Preset
    from anomagent.prediction.question import Question
    from anomagent.prediction.runner import Run


_TAKE_ADAPTERS: Final = ("embedded", "qwen-vl", "fake")


def predict(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="Images, folders, globs, or manifests (CSV, JSONL, Parquet)."),
    ] = None,
    model: ModelOption = None,
    preset: Annotated[
        str | None, typer.Option(help="A system of the paper's Table 1 by name: model, pixel bounds, parameters.")
    ] = None,
    base_urls: Annotated[
        list[str] | None,
        typer.Option("--base-url", help="An OpenAI-compatible server; given several times, they are used in turn."),
    ] = None,
    adapter: Annotated[
        str | None, typer.Option(metavar="DIR", help="A LoRA adapter for a model in this process.")
    ] = None,
    task: Annotated[
        Literal["anomalies", "deepfake"],
        typer.Option(help="anomalies: a list in one turn; deepfake: real or AI-generated, then the list."),
    ] = "anomalies",
    form: Annotated[
        Literal["classic", "json"], typer.Option(help="How the list is asked for; answers are read in any form.")
    ] = "classic",
    split: Annotated[
        Path | None, typer.Option(metavar="FILE", help='Only the images of a part of {"train": [...], "test": [...]}.')
    ] = None,
    part: Annotated[str | None, typer.Option(help="The part of --split.", show_default="test")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Predictions: JSON, or JSON lines (.jsonl).")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the predictions in the workspace.", show_default="of --out")
    ] = None,
    workspace: WorkspaceOption = None,
    concurrency: Annotated[
        int | None, typer.Option(help="Calls in flight at once, over all images.", show_default="8")
    ] = None,
    requests_per_minute: Annotated[float | None, typer.Option(help="Bound on requests, over all images.")] = None,
    tokens_per_minute: Annotated[float | None, typer.Option(help="Bound on input and output tokens.")] = None,
    budget_usd: Annotated[float | None, typer.Option(help="Stop before this much money is spent.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only estimate calls, tokens, money and time.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again what failed or is partial, and nothing else.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many images.")] = None,
    presets: Annotated[bool, typer.Option("--presets", help="List the presets and exit.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print how --preset is reached and exit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Ask one model about many images, in one prompt (anomalies) or two turns (deepfake).

    The same command again resumes: no finished call is ever repeated. Interrupt once (Ctrl-C) to finish the images in
    work, twice to stop at once; the file is written either way. An image that fails is in the file with the reason.
    `evaluate` reads the file as it is. Exit code 3: something failed, or the budget or the disk ended it.

    Example: `anomagent predict images/ --preset gpt-4o --split split.json --out predictions.jsonl --budget-usd 20`
    """
    if presets or show:
        _print_presets(preset, show, json)
        return
    chosen = _preset(preset, model)
    first_url, *more_urls = base_urls or [None]
    system: dict[str, Any] = chosen.settings(first_url) if chosen else {"model": model, "base_url": first_url}
    settings = settings_of(
        **system,
        more_base_urls=more_urls or None,
        adapter=adapter,
        workspace=workspace,
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        budget_usd=budget_usd,
    )
    if chosen:
        chosen.check(settings)
    items, question = _images(paths, split, part, limit), _question(task, form, settings, chosen)
    if dry_run:
        _print_estimate(settings, question, items, retry_failed, json)
        return
    if out is None:
        raise ConfigurationError("no --out; name the file of predictions, such as --out predictions.jsonl")
    check_writable(out)
    _predict(settings, question, items, out, name or out.stem, retry_failed, json)


def _print_presets(name: str | None, show: bool, json: bool) -> None:
    from anomagent.cli.console import print_json
    from anomagent.prediction.presets import find_preset, read_presets

    if show and name is None:
        raise ConfigurationError("--show needs --preset NAME; --presets lists the names")
    found = [find_preset(name)] if name is not None and show else list(read_presets().values())
    if json:
        print_json([one.as_dict() for one in found])
    elif show:
        print("\n".join(found[0].describe()))
    else:
        print("\n".join(one.line() for one in found))


def _preset(name: str | None, model: str | None) -> "Preset | None":
    if name is None:
        return None
    from anomagent.prediction.presets import find_preset

    if model is not None:
        raise ConfigurationError("--preset and --model exclude each other; a preset names the model")
    return find_preset(name)


def _images(paths: list[str] | None, split: Path | None, part: str | None, limit: int | None) -> "list[Item]":
    from anomagent.prediction.images import choose_images

    if not paths:
        raise ConfigurationError("no PATH; name images, folders, globs or manifests")
    if part is not None and split is None:
        raise ConfigurationError(f"--part {part} needs --split FILE, the split that it is a part of")
    items, notes = choose_images(paths, split, part or "test", limit)
    for line in notes:
        note(f"anomagent: {line}")
    return items


def _question(task: Any, form: Any, settings: "Settings", preset: "Preset | None") -> "Question":
    from anomagent.prediction.question import Question

    if form == "json" and task == "deepfake":
        raise ConfigurationError("--form json belongs to --task anomalies; the two turns ask for the classic form")
    if settings.adapter and settings.model.partition(":")[0] not in _TAKE_ADAPTERS:
        raise ConfigurationError(
            f"an adapter belongs to a model in this process, which {settings.model} is not; a server gets it when it is"
            " started (--preset anomreasonor-7b --show)"
        )
    if form == "json" and settings.adapter:
        note("anomagent: adapters are usually trained on the classic form, which --form json does not ask for")
    return Question(task, form, odds=preset is None or "logprobs" not in preset.refuses)


def _predict(
    settings: "Settings",
    question: "Question",
    items: "list[Item]",
    out: Path,
    name: str,
    retry_failed: bool,
    json: bool,
) -> None:
    from anomagent.batch.tally import Tally
    from anomagent.cli.predict_board import Board, print_summary
    from anomagent.prediction.output import write_predictions
    from anomagent.prediction.results import Results
    from anomagent.prediction.runner import Run

    tally = Tally(len(items))
    board = Board.of(tally)
    run = Run(settings, question, items, name, retry_failed, board.on_event, board.on_analysis, board.say, tally)
    described = asyncio.run(_go(run, board))
    results = Results(settings.workspace, described.configuration, items)
    write_predictions(out, results)
    print_summary(tally, results.counts, out, json)
    if tally.exit_code:
        raise typer.Exit(tally.exit_code)


async def _go(run: "Run", board: Any) -> Any:
    async with board.shown():
        return await run.go()


def _print_estimate(
    settings: "Settings", question: "Question", items: "list[Item]", retry_failed: bool, json: bool
) -> None:
    from anomagent.cli.console import flat, print_json
    from anomagent.prediction.estimate import estimate_predictions

    estimate = asyncio.run(estimate_predictions(settings, question, items, retry_failed))
    if json:
        print_json(estimate.as_dict())
    else:
        print("\n".join(map(flat, estimate.describe())))
