"""The page of analyses: the image, the anomalies, and what every agent said on the way."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from anomagent.errors import UsageError
from anomagent.report.costs import describe_usage
from anomagent.report.html import picture_url, render, write_html
from anomagent.report.trail import trail_of
from anomagent.state.findings import UsageTotals
from anomagent.store import StoredAnalysis, Workspace, find_image


def write_page(workspace: Workspace, analyses: Sequence[StoredAnalysis], file: Path) -> None:
    """Write the page of `analyses` to `file`, whole or not at all. Raises `UsageError` where it cannot be written."""
    pictures = {analysis["sha256"]: _picture(workspace, analysis["sha256"]) for analysis in analyses}
    write_html(render_page(analyses, pictures), file)


def render_page(analyses: Sequence[StoredAnalysis], pictures: Mapping[str, str | None]) -> str:
    """The page as text; `pictures` gives an image's data URL by content hash, None where the image is gone."""
    shown = [
        {
            "analysis": analysis,
            "picture": pictures[analysis["sha256"]],
            "trail": trail_of(analysis),
            "costs": describe_usage(UsageTotals.of(analysis["calls"])),
        }
        for analysis in analyses
    ]
    return render("report.html.j2", shown=shown)


def _picture(workspace: Workspace, sha256: str) -> str | None:
    try:
        return picture_url(find_image(workspace, sha256))
    except UsageError:
        return None
