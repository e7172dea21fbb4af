"""Names that people give to things: sources, annotators, splits."""

from typing import Final

from anomagent.errors import ConfigurationError

LONGEST_SOURCE: Final = 200
LONGEST_ANNOTATOR: Final = 80
"""As `anomagent.state.reviews` has it."""
LONGEST_SPLIT: Final = 100
_SHOWN: Final = 80


def check_label(option: str, label: str | None, longest: int) -> None:
    """Raises `ConfigurationError` for a name that is empty, long, not one line, or has what cannot be printed in it.

    None, which is no name, passes.
    """
    if label is not None and not (label.strip() and len(label) <= longest and label.isprintable()):
        raise ConfigurationError(f"{option} {label[:_SHOWN]!r}: give a name of 1 to {longest} characters, one line")
