"""A packed tree shows every sample exactly what it would see alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.scenes.training.architecture import GRID, IMAGE_ID, IMAGE_TOKENS
from anomagent.scenes.training.packing import Sample, Tree, attention_mask, collate

few = settings(deadline=None, max_examples=60)
IMAGE = (IMAGE_ID,) * IMAGE_TOKENS
token = st.integers(10, 14)
prompts = st.lists(
    st.lists(token, min_size=1, max_size=6).map(lambda tail: (1, *IMAGE, *tail, 2)), min_size=1, max_size=8, unique=True
)
answers = st.lists(token, min_size=1, max_size=4).map(tuple)


@st.composite
def samples(draw: st.DrawFn) -> list[Sample]:
    return [Sample(prompt, draw(answers), 1.0 + place) for place, prompt in enumerate(draw(prompts))]


def visible(tree: Tree) -> list[tuple[tuple[int, ...], tuple[int, ...], float]]:
    """(prompt, answer, weight) of every sample, read back through the mask of its last target."""
    batch = collate([tree], 100)
    sees = attention_mask(batch.branches, batch.ancestors)[0, 0] == 0
    found = []
    places = [place for place, weight in enumerate(tree.weights) if weight]
    while places:
        run = [place for place in places if tree.branches[place] == tree.branches[places[0]]]
        run = [place for offset, place in enumerate(run) if place == run[0] + offset]
        places = [place for place in places if place not in run]
        before = tuple(tree.tokens[place] for place in torch.nonzero(sees[run[0]]).flatten().tolist())
        found.append((before, tuple(tree.targets[place] for place in run), tree.weights[run[0]]))
    return found


@few
@given(samples())
def test_every_sample_sees_its_own_prompt_and_nothing_else(given_samples: list[Sample]) -> None:
    tree = Tree.of(given_samples, 1000)
    assert tree.samples == len(given_samples)
    expected = [(sample.prompt, sample.answer, sample.weight) for sample in given_samples]
    assert sorted(visible(tree)) == sorted(expected)


@few
@given(samples())
def test_shared_beginnings_are_written_once(given_samples: list[Sample]) -> None:
    tree = Tree.of(given_samples, 1000)
    assert tree.tokens.count(IMAGE_ID) == IMAGE_TOKENS
    assert len(tree.tokens) <= sum(len(sample.prompt) + len(sample.answer) for sample in given_samples)


@few
@given(samples(), st.integers(40, 80))
def test_no_tree_is_longer_than_allowed(given_samples: list[Sample], length: int) -> None:
    tree = Tree.of(given_samples, length)
    assert len(tree.tokens) <= length
    assert {answer for _, answer, _ in visible(tree)} <= {sample.answer for sample in given_samples}


def test_positions_are_those_of_qwen() -> None:
    tree = Tree.of([Sample((1, *IMAGE, 7), (8, 9), 1.0)], 100)
    assert tree.positions[0] == (0, 0, 0)
    assert tree.positions[1] == (1, 1, 1)
    assert tree.positions[IMAGE_TOKENS] == (1, GRID, GRID)
    # After the image the text goes on at one more than the largest position in it.
    assert tree.positions[IMAGE_TOKENS + 1] == (GRID + 1,) * 3


def test_one_prompt_has_one_answer() -> None:
    with pytest.raises(ValueError, match="two samples with one prompt"):
        Tree.of([Sample((1, 2), (3, 4), 1.0), Sample((1, 2), (3, 5), 1.0)], 100)


def test_a_batch_is_padded_and_its_surplus_ignored() -> None:
    trees = [Tree.of([Sample((1, 2), (3, 4, 5), 2.0)], 8), Tree.of([Sample((1,), (3,), 1.0)], 8)]
    batch = collate(trees, 1)
    assert batch.tokens.shape == (2, 8)
    assert batch.positions.shape == (3, 2, 8)
    assert batch.targets.tolist() == [3, 4]
    assert batch.weights.tolist() == [2.0, 2.0]
    assert collate(trees, 4).weights.tolist() == [2.0, 2.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0]
