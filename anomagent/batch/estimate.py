"""What a batch will cost, before it is run: calls, tokens, money and hours."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from anomagent.batch.configuration import UNCHANGED, Gate
from anomagent.batch.estimated import Estimate
from anomagent.batch.history import History, read_history
from anomagent.batch.loads import Load, loads_from_history, loads_from_rehearsal
from anomagent.batch.pictures import Size, find_to_do, measure
from anomagent.batch.prefix import IDEAL, PrefixShare, cache_of, prefix_share
from anomagent.batch.rehearsal import PRIOR_OBJECTS, rehearse
from anomagent.batch.sizing import PRIOR_SECONDS, Limits, duration
from anomagent.batch.states import Which
from anomagent.benchmark.items import Item
from anomagent.config import Settings
from anomagent.graph.identity import configuration_hash
from anomagent.graph.session import resolve_for
from anomagent.models.image_tokens import image_tokens, scaled_size
from anomagent.models.prices import Prices
from anomagent.models.types import Usage
from anomagent.state.context import AnalysisContext, roles_of
from anomagent.store import Workspace

PIXELS_PER_TOKEN = 750
"""Stands in for the rule of a model whose rule is not known."""


async def configuration_of(settings: Settings) -> str:
    """The configuration hash of an analysis under `settings`. Raises `ConfigurationError` for a model that cannot be
    used, one without a key for instance."""
    context = AnalysisContext(**settings.options)
    make = resolve_for(settings)
    identities: dict[str, str] = {}
    for role in roles_of(context.schedule):
        client = make(context.model_for(role), context)
        identities[role] = client.identity
        await client.aclose()
    return configuration_hash(context, identities)


def estimate_batch(
    settings: Settings,
    items: Iterable[Item | str | Path],
    configuration: str | None = None,
    gate: Gate | None = None,
    which: Which = "missing",
) -> Estimate:
    """Estimate the analysis of the files `items` under `settings`, in the workspace that they name.

    With the `configuration` (see `configuration_of`) images are left out that a batch with this `gate` and this `which`
    would not analyse. Files are only looked at; the workspace is only read, and not made where it is missing.
    Unreadable files are noted, not raised. Raises `StoreError` for a damaged workspace, `ConfigurationError` for one of
    a newer version or a bad price table.
    """
    context = AnalysisContext(**settings.options)
    workspace = _existing(settings.workspace)
    configurations, warnings = _counting(workspace, configuration, gate or Gate())
    todo = find_to_do([_path(item) for item in items], workspace, configurations, which)
    sizes, measured = measure(todo.paths)
    image = _ImageCost([scaled_size(*size, context.image_max_pixels) for size in sizes])
    history = read_history(workspace, context) if workspace else None
    loads = loads_from_history(history, context, image) if history else loads_from_rehearsal(context, image)
    images, price = len(todo.paths), _price(loads, settings)
    calls, tokens = images * sum(load.calls for load in loads), images * sum(map(_tokens, loads))
    seconds = (history.seconds if history else None) or PRIOR_SECONDS
    limits = Limits(settings.concurrency, settings.requests_per_minute, settings.tokens_per_minute)
    share = _prefix_share(context, _objects(context, history), image(context.model))
    return Estimate(
        images=images,
        repeated=todo.repeated,
        finished=todo.finished,
        left_alone=todo.left_alone,
        objects=_objects(context, history),
        history=history.images if history else 0,
        calls=round(calls),
        input_tokens=round(images * sum(load.input_tokens for load in loads)),
        cached_tokens=round(images * sum(load.cached_tokens for load in loads)),
        output_tokens=round(images * sum(load.output_tokens for load in loads)),
        prefix_common=share.common,
        prefix_usd=_saved(share, context, settings),
        usd=None if price is None else images * price,
        seconds_per_call=seconds,
        duration=duration(calls, tokens, limits, seconds),
        budget_images=_within(settings.budget_usd, price, images),
        notes=(*warnings, *todo.notes, *measured, *image.notes(loads), *_notes(context, history, loads)),
    )


def _counting(workspace: Workspace | None, configuration: str | None, gate: Gate) -> tuple[list[str], list[str]]:
    """The configurations whose results count, and what there is to say about it."""
    if not workspace or not configuration:
        return [configuration] if configuration else [], []
    admitted = gate.look(workspace, configuration)
    if gate.needless:
        return [configuration], [UNCHANGED]
    warning = "the last batch here had another configuration: the batch will need --new-run (estimated here) or --retry"
    return [configuration, *gate.keeps], [] if admitted else [warning]


def _path(item: Item | str | Path) -> str:
    return item.path if isinstance(item, Item) else str(item)


class _ImageCost:
    """The mean tokens of the images for any model."""

    def __init__(self, sizes: Sequence[Size]) -> None:
        self._sizes = sizes

    def __call__(self, model: str) -> float:
        counted = [_or_by_pixels(image_tokens(model, *size).tokens, size) for size in self._sizes]
        return sum(counted) / len(counted) if counted else 0.0

    def notes(self, loads: Sequence[Load]) -> list[str]:
        """The rule by which each model's images are counted."""
        if not self._sizes:
            return []
        size = self._sizes[0]
        found = {load.model: image_tokens(load.model, *size) for load in loads}
        guess = f"counted as one token for {PIXELS_PER_TOKEN} pixels"
        return [
            f"{model}: {self(model):,.0f} tokens an image ({rule.rule}{f'; {guess}' if rule.tokens is None else ''})"
            for model, rule in found.items()
        ]


def _or_by_pixels(tokens: int | None, size: Size) -> int:
    return math.ceil(size[0] * size[1] / PIXELS_PER_TOKEN) if tokens is None else tokens


def _existing(folder: Path) -> Workspace | None:
    workspace = Workspace(Path(folder).expanduser().absolute())
    return Workspace.open(workspace.path) if workspace.database_path.is_file() else None


def _tokens(load: Load) -> float:
    return load.input_tokens + load.output_tokens


def _objects(context: AnalysisContext, history: History | None) -> float:
    if context.schedule == "direct":
        return 0.0
    return history.objects if history else float(PRIOR_OBJECTS)


def _price(loads: Sequence[Load], settings: Settings) -> float | None:
    """US dollars of one image; None where the price of a model is not known."""
    prices = Prices.load(settings.prices)
    total = 0.0
    for load in loads:
        price = prices.of(load.model, settings.base_url if load.model.startswith("openai:") else None)
        if price is None:
            return None
        total += price.usd(Usage(round(load.input_tokens), round(load.cached_tokens), round(load.output_tokens)))
    return total


def _prefix_share(context: AnalysisContext, objects: float, image: float) -> PrefixShare:
    """What the calls about one image have in common, in the real prompts filled with texts of assumed lengths."""
    prompts = [call.prompt for call in rehearse(context, max(1, round(objects)))]
    return prefix_share(prompts, round(image), cache_of(context.model, context.base_url) or IDEAL)


def _saved(share: PrefixShare, context: AnalysisContext, settings: Settings) -> float | None:
    own_server = settings.base_url if context.model.startswith("openai:") else None
    price = Prices.load(settings.prices).of(context.model, own_server)
    return None if price is None or price.cached is None else share.saved(price)


def _within(budget: float | None, price: float | None, images: int) -> int | None:
    if budget is None or not price or price * images <= budget:
        return None
    return math.floor(budget / price)


def _notes(context: AnalysisContext, history: History | None, loads: Sequence[Load]) -> list[str]:
    """What the figures rest on."""
    if history:
        error = "unknown from one image" if history.error is None else f"{history.error:.0%} (two standard errors)"
        return [
            f"cached share as {history.images} images of this workspace had it: {history.cached:.0%}",
            f"the mean tokens of an image may be off by: {error}",
        ]
    notes = ["text is counted as 4 characters a token, in the real prompts, filled with texts of assumed lengths"]
    if context.schedule != "direct":
        notes.append(
            f"{PRIOR_OBJECTS} objects an image fit the paper's 194 thousand tokens; analyse a few to know better"
        )
    if context.schedule == "lean":
        notes.append("the consolidation is counted for every image; it is spared where nothing was found")
    for load in loads:
        cache = cache_of(load.model, context.base_url)
        notes.append(
            f"{load.model}: cached is what {cache.name} could spare at best"
            if cache
            else f"{load.model}: no prefix cache is counted on"
        )
    return notes
