"""The kinds of one image's anomalies by a model, where the rules of the taxonomy are not enough."""

from collections.abc import Sequence
from dataclasses import dataclass

from anomagent.benchmark.kinds import Kind
from anomagent.errors import ModelError
from anomagent.models.call import call_of
from anomagent.models.types import Ask
from anomagent.prompts.kind_classifier import Kinds, render_classify
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import Anomaly, CallRef, Failure


@dataclass(frozen=True)
class Classification:
    """What became of one image's anomalies."""

    kinds: tuple[Kind, ...] | None
    """One for each anomaly, in order; None where the model gave no usable answer."""
    call: CallRef | None
    """None where there was nothing to ask."""
    failure: Failure | None = None
    """Why there are no kinds."""


async def classify(ask: Ask, context: AnalysisContext, anomalies: Sequence[Anomaly]) -> Classification:
    """Ask for the kinds of one image's anomalies in one call without the image; no anomalies, no call.

    An answer with a wrong number of kinds or an unknown one, like any `ModelError`, is a failure as data.
    """
    if not anomalies:
        return Classification((), None)
    prompt = render_classify(anomalies)
    try:
        answer = await ask(context, None, prompt, prompt.reply)
    except ModelError as error:
        failure = Failure(role=prompt.role, object=None, error=error.code, message=str(error))
        return Classification(None, call_of(error), failure)
    assert isinstance(answer.reply, Kinds)
    return Classification(tuple(answer.reply.kinds), answer.call)
