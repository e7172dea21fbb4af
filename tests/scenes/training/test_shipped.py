"""The shipped weights, tokenizer and prompts are one unit."""

import hashlib
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from anomagent.config import Settings
from anomagent.models.embedded import DIRECTORY
from anomagent.scenes.bench import bench
from anomagent.scenes.training.architecture import GRID, SPECIAL_TOKENS
from anomagent.scenes.training.tokenizer import constant_lines, fixed_phrases

TOKENIZER = "8eaf6de87c54144cec2a66d826ee462fb9fc850003ee8ddc8ea4ab76d52ee102"
"""SHA-256 of tokenizer.json: it changes only together with the weights."""


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(DIRECTORY / "tokenizer.json"))


def test_the_ids_are_those_that_the_weights_were_trained_with() -> None:
    assert hashlib.sha256((DIRECTORY / "tokenizer.json").read_bytes()).hexdigest() == TOKENIZER


def test_todays_prompts_and_sentences_are_the_ones_it_was_trained_with(tokenizer: Tokenizer) -> None:
    """Fails when a prompt or the catalogue was edited: train again (`make train-embedded`)."""
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))
    for phrase in (*constant_lines(), *fixed_phrases()):
        assert len(tokenizer.encode(phrase).ids) == 1, phrase


def test_the_model_is_small_and_complete() -> None:
    names = {path.name for path in DIRECTORY.iterdir()}
    needed = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert names >= needed | {"preprocessor_config.json", "chat_template.jinja", "MODEL_CARD.md"}
    assert (DIRECTORY / "model.safetensors").stat().st_size < 25e6
    assert GRID == 6


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
async def test_it_finds_what_was_planted_and_not_in_another_image(tmp_path: Path) -> None:
    figures = await bench(Settings(model="embedded", schedule="lean", workspace=tmp_path / "w"), count=8)
    assert figures["objects"]["f1"] > 0.85
    assert figures["anomalies"]["f1"] > 0.7
    assert figures["image_swapped"]["recall"] < 0.3
