"""Text that somebody else wrote (models, file names, servers), made harmless to show."""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Everything that moves cursors, changes colours or reverses the reading direction. Line feed and tab stay."""
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` without control characters; half a surrogate pair, which no encoding can write, becomes U+FFFD."""
    return _HALF_PAIR.sub("\ufffd", _CONTROL.sub("", text))
