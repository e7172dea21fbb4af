"""Predictions over many images: what is known stays, what is asked is kept at once, and how it went is counted."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from anomagent.batch.meter import Meter
from anomagent.batch.stop import Stop
from anomagent.batch.tally import Tally
from anomagent.benchmark.items import Item
from anomagent.config import Settings
from anomagent.errors import ConfigurationError, ModelError, OutOfBudget, StoreError, UsageError
from anomagent.graph.session import Session, open_session
from anomagent.models.prices import Prices
from anomagent.models.seam import Event
from anomagent.prediction.predictor import Predicted, Predictor
from anomagent.prediction.question import Question
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import Analysis, CallRef, Failure, UsageTotals
from anomagent.store import Workspace
from anomagent.store.database import DISK_FULL
from anomagent.store.images import hash_file
from anomagent.store.ledger import read_calls
from anomagent.store.predictions import (
    Prediction,
    PredictionSet,
    find_prediction,
    read_predictions,
    save_predictions,
)

Say = Callable[[str], None]

UNREADABLE: Final = "unreadable"
"""The code of a file that is missing or no image."""
_AT_ONCE: Final = 100
"""Predictions that are written together; a kill loses no more than these, and their answers are in the ledger."""


@dataclass
class Run:
    """One command's predictions over `items`. Everything is counted in `tally`; its `images` are these."""

    settings: Settings
    question: Question
    items: Sequence[Item]
    name: str
    """Of the set of predictions."""
    only_failed: bool = False
    """Ask again what failed or is partial, and nothing else."""
    on_event: Callable[[Event], None] = lambda event: None
    on_analysis: Callable[[Analysis], None] = lambda analysis: None
    say: Say = lambda line: None
    tally: Tally = field(default_factory=lambda: Tally(0))

    async def go(self) -> PredictionSet:
        """Ask what is to be asked; returns what the results are stored under.

        SIGINT and SIGTERM end it in good order, once after the images in work, twice at once. Raises
        `ConfigurationError` before anything is spent, `StoreError` where the workspace cannot be opened.
        """
        self.tally.images = len(self.items)
        context, meter, stop = AnalysisContext(**self.settings.options), Meter(), Stop()

        def on_event(event: Event) -> None:
            meter.on_event(event)
            self.on_event(event)

        with stop.on_signals(self.say):
            async with open_session(self.settings, on_event) as session:
                described = await self._describe(session, context)
                predictor = Predictor(session.seam, context, self.question)
                await _Desk(session, predictor, described, stop, self).work(self.settings.concurrency)
                self.tally.account(session.seam.budget.standing, meter.requests, meter.usage)
        if not _is_priced(self.settings):
            self.tally.standing = None  # it counts what nobody knows as nothing
        self.tally.close(stop.reason)
        return described

    async def _describe(self, session: Session, context: AnalysisContext) -> PredictionSet:
        """What the results are stored under. Raises `ConfigurationError` for a model that cannot be used."""
        question = self.question
        identity = (await session.seam.prepare(context, (question.role,)))[question.role]
        self.tally.configuration = question.configuration(identity, context)
        return PredictionSet(self.tally.configuration, self.name, question.task, identity, question.settings(context))


@dataclass
class _Desk:
    """Hands out images to workers and takes in what became of them. Belongs to one event loop."""

    session: Session
    predictor: Predictor
    described: PredictionSet
    stop: Stop
    run: Run
    _unsaved: list[Prediction] = field(default_factory=list[Prediction])

    async def work(self, concurrency: int) -> None:
        """Put all images through; what is finished is in the store when this returns, however it ends."""
        items = iter(self.run.items)
        workers = concurrency + max(2, concurrency // 8)  # a few more than calls: images are read meanwhile
        try:
            await self.stop.guard([asyncio.create_task(self._worker(items)) for _ in range(workers)])
        finally:
            try:
                await self._save()
            except StoreError as error:
                self._lose_store(error)

    async def _worker(self, items: Iterable[Item]) -> None:
        for item in items:
            if self.stop.asked:
                return
            try:
                await self._predict(item)
            except OutOfBudget:
                self._end_budget()
            except StoreError as error:
                self._lose_store(error)

    async def _predict(self, item: Item) -> None:
        """Whatever is known about this content under this configuration stays, unless it is to be asked again."""
        tally = self.run.tally
        content = await asyncio.to_thread(hash_file, Path(item.path))
        earlier = await asyncio.to_thread(self._known, item.name, content) if content else None
        tally.looked_at += 1
        if earlier and earlier.error != UNREADABLE and (earlier.status == "ok" or not self.run.only_failed):
            tally.already_done += earlier.status == "ok"
            tally.failed_earlier += earlier.status != "ok"
            await self._keep(replace(earlier, image=item.name))
        elif self.run.only_failed and not earlier and content:
            tally.not_meant += 1
        else:
            await self._ask(item, earlier)

    async def _ask(self, item: Item, earlier: Prediction | None) -> None:
        try:
            image = await self.session.ingest(Path(item.path))
        except UsageError as error:
            self.run.tally.unreadable += 1
            message = str(error).removeprefix(f"{item.name}: ")
            unreadable = Prediction(item.name, None, "failed", error=UNREADABLE, message=message)
            await self._finish(Predicted(unreadable, ()))
            return
        try:
            predicted = await self.predictor.predict(item.name, image, earlier)
        except (ConfigurationError, StoreError, ModelError):
            raise
        except Exception as error:
            self.run.tally.fault = self.run.tally.fault or error
            failed = Prediction(item.name, image["sha256"], "failed", error="internal", message=repr(error))
            predicted = Predicted(failed, ())
        if earlier and earlier.status == "partial" and predicted.prediction.status == "failed":
            predicted = Predicted(replace(earlier, image=item.name), predicted.calls)  # half a list is better than none
        await self._finish(predicted)

    async def _finish(self, predicted: Predicted) -> None:
        prediction = predicted.prediction
        if prediction.status == "failed" and predicted.calls and not prediction.text:
            text = await asyncio.to_thread(_last_text, self.session.workspace, predicted.calls[-1])
            prediction = replace(prediction, text=text)
        analysis = _as_analysis(prediction, predicted.calls, self.predictor.question)
        self.run.tally.add(analysis)
        self.run.on_analysis(analysis)
        await self._keep(prediction)

    async def _keep(self, prediction: Prediction) -> None:
        self._unsaved.append(prediction)
        if len(self._unsaved) >= _AT_ONCE:
            await self._save()

    async def _save(self) -> None:
        """Raises `StoreError`; what could not be written is made anew from the ledger by the next run."""
        while batch := self._unsaved[:_AT_ONCE]:
            del self._unsaved[:_AT_ONCE]
            await asyncio.to_thread(save_predictions, self.session.workspace, self.described, batch)

    def _known(self, name: str, content: str) -> Prediction | None:
        """By content, except for a file that could not be read: mended it has another."""
        workspace, configuration = self.session.workspace, self.described.configuration
        if found := find_prediction(workspace, configuration, content):
            return found
        named = next(read_predictions(workspace, configuration, [name]), None)
        return named if named and named.error == UNREADABLE else None

    def _end_budget(self) -> None:
        """The image is neither done nor failed: it goes on when there is money again."""
        if not self.stop.asked:
            self.run.say("the budget is used up: images in work are ended, no new one begins")
        self.stop.drain("budget")

    def _lose_store(self, error: StoreError) -> None:
        """What would be paid for now could not be kept."""
        if not self.stop.at_once.is_set():
            self.run.say(f"{error}; nothing more is sent")
        self.stop.now("disk" if DISK_FULL in str(error) else "store")


def _as_analysis(prediction: Prediction, calls: Sequence[CallRef], question: Question) -> Analysis:
    """In the form in which results of images are counted and shown."""
    failures: list[Failure] = []
    if prediction.status != "ok":
        error, message = prediction.error or "unknown", prediction.message or ""
        failures.append(Failure(role=question.role, object=None, error=error, message=message))
    return Analysis(
        image=prediction.image,
        sha256=prediction.sha256 or "",
        status=prediction.status,
        schedule=question.task,
        anomalies=list(prediction.anomalies),
        failures=failures,
        usage=UsageTotals.of(calls),
        seconds=0.0,
    )


def _last_text(workspace: Workspace, call: CallRef) -> str:
    """What the model said in a call that failed, as far as the workspace's own ledger knows."""
    with suppress(StoreError):
        attempts = read_calls(workspace, [call["key"]])
        return attempts[-1]["text"] if attempts else ""
    return ""


def _is_priced(settings: Settings) -> bool:
    own_server = settings.base_url if settings.model.startswith("openai:") else None
    return Prices.load(settings.prices).of(settings.model, own_server) is not None
