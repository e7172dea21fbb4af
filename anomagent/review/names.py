"""What people are called: one person, one spelling."""

from collections.abc import Iterable

from anomagent.errors import UsageError
from anomagent.report.plain import printable
from anomagent.state.reviews import LONGEST_NAME, tidy_spaces


def tidy_name(text: str) -> str:
    """An annotator's name with single spaces. Raises `UsageError` for none, a long one or one that cannot be shown."""
    name = str(tidy_spaces(text))
    if not name:
        raise UsageError("give a name: your answers are kept under it")
    if len(name) > LONGEST_NAME:
        raise UsageError(f"the name is too long; use at most {LONGEST_NAME} characters")
    if printable(name) != name:
        raise UsageError("the name has characters that cannot be shown; leave them out")
    return name


def spelled_before(name: str, known: Iterable[str]) -> str | None:
    """The known name that differs from this one by its case alone; None where this one is known, or nothing like it.

    A name that nobody could sign in with is not offered.
    """
    names, folded = list(known), name.casefold()
    if name in names:
        return None
    return next((each for each in names if each.casefold() == folded and _is_tidy(each)), None)


def _is_tidy(name: str) -> bool:
    return tidy_spaces(name) == name and printable(name) == name
