"""What one image costs in calls and tokens, model by model: from the workspace's history, else from a rehearsal."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anomagent.batch.history import History
from anomagent.batch.prefix import IDEAL, cache_of, prefix_share
from anomagent.batch.rehearsal import PRIOR_OBJECTS, Rehearsed, rehearse
from anomagent.state.context import AnalysisContext, Role

ImageCost = Callable[[str], float]
"""From a model id to the tokens of one image, in the mean."""


@dataclass(frozen=True)
class Load:
    """What one image asks of one model, in the mean."""

    model: str
    calls: float
    input_tokens: float
    """With the image and with what is cached."""
    cached_tokens: float
    output_tokens: float


def loads_from_history(history: History, context: AnalysisContext, image_cost: ImageCost) -> list[Load]:
    """The loads of an image as the analyses of `history` had them, at this batch's size of images."""
    steps = [(context.model_for(_role(step.role)), step) for step in history.steps]
    loads: list[Load] = []
    for model in dict.fromkeys(model for model, _ in steps):
        mine = [step for other, step in steps if other == model]
        image = image_cost(model)
        tokens = sum(step.calls * (step.text_tokens + image) for step in mine)
        output = sum(step.calls * step.output_tokens for step in mine)
        loads.append(Load(model, sum(step.calls for step in mine), tokens, tokens * history.cached, output))
    return loads


def loads_from_rehearsal(context: AnalysisContext, image_cost: ImageCost, objects: int = PRIOR_OBJECTS) -> list[Load]:
    """The loads of an image with `objects` objects, its prompts rendered with texts of assumed lengths."""
    by_model: defaultdict[str, list[Rehearsed]] = defaultdict(list)
    for call in rehearse(context, objects):
        by_model[context.model_for(call.prompt.role)].append(call)
    return [_rehearsed(model, calls, context, round(image_cost(model))) for model, calls in by_model.items()]


def _rehearsed(model: str, calls: Sequence[Rehearsed], context: AnalysisContext, image: int) -> Load:
    cache = cache_of(model, context.base_url)
    share = prefix_share([call.prompt for call in calls], image, cache or IDEAL)
    cached = share.reused_tokens if cache else 0
    return Load(model, len(calls), share.input_tokens, cached, sum(call.output_tokens for call in calls))


def _role(name: str) -> Role:
    """The ledger keeps roles as text; they were written from this type."""
    return name  # pyright: ignore[reportReturnType]
