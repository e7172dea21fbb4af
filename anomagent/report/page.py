"""One HTML file that needs nothing else: the image, the anomalies, and what every agent said on the way."""

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from anomagent.errors import UsageError
from anomagent.models.imaging import encode, load_rgb
from anomagent.report.costs import describe_usage
from anomagent.report.plain import printable
from anomagent.report.trail import trail_of
from anomagent.state.classic_text import describe_severity
from anomagent.state.findings import UsageTotals
from anomagent.store import StoredAnalysis, Workspace, find_image

PICTURE_PIXELS = 512 * 1024
"""Images are scaled down to this many pixels before they are embedded."""


def write_page(workspace: Workspace, analyses: Sequence[StoredAnalysis], file: Path) -> None:
    """Write the page of `analyses` to `file`, whole or not at all. Raises `UsageError` where it cannot be written."""
    pictures = {analysis["sha256"]: _picture(workspace, analysis["sha256"]) for analysis in analyses}
    page = render_page(analyses, pictures)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise UsageError(f"cannot write {file}: {error.strerror}; choose another file for --html") from error


def render_page(analyses: Sequence[StoredAnalysis], pictures: Mapping[str, str | None]) -> str:
    """The page as text; `pictures` gives an image's data URL by content hash, None where the image is gone.

    Everything that a model or a user wrote is escaped, and the page may load nothing from anywhere.
    """
    shown = [
        {
            "analysis": analysis,
            "picture": pictures[analysis["sha256"]],
            "trail": trail_of(analysis),
            "costs": describe_usage(UsageTotals.of(analysis["calls"])),
        }
        for analysis in analyses
    ]
    return _environment().get_template("report.html.j2").render(shown=shown)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("anomagent.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    environment.filters["severity_words"] = describe_severity
    return environment


def _harmless(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value


def _picture(workspace: Workspace, sha256: str) -> str | None:
    try:
        mime, content = encode(load_rgb(find_image(workspace, sha256), PICTURE_PIXELS))
    except UsageError:
        return None
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"
