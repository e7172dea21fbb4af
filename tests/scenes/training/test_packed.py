"""The packed forward pass is transformers' forward pass."""

from random import Random

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import Qwen2_5_VLForConditionalGeneration

from anomagent.scenes.compose import compose
from anomagent.scenes.draw import draw
from anomagent.scenes.training.architecture import IMAGE_ID, image_processor, new_model
from anomagent.scenes.training.curriculum import lessons_about
from anomagent.scenes.training.encoder import Encoder
from anomagent.scenes.training.gallery import picture
from anomagent.scenes.training.packed import PackedModel
from anomagent.scenes.training.packing import Tree, attention_mask, collate
from anomagent.scenes.training.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(scenes=20)


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> Qwen2_5_VLForConditionalGeneration:
    torch.manual_seed(0)
    model = new_model(tokenizer.get_vocab_size()).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)  # fresh weights are so small that mistakes would hardly show
    return model


@torch.no_grad()
def test_packed_logits_are_those_of_transformers(
    model: Qwen2_5_VLForConditionalGeneration, tokenizer: Tokenizer
) -> None:
    scene = compose(5, 2)
    encoder = Encoder(tokenizer)
    samples = [encoder.sample(lesson) for lesson in lessons_about(scene, Random(5))]
    tree = Tree.of(samples, 2000)
    assert tree.samples == len(samples)
    batch = collate([tree], 1000)
    packed = PackedModel(model)
    seen = packed.see(torch.from_numpy(np.array(picture(scene)))[None])
    hidden = packed.read(batch.tokens, seen, batch.positions, attention_mask(batch.branches, batch.ancestors))
    logits = model.lm_head(hidden)[0]
    vision = image_processor()(images=[draw(scene)], return_tensors="pt")
    for sample in samples:
        ids = torch.tensor([[*sample.prompt, *sample.answer]])
        plain = model(input_ids=ids, mm_token_type_ids=(ids == IMAGE_ID).int(), **vision).logits[0]
        expected = plain[len(sample.prompt) - 1 : -1]
        assert (logits[_places(tree, sample.answer, sample.weight)] - expected).abs().max() < 1e-4


def _places(tree: Tree, answer: tuple[int, ...], weight: float) -> list[int]:
    """Where the tree predicts this answer; equal answers of two prompts are told apart by being taken once."""
    for start in range(len(tree.tokens)):
        places = list(range(start, start + len(answer)))
        whole = places[-1] < len(tree.tokens) and all(tree.weights[place] == weight for place in places)
        starts = start == 0 or not tree.weights[start - 1] or tree.branches[start - 1] != tree.branches[start]
        if whole and starts and tuple(tree.targets[place] for place in places) == answer:
            for place in places:
                tree.weights[place] = 0.0
            return places
    raise AssertionError("the answer is not in the tree")
