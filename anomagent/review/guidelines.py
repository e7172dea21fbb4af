"""What reviewers go by: the one question, its answers with their keys, and why something is rejected."""

from typing import Final, NamedTuple

from anomagent.state.reviews import Reason, Verdict


class Choice(NamedTuple):
    """An answer to the question, or a reason for a rejection, as the page offers it."""

    id: Verdict | Reason
    key: str
    """The one key that gives it."""
    title: str
    meaning: str
    """When to choose it, in one sentence."""


QUESTION: Final = "Is this description right for this image?"

VERDICT_CHOICES: Final = (
    Choice("ACCEPT", "A", "Accept", "You see what it describes, and it could not be so in a real photograph."),
    Choice("REJECT", "R", "Reject", "It is not there, or it is there and nothing is wrong with it."),
    Choice("UNSURE", "U", "Unsure", "You cannot tell even after zooming in; somebody else will look at it too."),
)

REASON_CHOICES: Final = (
    Choice("not_visible", "1", "Not visible", "The image does not show what is described."),
    Choice("wrong_reason", "2", "Wrong reason", "It is visible, but the reasoning is false or does not follow."),
    Choice("duplicate", "3", "Duplicate", "Another candidate of this image says the same."),
    Choice("trivial", "4", "Trivial", "Too slight to matter, or a question of style and image quality."),
    Choice("wrong_object", "5", "Wrong object", "Something is odd, but with another object than the one named."),
)
"""The keys count only after a rejection."""

GUIDELINES: Final = (
    f"There is one question: {QUESTION[0].lower()}{QUESTION[1:]}",
    *(f"{choice.title.upper()} ({choice.key}): {choice.meaning}" for choice in VERDICT_CHOICES),
    "Judge the description as a whole: the phenomenon must be visible, and the reasoning must explain it.",
    "Only what things are and do counts: bodies, gravity, contact, function, text, light. Noise and blur do not.",
    "Severity says how realistic it looks: 0 is completely implausible, 100 is fully realistic. Low is bad. A severity"
    " that you would put somewhat higher or lower is no reason to reject.",
    *(f"Rejected as {choice.title.lower()} ({choice.key}): {choice.meaning}" for choice in REASON_CHOICES),
    "A reason and a note are optional. Decide by what you see: other reviewers never see your answers.",
)
"""In the order in which they are read; plain text."""
