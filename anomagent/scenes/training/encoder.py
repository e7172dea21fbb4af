# pyright: basic
"""Lessons as token ids."""

from random import Random
from typing import Final

from tokenizers import Tokenizer

from anomagent.prompts import SYSTEM
from anomagent.scenes.compose import Scene
from anomagent.scenes.training.architecture import IMAGE_TOKENS
from anomagent.scenes.training.case import Lesson
from anomagent.scenes.training.curriculum import lessons_about
from anomagent.scenes.training.packing import Sample, Tree
from anomagent.scenes.training.tokenizer import spelled_out

_SPELLED_OUT: Final = 0.03


class Encoder:
    """Now and then spells out a fixed phrase of a prompt in words, so that a slightly edited prompt stays readable."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._words = spelled_out(tokenizer)
        self._known: dict[str, tuple[int, ...]] = {}
        image = "<|vision_start|>" + "<|image_pad|>" * IMAGE_TOKENS + "<|vision_end|>"
        self._head = self._ids(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{image}")
        self._turn = self._ids("<|im_end|>\n<|im_start|>assistant\n")
        self._end = self._ids("<|im_end|>")

    def tree(self, scene: Scene, rng: Random, length: int) -> Tree:
        """A random selection of lessons about the scene, packed."""
        spelled = frozenset(token for token in self._words if rng.random() < _SPELLED_OUT)
        return Tree.of([self.sample(lesson, spelled) for lesson in lessons_about(scene, rng)], length)

    def sample(self, lesson: Lesson, spelled: frozenset[int] = frozenset()) -> Sample:
        """The whole conversation, as the chat template lays it out, with the phrases of these ids spelled out."""
        prompt = (*self._head, *self._ids(lesson.prompt.text))
        words = [word for token in prompt for word in (self._words[token] if token in spelled else (token,))]
        return Sample((*words, *self._turn), (*self._ids(lesson.answer), *self._end), lesson.weight)

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)
