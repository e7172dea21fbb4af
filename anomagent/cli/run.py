"""`anomagent run`: analyse images and print what was found."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from anomagent.cli.console import complain
from anomagent.cli.options import (
    BaseUrlOption,
    ModelOption,
    RolesOption,
    WorkspaceOption,
    check_writable,
    settings_of,
)
from anomagent.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from anomagent.cli.progress import Progress
    from anomagent.config import Settings
    from anomagent.state.findings import Analysis
    from anomagent.store import Workspace

SOMETHING_FAILED = 3


def run(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Image files, analysed one after another.")],
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    roles: RolesOption = None,
    schedule: Annotated[
        Literal["paper", "lean", "direct"] | None,
        typer.Option(help="paper: every step; lean: fewest calls; direct: one call.", show_default="paper"),
    ] = None,
    adapter: Annotated[Path | None, typer.Option(help="LoRA adapter of an in-process model.")] = None,
    workspace: WorkspaceOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object an image, one a line.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Print the benchmark's classic text form.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a self-contained page.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Calls in flight at once.", show_default="8")] = None,
    keep_history: Annotated[bool, typer.Option("--keep-history", help="Keep the checkpoints when done.")] = False,
) -> None:
    """Find the semantic anomalies in images.

    Severity is realism: 0 = completely implausible, 100 = fully realistic. Answers of models are kept in the workspace
    and never paid for twice: run the same command again to resume. Everything else is set in anomagent.toml or by
    ANOMAGENT_* variables. Exit code 3: something failed, the rest is printed.

    Example: `anomagent run photo.png --model openai:gpt-4o --json`
    """
    if json and text:
        raise ConfigurationError("--json and --text exclude each other; choose one")
    settings = settings_of(
        roles,
        model=model,
        base_url=base_url,
        schedule=schedule,
        adapter=str(adapter) if adapter else None,
        workspace=workspace,
        concurrency=concurrency,
        keep_history=keep_history or None,
    )
    check_writable(html)
    jobs = _check(images)
    from anomagent.cli.progress import progress_for
    from anomagent.cli.results import printer_for

    show = printer_for("json" if json else "text" if text else "table")
    analyses = asyncio.run(_analyze(settings, jobs, progress_for(settings, quiet=json), show, html))
    if any(analysis.status != "ok" for analysis in analyses):
        raise typer.Exit(SOMETHING_FAILED)


@dataclass(frozen=True)
class Job:
    """One image as it was named, and its content."""

    path: Path
    sha256: str


def _check(paths: Sequence[Path]) -> list[Job]:
    """Look at every image before anything is spent: each bad one is a line of its own, and then nothing runs."""
    from anomagent.store import check_image

    jobs: list[Job] = []
    for path in paths:
        try:
            jobs.append(Job(path, check_image(path)))
        except UsageError as error:
            complain(str(error))
    if len(jobs) < len(paths):
        raise typer.Exit(UsageError.exit_code)
    return jobs


async def _analyze(
    settings: "Settings",
    jobs: Sequence[Job],
    progress: "Progress",
    show: "Callable[[Analysis], None]",
    html: Path | None,
) -> "list[Analysis]":
    """Analyse the jobs in their order, and show each result as soon as it is there."""
    from anomagent.graph.analyze import Analyzer

    done: dict[str, Analysis] = {}
    analyses: list[Analysis] = []
    async with Analyzer.open(settings, progress.on_event, "run") as analyzer:
        for job in jobs:
            if job.sha256 in done:
                analysis = _again(done[job.sha256], job.path)
            else:
                with progress.image(str(job.path)):
                    analysis = done[job.sha256] = await analyzer.analyze(job.path)
            analyses.append(analysis)
            progress.finished(analysis)
            show(analysis)
        if html:
            await asyncio.to_thread(_write_page, analyzer.session.workspace, analyzer.run, html)
    return analyses


def _again(analysis: "Analysis", path: Path) -> "Analysis":
    """The same content under another name: the same result, and nothing spent on it."""
    from anomagent.state.findings import UsageTotals

    return analysis.model_copy(update={"image": str(path), "usage": UsageTotals(), "seconds": 0.0})


def _write_page(workspace: "Workspace", run_id: str, html: Path) -> None:
    from anomagent.report.page import write_page
    from anomagent.store import find_analyses

    write_page(workspace, list(reversed(find_analyses(workspace, run_id))), html)
