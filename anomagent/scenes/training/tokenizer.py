# pyright: basic
"""The embedded model's tokenizer: byte-level BPE on the project's own text, in which every fixed phrase is one token.

Fixed phrases are the constant lines of the prompts and the constant parts of the catalogue's sentences. They make
prompts of hundreds of words as short as a few dozen tokens, which is what lets so small a model train and answer in no
time. The price: tokenizer and weights fit exactly one wording, and another wording needs another training.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Final

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from anomagent.prompts import SYSTEM, TEMPLATES, object_perceiver, scene_scanner
from anomagent.scenes.catalogue import ANOMALIES
from anomagent.scenes.compose import compose
from anomagent.scenes.training.architecture import IM_END_ID, PAD_ID, SPECIAL_TOKENS
from anomagent.scenes.training.case import Case, Lesson
from anomagent.scenes.training.image_lessons import PER_IMAGE
from anomagent.scenes.training.object_lessons import PER_OBJECT

CHAT_TEMPLATE: Final = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' or 'image' in part or 'image_url' in part -%}<|vision_start|><|image_pad|><|vision_end|>
{%- elif 'text' in part -%}{{ part.text }}{%- endif -%}
{%- endfor -%}
{%- endif -%}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}"""
"""Qwen's layout. The one <|image_pad|> of an image is repeated for each of its tokens by the processor."""

_VOCABULARY: Final = 1200
_CORPUS_SEED: Final = 9_000_000
_CORPUS_SCENES: Final = 1500
_SHORTEST_LINE: Final = 24
_SHORTEST_PHRASE: Final = 9

_PIECES: Final = "|".join(
    (
        # The JSON between two values, keys included, is one piece: `"}], "covers": [`.
        r'["\]}]*(?:, )?(?:[\[{]*"[a-z]+": )+\[*(?:"(?![,\]}]))?',
        r'["\]}]+, [\[{]*"?',
        r'["\]}]+',
        r"[\[{]+",
        r"\n+(?:- )?",
        r" ?\p{L}+",
        r" ?\p{N}",
        r"[^\s\p{L}\p{N}\"{}\[\]]+ ?",
        r"\s",
    )
)


def constant_lines() -> list[str]:
    """The long lines that are the same in every prompt of their step, each with its line end where it has one."""
    texts = [SYSTEM, *object_perceiver.EMPHASES, *scene_scanner.EMPHASES, *(item.source for item in TEMPLATES)]
    lines: dict[str, None] = {}
    for text in texts:
        for line in text.splitlines(keepends=True):
            if len(line) >= _SHORTEST_LINE and "{{" not in line and "{%" not in line:
                lines[line] = None
    return list(lines)


def fixed_phrases() -> list[str]:
    """The catalogue's phrases, and what lies between the variables of its sentences."""
    phrases: dict[str, None] = {}
    for kind in ANOMALIES:
        parts = [kind.phrase, *re.split(r"\{\w+\}", kind.phenomenon), *re.split(r"\{\w+\}", kind.reasoning)]
        phrases |= {part: None for part in parts if len(part) >= _SHORTEST_PHRASE}
    return list(phrases)


def train_tokenizer(scenes: int = _CORPUS_SCENES) -> Tokenizer:
    """Learn the words from the lessons of `scenes` scenes and add the fixed phrases; always the same result."""
    tokenizer = Tokenizer(models.BPE())
    words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(_PIECES), "isolated"), words])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        min_frequency=3,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    phrases = [*constant_lines(), *fixed_phrases()]
    tokenizer.train_from_iterator(_corpus(phrases, scenes), trainer)
    tokenizer.add_tokens([AddedToken(phrase, special=False, normalized=False) for phrase in phrases])
    return tokenizer


def wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """As transformers saves and loads it. The plain fast class keeps the ids; Qwen2Tokenizer would renumber them."""
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=SPECIAL_TOKENS[IM_END_ID],
        pad_token=SPECIAL_TOKENS[PAD_ID],
        additional_special_tokens=list(SPECIAL_TOKENS[IM_END_ID + 1 :]),
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_max_length=4096,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and the chat template."""
    wrap(tokenizer).save_pretrained(folder)


def spelled_out(tokenizer: Tokenizer) -> dict[int, list[int]]:
    """For the id of every fixed phrase, the ids of its words."""
    plain = Tokenizer.from_str(_without_phrases(tokenizer))
    phrases = [*constant_lines(), *fixed_phrases()]
    ids = tokenizer.get_vocab()
    return {ids[phrase]: plain.encode(phrase).ids for phrase in phrases}


def _without_phrases(tokenizer: Tokenizer) -> str:
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["special"]]
    return json.dumps(state)


def _corpus(phrases: list[str], scenes: int) -> Iterator[str]:
    """Prompts and answers; the phrases come apart, and often enough that their words become tokens."""
    cut = re.compile("|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True)))
    for _ in range(20):
        yield from phrases
    yield from ("system\n", "user\n", "assistant\n") * 50
    rng = Random(_CORPUS_SEED)
    for index in range(scenes):
        for lesson in _all_lessons(Case.of(compose(_CORPUS_SEED + index), rng)):
            yield from cut.split(lesson.prompt.text)
            yield from cut.split(lesson.answer)


def _all_lessons(case: Case) -> Iterable[Lesson]:
    for ask in PER_IMAGE:
        yield ask(case)
    for entry in case.listed[:1]:
        for ask_about in PER_OBJECT:
            yield ask_about(case, entry)
