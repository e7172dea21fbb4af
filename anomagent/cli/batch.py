"""`anomagent batch`: analyse folders of images, and go on wherever the last batch ended."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from anomagent.cli.console import note
from anomagent.cli.options import ModelOption, RolesOption, WorkspaceOption, check_writable, settings_of
from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from anomagent.batch.configuration import Gate
    from anomagent.batch.runner import Engine
    from anomagent.batch.states import Which
    from anomagent.batch.tally import Tally
    from anomagent.benchmark.items import Item
    from anomagent.config import Settings


def batch(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Images, folders, globs, or manifests (CSV, JSONL, Parquet).")
    ],
    model: ModelOption = None,
    base_urls: Annotated[
        list[str] | None,
        typer.Option("--base-url", help="An OpenAI-compatible server; given several times, they are used in turn."),
    ] = None,
    roles: RolesOption = None,
    schedule: Annotated[
        Literal["paper", "lean", "direct"] | None,
        typer.Option(help="paper: every step; lean: fewest calls; direct: one call.", show_default="paper"),
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
        bool, typer.Option("--retry-failed", help="Analyse what failed or is partial, and nothing else.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Settings changed: keep what is finished, do what is missing or failed.")
    ] = False,
    new_run: Annotated[bool, typer.Option("--new-run", help="Settings changed: analyse everything anew.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many images.")] = None,
    results: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append one JSON object an image, as `run --json` prints it.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="local: this machine; ray: an existing Ray cluster.")
    ] = "local",
) -> None:
    """Find the semantic anomalies in many images.

    The same command again resumes: what is finished in the workspace is not done again, and no finished call is ever
    repeated. Equal files are analysed once and reported under each name. Interrupt once (Ctrl-C) to finish the images
    in work, twice to stop at once. A manifest has a column image, relative to the manifest, and may have prompt,
    source, generator and id. Exit code 3: something failed, or the budget or the disk ended the batch.

    Example: `anomagent batch photos/ list.csv --model openai:gpt-4o --concurrency 32 --results results.jsonl`
    """
    _exclude({"--retry-failed": retry_failed, "--retry": retry, "--new-run": new_run})
    first_url, *more_urls = base_urls or [None]
    settings = settings_of(
        roles,
        model=model,
        base_url=first_url,
        more_base_urls=more_urls or None,
        schedule=schedule,
        workspace=workspace,
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        budget_usd=budget_usd,
    )
    check_writable(results)
    from anomagent.batch.configuration import Gate
    from anomagent.benchmark.items import gather

    items = gather(paths, limit)
    gate = Gate("new run" if new_run else "retry" if retry else "refuse")
    which = "failed" if retry_failed else "both" if retry else "missing"
    if dry_run:
        _print_estimate(settings, items, gate, which, json)
        return
    tally = _run(settings, items, _engine(engine), gate, which, results)
    _print_summary(tally, json)
    if tally.exit_code:
        raise typer.Exit(tally.exit_code)


def _exclude(flags: dict[str, bool]) -> None:
    given = [name for name, is_given in flags.items() if is_given]
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)} exclude each other; choose one")


def _engine(name: str) -> "Engine":
    if name == "ray":
        from anomagent.batch.ray_engine import RayEngine

        return RayEngine()
    from anomagent.batch.local import LocalEngine

    return LocalEngine()


def _run(
    settings: "Settings", items: "list[Item]", engine: "Engine", gate: "Gate", which: "Which", results: Path | None
) -> "Tally":
    from anomagent.batch.results import ResultsFile
    from anomagent.batch.runner import run_batch
    from anomagent.batch.tally import Tally
    from anomagent.cli.batch_board import display_for

    async def work(tally: "Tally", file: ResultsFile | None) -> "Tally":
        display = display_for(tally)
        async with display.shown():
            return await run_batch(
                settings,
                items,
                engine,
                gate=gate,
                which=which,
                results=file,
                tally=tally,
                on_event=display.meter.on_event,
                on_analysis=display.on_analysis,
                say=display.say,
            )

    with ExitStack() as stack:
        file = stack.enter_context(ResultsFile(results)) if results else None
        return asyncio.run(work(Tally(len(items)), file))


def _print_estimate(settings: "Settings", items: "list[Item]", gate: "Gate", which: "Which", json: bool) -> None:
    from anomagent.batch.estimate import configuration_of, estimate_batch
    from anomagent.cli.console import flat, print_json

    configuration = asyncio.run(configuration_of(settings))
    estimate = estimate_batch(settings, items, configuration, gate, which)
    if json:
        print_json(estimate.as_dict())
    else:
        print("\n".join(map(flat, estimate.describe())))


def _print_summary(tally: "Tally", json: bool) -> None:
    """The summary on stdout; on stderr what to do next, and the trace of a fault of ours."""
    import traceback

    from anomagent.cli.batch_board import advice, summary_lines
    from anomagent.cli.console import print_json

    if json:
        print_json(tally.as_dict())
    else:
        print("\n".join(summary_lines(tally)), flush=True)
    for line in advice(tally):
        note(line)
    if tally.fault:
        traceback.print_exception(tally.fault)
