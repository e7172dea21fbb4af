"""`anomagent show`: what every agent said about an image, and what it cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomagent.cli.console import note, print_json, stdout
from anomagent.cli.options import WorkspaceOption, check_writable, settings_of
from anomagent.errors import UsageError

if TYPE_CHECKING:
    from anomagent.store import StoredAnalysis, Workspace

_MOST_NAMES = 10


def show(
    what: Annotated[
        str, typer.Argument(metavar="IMAGE|RUN|SHA", help="An image file or name, a run's id, or the start of a hash.")
    ],
    workspace: WorkspaceOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object an analysis, one a line.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a self-contained page instead.")] = None,
) -> None:
    """Show what every agent said, which candidates came of it, what it cost and what failed.

    For an image its newest analysis, for a run all of its analyses.

    Example: `anomagent show photo.png --html photo.html`
    """
    from anomagent.store import Workspace

    settings = settings_of(workspace=workspace)
    check_writable(html)
    store = Workspace.open(settings.workspace, create=False)
    analyses = _find(store, what)
    if html:
        from anomagent.report.page import write_page

        write_page(store, analyses, html)
        note(f"wrote {html}")
    for analysis in analyses:
        if json:
            print_json({**analysis, "usage": analysis["usage"].model_dump()})
        elif not html:
            from anomagent.cli.trail import draw_analysis

            stdout().print(draw_analysis(analysis))


def _find(store: "Workspace", what: str) -> "list[StoredAnalysis]":
    """A run's analyses, oldest first, or the newest of an image. Raises `UsageError` that lists what there is."""
    from anomagent.store import find_analyses, list_analyses

    try:
        found = find_analyses(store, what)
    except UsageError as error:
        known = list(dict.fromkeys(analysis["image"] for analysis in reversed(list_analyses(store))))
        more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
        raise UsageError(f"{error}; analysed so far: {', '.join(known[:_MOST_NAMES]) or 'nothing'}{more}") from None
    if found[0]["run_id"] == what:
        return found[::-1]
    if len(found) > 1:
        runs = ", ".join(analysis["run_id"] for analysis in found[1 : _MOST_NAMES + 1])
        note(f"the newest of {len(found)} analyses; earlier runs: {runs}")
    return found[:1]
