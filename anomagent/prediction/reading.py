"""From a model's free text to a list of anomalies, or to the reason why it is none."""

import re
from dataclasses import dataclass
from typing import Final

from anomagent.benchmark.shapes import content_of
from anomagent.errors import ModelError
from anomagent.prompts.base import excerpt
from anomagent.state.classic_text import NO_ANOMALIES
from anomagent.state.findings import Anomaly, Status

NO_LIST: Final = "no_list"
"""The code of an answer that is no list of anomalies."""
BAD_ENTRIES: Final = "bad_entries"
"""The code of a list of which some entries could not be read."""
_NONE = re.compile(rf"[\W_]*{re.escape(NO_ANOMALIES.rstrip('.'))}[*_`\"']*\s*(?:[.!\n]|\Z)", re.IGNORECASE)
"""That there is none, as a sentence of its own; reasons may follow."""
_SHOWN: Final = 120


@dataclass(frozen=True)
class Reading:
    """What an answer says."""

    status: Status
    anomalies: tuple[Anomaly, ...] = ()
    description: str | None = None
    """A text that is no list."""
    error: str | None = None
    message: str | None = None


def read_list(text: str, may_describe: bool = False) -> Reading:
    """The anomalies in `text`, in any variant of the classic text or JSON.

    Entries that cannot be read are left out and said (`partial`). A text that holds no list, and does not begin by
    saying that there is none, is a failure, unless it `may_describe` the image instead.
    """
    content = content_of(text).settled()
    if content.failure is not None:
        return Reading("failed", error=NO_LIST, message=content.failure)
    if content.refused:
        total = len(content.anomalies) + len(content.refused)
        first = f"entry {content.refused[0].index + 1}: {content.refused[0].reason}"
        message = f"{len(content.refused)} of {total} entries cannot be read, the first: {excerpt(first, 300)}"
        return Reading("partial", content.anomalies, error=BAD_ENTRIES, message=message)
    says_nothing_else = content.description is None and (content.answer is None or '"anomalies"' in text)
    if content.anomalies or says_nothing_else or _NONE.match(text):
        return Reading("ok", content.anomalies)
    if may_describe:
        return Reading("ok", description=content.description or content.answer)
    shown = excerpt(text, _SHOWN)
    return Reading("failed", error=NO_LIST, message=f"the answer is no list of anomalies: {shown}")


def failed_by(error: ModelError) -> Reading:
    """What is left of an answer that never came."""
    return Reading("failed", error=error.code, message=str(error))
