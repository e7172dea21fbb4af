"""The verdict on an image, read from a model's answer: is it AI-generated?"""

import re
from typing import Literal

Verdict = Literal["yes", "no", "unrecognised"]
"""Is the image AI-generated?"""

_FIRST_WORD = re.compile(r"[\W_]*(yes|no)(?![^\W_]|[/|'’-]\w)", re.IGNORECASE)


def read_verdict(answer: str) -> Verdict:
    """The first word of an answer where it is yes or no, whatever its case and the marks or quotes around it."""
    match = _FIRST_WORD.match(answer)
    if match is None:
        return "unrecognised"
    return "yes" if match[1].lower() == "yes" else "no"
