"""One HTML file that needs nothing else: templates that escape everything, pictures inside, written whole or not."""

import base64
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from anomagent.benchmark.files import whole_file
from anomagent.errors import UsageError
from anomagent.models.imaging import encode, load_rgb
from anomagent.report.plain import printable
from anomagent.state.classic_text import describe_severity

PICTURE_PIXELS = 512 * 1024
"""Images are scaled down to this many pixels before they are embedded."""


def render(template: str, **values: Any) -> str:
    """A page as text. What a model or a user wrote is escaped, and the page may load nothing from anywhere."""
    return _environment().get_template(template).render(**values)


def write_html(page: str, file: Path) -> None:
    """Write `page` to `file`, whole or not at all. Raises `UsageError` where it cannot be written."""
    try:
        with whole_file(file) as unfinished:
            unfinished.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}; choose another file for --html") from error


def picture_url(image: Path, pixels: int = PICTURE_PIXELS) -> str | None:
    """An image, scaled down, as a data URL; None where it is gone or no longer an image."""
    try:
        mime, content = encode(load_rgb(image, pixels))
    except UsageError:
        return None
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


@cache
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
    """Text without control characters; what a macro of ours has rendered is harmless already."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
