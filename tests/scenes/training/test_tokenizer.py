"""The tokenizer: fixed phrases are one token, everything can be written, and the ids never move."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from anomagent.prompts import SYSTEM, TEMPLATES, object_perceiver
from anomagent.scenes.catalogue import ANOMALIES
from anomagent.scenes.training.architecture import IMAGE_TOKENS, SPECIAL_TOKENS
from anomagent.scenes.training.case import Lesson
from anomagent.scenes.training.encoder import Encoder
from anomagent.scenes.training.tokenizer import constant_lines, fixed_phrases, spelled_out, train_tokenizer, wrap

few = settings(deadline=None, max_examples=60)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(scenes=40)


def test_special_tokens_have_qwens_names_and_the_first_ids(tokenizer: Tokenizer) -> None:
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))


def test_every_long_line_of_the_prompts_is_one_token(tokenizer: Tokenizer) -> None:
    for text in (SYSTEM, *(template.source for template in TEMPLATES)):
        for line in text.splitlines(keepends=True):
            if len(line) >= 24 and "{{" not in line and "{%" not in line:
                assert len(tokenizer.encode(line).ids) == 1, line


def test_the_catalogues_phrases_are_one_token(tokenizer: Tokenizer) -> None:
    for kind in ANOMALIES:
        assert len(tokenizer.encode(kind.phrase).ids) == 1
    assert len(set(fixed_phrases()) | set(constant_lines())) == len(fixed_phrases()) + len(constant_lines())


@few
@given(text=st.text())
def test_any_text_can_be_written(tokenizer: Tokenizer, text: str) -> None:
    clean = "".join(character for character in text if not 0xD800 <= ord(character) <= 0xDFFF)
    assert tokenizer.decode(tokenizer.encode(clean).ids, skip_special_tokens=False) == clean


def test_spelled_out_phrases_say_the_same(tokenizer: Tokenizer) -> None:
    for phrase, words in spelled_out(tokenizer).items():
        assert len(words) > 1
        assert tokenizer.decode(words) == tokenizer.decode([phrase])


def test_the_chat_template_lays_out_what_training_sees(tokenizer: Tokenizer) -> None:
    prompt = object_perceiver.render_list(0)
    messages = [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt.text}]},
    ]
    wrapped = wrap(tokenizer)
    text = wrapped.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = wrapped(text.replace("<|image_pad|>", "<|image_pad|>" * IMAGE_TOKENS))["input_ids"]
    assert tuple(ids) == Encoder(tokenizer).sample(Lesson(prompt, "{}")).prompt


def test_training_gives_the_same_tokenizer_again(tokenizer: Tokenizer) -> None:
    assert train_tokenizer(scenes=40).to_str() == tokenizer.to_str()
