"""A language model as judge: which predictions and ground truths of an image describe the same anomaly."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from anomagent.errors import ModelError
from anomagent.evaluation.pairs import Pair
from anomagent.models.call import call_of
from anomagent.models.many import IN_FLIGHT, map_all
from anomagent.models.types import Ask
from anomagent.prompts.anomaly_judge import SamePairs, render_match
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import CallRef, Failure

_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Judgement:
    """What the judge said about one image."""

    image: str
    """The image's base name."""
    same: frozenset[tuple[int, int]] = frozenset()
    """(prediction, ground truth), indices from 0, that describe the same anomaly; any number for each."""
    call: CallRef | None = None
    """None where a side is empty: there was nothing to ask."""
    failure: Failure | None = None
    """Why the image was not judged; `same` then means nothing."""


@dataclass(frozen=True)
class Estimate:
    """What judging will take, answers that the ledger already has included."""

    calls: int
    input_tokens: int


async def judge(
    ask: Ask,
    context: AnalysisContext,
    pairs: Sequence[Pair],
    *,
    in_flight: int = IN_FLIGHT,
    on_done: Callable[[Judgement], None] | None = None,
) -> list[Judgement]:
    """Judge every image, one call each where both sides have anomalies; judgements in the order of `pairs`.

    How many calls really run together is the seam's to say; `in_flight` only bounds the tasks. An answer that names
    an anomaly that does not exist, like any `ModelError`, is a failure of its image; other errors are raised.
    """
    return await map_all(partial(_judge_image, ask, context), pairs, in_flight=in_flight, on_done=on_done)


def estimate(pairs: Iterable[Pair]) -> Estimate:
    """Calls and input tokens of `judge` before anything is sent, at 4 characters a token and without repairs."""
    prompts = [render_match(pair.predictions, pair.ground_truth) for pair in pairs if _has_both(pair)]
    characters = sum(len(prompt.system) + len(prompt.text) for prompt in prompts)
    return Estimate(len(prompts), characters // _CHARACTERS_PER_TOKEN)


async def _judge_image(ask: Ask, context: AnalysisContext, pair: Pair) -> Judgement:
    if not _has_both(pair):
        return Judgement(pair.image)
    prompt = render_match(pair.predictions, pair.ground_truth)
    try:
        answer = await ask(context, None, prompt, prompt.reply)
    except ModelError as error:
        failure = Failure(role=prompt.role, object=None, error=error.code, message=str(error))
        return Judgement(pair.image, call=call_of(error), failure=failure)
    assert isinstance(answer.reply, SamePairs)
    same = frozenset((found.prediction - 1, found.reference - 1) for found in answer.reply.pairs)
    return Judgement(pair.image, same, answer.call)


def _has_both(pair: Pair) -> bool:
    return bool(pair.predictions and pair.ground_truth)
