"""What predictions will cost, before anything is asked."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from anomagent.batch.pictures import MOST_HASHED, Size, measure
from anomagent.batch.sizing import PRIOR_SECONDS, Duration, Limits, duration
from anomagent.benchmark.items import Item
from anomagent.config import Settings
from anomagent.graph.session import resolve_for
from anomagent.models.image_tokens import image_tokens, scaled_size
from anomagent.models.prices import Prices
from anomagent.models.types import Usage
from anomagent.prediction.question import Question
from anomagent.state.context import AnalysisContext
from anomagent.store import Workspace
from anomagent.store.images import hash_file
from anomagent.store.predictions import find_prediction

_CHARACTERS_PER_TOKEN: Final = 4
_PIXELS_PER_TOKEN: Final = 750
"""Stands in for the rule of a model whose rule is not known."""
_LIST_TOKENS: Final = 400
"""Of an answer: four anomalies of about a hundred tokens. An assumption."""
_VERDICT_TOKENS: Final = 3


@dataclass(frozen=True)
class Estimate:
    """What is still to be paid for."""

    images: int
    """Still to be asked about."""
    known: int
    """Predicted before under this configuration, failures that are left alone included."""
    calls: int
    input_tokens: int
    output_tokens: int
    usd: float | None
    """None: the price of the model is not known."""
    duration: Duration
    budget_images: int | None
    """Images that the budget is enough for; None: for all, or there is no budget."""
    notes: tuple[str, ...]

    def describe(self) -> list[str]:
        """The estimate as lines of text."""
        each = self.usd / self.images if self.usd is not None and self.images else 0.0
        money = "price unknown" if self.usd is None else f"{self.usd:,.2f} USD ({each:.4f} an image)"
        lines = [
            f"images: {self.images:,} ({self.known:,} known)",
            f"calls: {self.calls:,}",
            f"input: {self.input_tokens:,} tokens",
            f"output: {self.output_tokens:,} tokens",
            f"money: {money}",
            f"time: {self.duration.hours * 60:,.1f} min at least, bound by {self.duration.binding}",
        ]
        if self.budget_images is not None:
            lines.append(f"budget: enough for about {self.budget_images:,} of {self.images:,} images")
        return [*lines, *(f"note: {note}" for note in self.notes)]

    def as_dict(self) -> dict[str, Any]:
        """The estimate as plain data, for JSON."""
        return {**asdict(self), "notes": list(self.notes)}


async def estimate_predictions(
    settings: Settings, question: Question, items: Sequence[Item], only_failed: bool = False
) -> Estimate:
    """Estimate the prediction of `items`; files are only looked at, the workspace is only read.

    Raises `ConfigurationError` for a model that cannot be used and for a bad price table.
    """
    context = AnalysisContext(**settings.options)
    client = resolve_for(settings)(context.model, context)
    try:
        configuration = question.configuration(client.identity, context)
    finally:
        await client.aclose()
    paths, known, notes = _to_do(settings, configuration, [item.path for item in items], only_failed)
    sizes, measured = measure(paths)
    seen, rule = _image_tokens(context, sizes)
    turns = [question.first()] + ([question.second("Yes.")] if question.task == "deepfake" else [])
    texts = [prompt.system + prompt.text + "".join(turn.text for turn in prompt.further) for prompt in turns]
    inputs = sum(seen + len(text) / _CHARACTERS_PER_TOKEN for text in texts)
    outputs = _LIST_TOKENS + _VERDICT_TOKENS * (len(turns) - 1)
    number, calls = len(paths), len(paths) * len(turns)
    server = settings.base_url if context.model.startswith("openai:") else None
    price = Prices.load(settings.prices).of(context.model, server)
    each = None if price is None else price.usd(Usage(round(inputs), 0, outputs))
    limits = Limits(settings.concurrency, settings.requests_per_minute, settings.tokens_per_minute)
    return Estimate(
        images=number,
        known=known,
        calls=calls,
        input_tokens=round(number * inputs),
        output_tokens=number * outputs,
        usd=None if each is None else number * each,
        duration=duration(calls, number * (inputs + outputs), limits, PRIOR_SECONDS),
        budget_images=_within(settings.budget_usd, each, number),
        notes=(*notes, *measured, *([f"{context.model}: {seen:,.0f} tokens an image ({rule})"] if sizes else [])),
    )


def _to_do(
    settings: Settings, configuration: str, paths: list[str], only_failed: bool
) -> tuple[list[str], int, list[str]]:
    """The paths to ask about, how many are known already, and what there is to say about it."""
    workspace = Workspace(Path(settings.workspace).expanduser().absolute())
    if not workspace.database_path.is_file():
        return ([], len(paths), ["nothing failed: there is no workspace yet"]) if only_failed else (paths, 0, [])
    if len(paths) > MOST_HASHED:
        return paths, 0, [f"more than {MOST_HASHED:,} files: those that are known were not looked for"]
    workspace = Workspace.open(workspace.path)
    contents = {path: hash_file(Path(path)) for path in paths}
    found = {path: find_prediction(workspace, configuration, one) if one else None for path, one in contents.items()}
    failed = [path for path, known in found.items() if known and known.status != "ok"]
    todo = failed if only_failed else [path for path, known in found.items() if known is None]
    return todo, len(paths) - len(todo), []


def _image_tokens(context: AnalysisContext, sizes: Sequence[Size]) -> tuple[float, str]:
    """The mean tokens of an image, and the rule by which they are counted."""
    if not sizes:
        return 0.0, ""
    scaled = [scaled_size(*size, context.image_max_pixels) for size in sizes]
    counted = [image_tokens(context.model, *size) for size in scaled]
    tokens = [
        math.ceil(width * height / _PIXELS_PER_TOKEN) if one.tokens is None else one.tokens
        for one, (width, height) in zip(counted, scaled, strict=True)
    ]
    guess = f"; counted as one token for {_PIXELS_PER_TOKEN} pixels" if counted[0].tokens is None else ""
    return sum(tokens) / len(tokens), counted[0].rule + guess


def _within(budget: float | None, each: float | None, images: int) -> int | None:
    if budget is None or not each or each * images <= budget:
        return None
    return math.floor(budget / each)
