"""From a model's raw text to the reply that was asked for, or to the reason why it is none."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError

from anomagent.errors import CutOff, Malformed, ModelError, Refused
from anomagent.models.types import Completion
from anomagent.prompts.base import Reply, Turn, excerpt

R = TypeVar("R", bound=Reply)

LONGEST_REFUSAL = 600
"""Characters. Declining takes a sentence or two; a longer text without JSON is an answer in the wrong form."""

_SHOWN = 200
"""Characters of an answer that a message shows."""
_THINKING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>|\A.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_OBJECT = re.compile(r"\{(?=\s*[\"}])")
_DECLINES = re.compile(
    r"\b(?:i(?:'|’)?m|i am|we(?:'|’)?re|we are)\s+(?:really\s+|very\s+)?(?:sorry|unable|not able|not comfortable)"
    r"|\b(?:i|we)\s+(?:can(?:'|’)?t|cannot|can not|won(?:'|’)?t|will not)\b"
    r"(?! (?:see|find|detect|spot|observe|notice|identify) (?:any|an?|no)\b)"
    r"|\b(?:must|have to) decline\b"
    r"|\bunable to (?:assist|help|comply|process|analy[sz]e|view|provide|fulfil)"
    r"|against (?:my|our|the) (?:policy|policies|guidelines)"
    r"|抱歉|对不起|我无法|我不能|不能协助",
    re.IGNORECASE,
)


def judge(completion: Completion, reply: type[R]) -> R | Refused | CutOff | Malformed:
    """The validated reply, or the failure that it is: not raised, since the caller may still ask again."""
    if completion.finish_reason == "refusal" or looks_like_refusal(completion.text):
        return Refused(f"the model declined to answer: {excerpt(completion.text, _SHOWN) or 'no reason given'}")
    if completion.finish_reason == "length":
        return CutOff("the answer did not fit; ask for less or choose a model that can answer at greater length")
    try:
        return parse(completion.text, reply)
    except ValueError as error:
        return Malformed(f"the answer was not the reply that was asked for: {error}")


def parse(text: str, reply: type[R]) -> R:
    """Read the first object in `text` that is a valid `reply`.

    A `<think>` block, a code fence and prose around the object are passed over; nothing inside the object is mended.
    A plain reply is the text itself, without the `<think>` block. Raises `ValueError` with what is wrong, in words that
    the model can act on.
    """
    if reply.plain:
        return _plain(text, reply)
    problem: ValueError | None = None
    for candidate in _objects(_THINKING.sub("", text)):
        try:
            return reply.model_validate(candidate)
        except ValidationError as error:
            problem = problem or ValueError(_explain(error))
    raise problem or ValueError("it holds no JSON object")


def _plain(text: str, reply: type[R]) -> R:
    try:
        return reply.model_validate({"text": _THINKING.sub("", text).strip()})
    except ValidationError as error:
        raise ValueError(_explain(error)) from None


def looks_like_refusal(text: str) -> bool:
    """Whether a short text without any JSON object reads like a refusal."""
    return len(text) <= LONGEST_REFUSAL and "{" not in text and _DECLINES.search(text) is not None


def repair(text: str, failure: ModelError, reply: type[Reply]) -> tuple[Turn, Turn]:
    """The two turns that show a model its own answer and ask for a valid one."""
    form = "in the form that was asked for" if reply.plain else "with one complete JSON object of the shape asked for"
    complaint = f"This could not be accepted: {failure}\nAnswer again {form}."
    return Turn("assistant", text.strip() or "(no answer)"), Turn("user", complaint)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects that stand in `text` one after another; a broken one ends the search with `ValueError`."""
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    position = 0
    while start := _OBJECT.search(text, position):
        try:
            value, position = decoder.raw_decode(text, start.start())
        except RecursionError as error:
            raise ValueError("its JSON is nested too deeply") from error
        yield value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _explain(error: ValidationError) -> str:
    found = error.errors(include_url=False)
    # A name in a path may be the model's own: any text of any length.
    problems = [f"{excerpt('.'.join(map(str, e['loc'])), 80) or 'the object'}: {e['msg']}" for e in found]
    more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
    return "; ".join(problems[:8]) + more
