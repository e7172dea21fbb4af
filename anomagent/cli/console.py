"""What all commands print with. Text that a model or a user wrote is never taken for markup or terminal codes."""

import json
import sys
from typing import TYPE_CHECKING, Any

from anomagent.report.plain import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


def complain(message: str) -> None:
    """One line on stderr, however many the message has."""
    print(f"anomagent: {flat(message)}", file=sys.stderr)


def note(message: str) -> None:
    """One line of news on stderr."""
    print(flat(message), file=sys.stderr, flush=True)


def flat(text: str) -> str:
    """`text` on one line, without control characters."""
    return " ".join(printable(text).split())


def plain(text: str, style: str = "") -> "Text":
    """`text` as rich prints it letter by letter: no markup, no control characters."""
    from rich.text import Text

    return Text(printable(text), style)


def stdout() -> "Console":
    """A console for results."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """`value` as one line of JSON, every character as it is; half a surrogate pair stays its JSON escape."""
    line = json.dumps(value, ensure_ascii=False)
    print(line.encode("utf-8", "backslashreplace").decode("utf-8"), flush=True)
