"""From what is known of an image to the conversations that are learned: the recipes, their wordings, the packing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from anomagent.errors import UsageError
from anomagent.finetune.left_out import LeftOut
from anomagent.finetune.packing import Packing, draw, pack, shuffled
from anomagent.finetune.sources import Subject, Told
from anomagent.finetune.texts import clean_anomaly, clean_text
from anomagent.finetune.tokens import TokenCounter
from anomagent.prompts.anomaly_reporter import WORDINGS, render_report
from anomagent.prompts.deepfake_detector import QUESTIONS, explain_text, render_decide
from anomagent.state.classic_text import NO_ANOMALIES, format_anomalies
from anomagent.state.findings import Anomaly

Recipe = Literal["single", "two-turn"]
"""single: one question, the anomalies as answer. two-turn: is it AI-generated, then the anomalies or a description."""
Turns = list[tuple[str, str]]
"""Questions and answers."""

AI: Final = "Yes."
REAL: Final = "No."
"""The answers of turn 1; AI-generated is yes."""


@dataclass(frozen=True)
class Choices:
    """How conversations are made."""

    recipe: Recipe = "single"
    wordings: int = len(WORDINGS)
    """Of so many wordings of the questions, one is drawn for each image."""
    seed: int = 0
    max_tokens: int = 4_096
    """Of a whole conversation, image and system text included."""
    keep_empty: bool = True
    """Whether images without anomalies are learned from: the answer is then `NO_ANOMALIES`."""


@dataclass(frozen=True)
class Conversation:
    """One instance, as it is learned."""

    turns: Turns
    tokens: int
    """Of all of it, the image's among them."""
    cells: int
    """Tokens of the image."""
    anomalies: int
    is_real: bool = False


@dataclass
class Talk:
    """Makes conversations, and notes what cannot be part of any."""

    choices: Choices
    counter: TokenCounter
    left_out: LeftOut = field(default_factory=LeftOut)

    def about(self, subject: Subject) -> list[Conversation]:
        """The conversations about an image; none where it is left out."""
        cells = self.cells(subject)
        if cells is None:
            return []
        told = subject.tell()
        for reason in told.bad:
            self.left_out.add("bad entry", subject.name, reason)
        if told.description is not None:
            return self._real(subject, told.description, cells)
        if not told.anomalies:
            return self._empty(subject, told, cells)
        packing = self.pack(subject, clean_all(subject, told.anomalies, self.left_out), cells)
        for anomaly in packing.too_long:
            self.left_out.add("too long", subject.name, anomaly.name)
        return [self._conversation(subject, format_anomalies(some), cells, len(some)) for some in packing.packs]

    def pack(self, subject: Subject, anomalies: Sequence[Anomaly], cells: int) -> Packing[Anomaly]:
        """The anomalies in random order, in lists that fit."""

        def fits(some: Sequence[Anomaly]) -> bool:
            turns = self.turns(subject, format_anomalies(some))
            return cells + self.counter.text(turns) <= self.choices.max_tokens

        return pack(shuffled(anomalies, self.choices.seed, subject.sha256), fits)

    def turns(self, subject: Subject, answer: str, first: str = AI) -> Turns:
        """Questions in this image's wording, with these answers; `first` is that of turn 1."""
        wording = draw(self.choices.seed, subject.sha256) % self.choices.wordings
        if self.choices.recipe == "single":
            return [(render_report("classic", wording).text, answer)]
        return [(render_decide(wording % len(QUESTIONS)).text, first), (explain_text(wording), answer)]

    def cells(self, subject: Subject) -> int | None:
        """Tokens of the image; None, and left out, where the model cannot take it."""
        try:
            return self.counter.image(subject.width, subject.height)
        except UsageError as error:
            self.left_out.add("unreadable", subject.name, str(error))
            return None

    def _empty(self, subject: Subject, told: Told, cells: int) -> list[Conversation]:
        """Nothing is accepted: an answer of its own only where that says something about the image."""
        if told.bad:
            return []
        if told.undecided:
            self.left_out.add("undecided", subject.name)
        elif told.partial and not told.rejected:
            self.left_out.add("incomplete", subject.name)
        elif not self.choices.keep_empty:
            self.left_out.add("no anomalies", subject.name)
        else:
            return self._fitting(subject, self._conversation(subject, NO_ANOMALIES, cells, 0))
        return []

    def _real(self, subject: Subject, description: str, cells: int) -> list[Conversation]:
        """A real image has no anomaly: in two turns that is said first, and then what is seen."""
        try:
            answer = clean_text(description)
        except ValueError as error:
            self.left_out.add("bad entry", subject.name, f"its description {error}")
            return []
        if self.choices.recipe == "single":
            if not self.choices.keep_empty:
                self.left_out.add("no anomalies", subject.name)
                return []
            answer = NO_ANOMALIES
        return self._fitting(subject, self._conversation(subject, answer, cells, 0, REAL))

    def _fitting(self, subject: Subject, conversation: Conversation) -> list[Conversation]:
        """What cannot be split fits, or is left out."""
        if conversation.tokens <= self.choices.max_tokens:
            return [conversation]
        self.left_out.add("too long", subject.name, f"the whole of it, {conversation.tokens:,} tokens")
        return []

    def _conversation(self, subject: Subject, answer: str, cells: int, anomalies: int, first: str = AI) -> Conversation:
        turns = self.turns(subject, answer, first)
        return Conversation(turns, cells + self.counter.text(turns), cells, anomalies, is_real=first == REAL)


def clean_all(subject: Subject, anomalies: Sequence[Anomaly], left_out: LeftOut) -> list[Anomaly]:
    """The anomalies as they are learned; those with an empty field or a control token are left out by name."""
    clean: list[Anomaly] = []
    for anomaly in anomalies:
        try:
            clean.append(clean_anomaly(anomaly))
        except ValueError as error:
            left_out.add("bad entry", subject.name, str(error))
    return clean
