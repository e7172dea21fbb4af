"""Asks a model about one image, in one turn or two, and reads what it says."""

from dataclasses import dataclass, replace
from typing import Final

from anomagent.benchmark.verdicts import read_verdict
from anomagent.errors import ModelError, OutOfBudget
from anomagent.models.call import call_of
from anomagent.models.seam import Seam
from anomagent.models.types import Answer
from anomagent.prediction.question import FIRST_WORDS, Question
from anomagent.prediction.reading import BAD_ENTRIES, NO_LIST, Reading, failed_by, read_list
from anomagent.prompts.base import PlainText, Prompt
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import CallRef, ImageRef
from anomagent.store.predictions import Prediction

_UNREAD: Final = frozenset({NO_LIST, BAD_ENTRIES})
"""Failures whose answer is good for the ledger, which would replay it for ever."""


@dataclass(frozen=True)
class Predicted:
    """A prediction and what it took."""

    prediction: Prediction
    calls: tuple[CallRef, ...]


@dataclass(frozen=True)
class Predictor:
    """One question to one model."""

    seam: Seam
    context: AnalysisContext
    question: Question

    async def predict(self, name: str, image: ImageRef, earlier: Prediction | None = None) -> Predicted:
        """Ask about `image`, which the user calls `name`; where an `earlier` answer could not be read, anew.

        What the model or its server fails at is a failed prediction. Raises `OutOfBudget`, which is no statement about
        the image, and `ConfigurationError` or `StoreError` where nothing can be asked.
        """
        slot = earlier.slot + (earlier.error in _UNREAD) if earlier else 0
        calls: list[CallRef] = []
        blank = Prediction(name, image["sha256"], "failed", slot=slot)
        detects = self.question.task == "deepfake"
        made = await (self._detect(image, blank, calls) if detects else self._report(image, blank, calls))
        return Predicted(made, tuple(calls))

    async def _report(self, image: ImageRef, blank: Prediction, calls: list[CallRef]) -> Prediction:
        said = await self._ask(image, self.question.first(), calls, slot=blank.slot)
        if isinstance(said, ModelError):
            return _filled(blank, failed_by(said), "")
        return _filled(blank, read_list(said.reply.text), said.text)

    async def _detect(self, image: ImageRef, blank: Prediction, calls: list[CallRef]) -> Prediction:
        """Only what is judged real, or not judged at all, may be described instead."""
        words = FIRST_WORDS if self.question.odds else ()
        first = await self._ask(image, self.question.first(), calls, first_words=words)
        if isinstance(first, ModelError):
            return _filled(blank, failed_by(first), "")
        answer = first.reply.text
        judged = replace(blank, answer=answer, p_yes=_share_of_yes(first))
        second = await self._ask(image, self.question.second(answer), calls, slot=blank.slot)
        if isinstance(second, ModelError):
            return _filled(judged, failed_by(second), "")
        reading = read_list(second.reply.text, may_describe=read_verdict(answer) != "yes")
        return _filled(judged, reading, second.text)

    async def _ask(
        self, image: ImageRef, prompt: Prompt, calls: list[CallRef], slot: int = 0, first_words: tuple[str, ...] = ()
    ) -> Answer[PlainText] | ModelError:
        try:
            answer = await self.seam.ask(self.context, image, prompt, PlainText, slot=slot, first_words=first_words)
        except ModelError as error:
            if call := call_of(error):
                calls.append(call)
            if isinstance(error, OutOfBudget):
                raise
            return error
        calls.append(answer.call)
        return answer


def _filled(blank: Prediction, reading: Reading, text: str) -> Prediction:
    return replace(
        blank,
        status=reading.status,
        anomalies=reading.anomalies,
        description=reading.description,
        error=reading.error,
        message=reading.message,
        text=text,
    )


def _share_of_yes(answer: Answer[PlainText]) -> float | None:
    """Of the probability of both words that of yes; None where the model did not say or expected neither."""
    odds = answer.odds or {}
    yes, no = (odds.get(word, 0.0) for word in FIRST_WORDS)
    return yes / (yes + no) if yes + no > 0 else None
