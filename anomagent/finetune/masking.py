"""What is learned of a conversation: the answers and the token that ends each, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

from anomagent.errors import UsageError
from anomagent.finetune.instances import Instance
from anomagent.models.qwen_inputs import QwenInputs, harmless
from anomagent.prompts.anomaly_reporter import SYSTEM
from anomagent.prompts.base import Turn

IGNORED = -100
"""The label of a token that is read and not learned."""
END = "<|im_end|>"
"""What ends a turn in Qwen's layout."""


@dataclass(frozen=True)
class Lesson:
    """A conversation in tokens, as the model reads it when it is asked, with the labels of what it is to answer."""

    ids: list[int]
    labels: list[int]
    """As long as `ids`: a token's own number where it is learned, `IGNORED` elsewhere."""

    @property
    def learned(self) -> int:
        """Tokens that are learned."""
        return sum(label != IGNORED for label in self.labels)


def turns_of(instance: Instance) -> list[Turn]:
    """The conversation's turns, questions and answers."""
    return [turn for question, answer in instance.turns for turn in (Turn("user", question), Turn("assistant", answer))]


def lesson_of(inputs: QwenInputs, instance: Instance, cells: int, newline: bool = False) -> Lesson:
    """Tokens and labels of an instance whose image takes `cells` tokens; `newline`: learn the break behind an answer.

    The tokens in front of each answer are exactly those that the model is asked with. Raises `UsageError` with the
    instance's id where that is impossible: texts with blank ends or control tokens, a layout of another kind.
    """
    turns = turns_of(instance)
    _check(instance, turns)
    whole = inputs.tokens(_layout(inputs, turns, ask=False), cells)
    labels = [IGNORED] * len(whole)
    for place in range(1, len(turns), 2):
        asked = inputs.tokens(_layout(inputs, turns[:place], ask=True), cells)
        said = inputs.tokens(_layout(inputs, turns[: place + 1], ask=False), cells)
        if whole[: len(asked)] != asked or whole[: len(said)] != said:
            raise UsageError(f"instance {instance.id}: its tokens are not those the model would be asked with")
        end = _end(inputs, said, len(asked), instance)
        stop = len(said) if newline else end + 1
        labels[len(asked) : stop] = whole[len(asked) : stop]
    return Lesson(whole, labels)


def _layout(inputs: QwenInputs, turns: Sequence[Turn], *, ask: bool) -> str:
    return inputs.layout(SYSTEM, turns, image=True, ask=ask)


def _end(inputs: QwenInputs, said: Sequence[int], start: int, instance: Instance) -> int:
    """Where the token lies that ends the answer which begins at `start`."""
    (end,) = inputs.tokens(END, 0)
    if said[start:].count(end) != 1:
        raise UsageError(f"instance {instance.id}: the chat template does not end an answer with {END}")
    return said.index(end, start)


def _check(instance: Instance, turns: Sequence[Turn]) -> None:
    for number, turn in enumerate(turns):
        name = f"{'answer' if number % 2 else 'question'} {number // 2 + 1}"
        if turn.text != turn.text.strip() or not turn.text:
            raise UsageError(f"instance {instance.id}: {name} is empty or begins or ends with blanks; strip it")
        if harmless(turn.text) != turn.text:
            raise UsageError(f"instance {instance.id}: {name} holds a control token such as {END}; take it out")
