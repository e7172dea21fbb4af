"""Preference pairs: of one image and question, the answer that people would give and one that they refused.

Chosen is the list of what was accepted (`NO_ANOMALIES` where all was rejected), rejected is the list of what was
rejected, and of that alone: a true statement is never part of the answer that a model is taught to avoid. Where a list
does not fit into the token limit it is cut into several answers, and the shorter side is used again.
"""

from dataclasses import dataclass

from anomagent.finetune.conversations import Talk, Turns, clean_all
from anomagent.finetune.left_out import LeftOut
from anomagent.finetune.sources import Subject
from anomagent.state.classic_text import NO_ANOMALIES, format_anomalies


@dataclass(frozen=True)
class Preference:
    """One pair."""

    before: Turns
    """Questions and answers in front of the question."""
    question: str
    chosen: str
    rejected: str


def preferences_about(talk: Talk, subject: Subject, left_out: LeftOut) -> list[Preference]:
    """The pairs of an image: none where nothing was rejected, or nothing is accepted and not everything is decided.

    Rejected candidates that cannot stand in an answer are noted in `left_out`.
    """
    told, cells = subject.tell(), talk.cells(subject)
    if cells is None or told.description is not None or not told.rejected or not (told.anomalies or not told.undecided):
        return []
    refused = talk.pack(subject, clean_all(subject, told.rejected, left_out), cells)
    accepted = talk.pack(subject, clean_all(subject, told.anomalies, LeftOut()), cells).packs
    for anomaly in refused.too_long:
        left_out.add("too long", subject.name, anomaly.name)
    if told.anomalies and not accepted:
        return []
    chosen = [format_anomalies(some) for some in accepted] or [NO_ANOMALIES]
    rejected = [format_anomalies(some) for some in refused.packs]
    *before, (question, _) = talk.turns(subject, "")
    return [
        Preference(before, question, chosen[place % len(chosen)], rejected[place % len(rejected)])
        for place in range(max(len(chosen), len(rejected)) if rejected else 0)
    ]
