# pyright: basic
"""Many prompts about one image as one sequence: a tree in which shared beginnings are computed once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomagent.scenes.training.architecture import GRID, IMAGE_ID, IMAGE_TOKENS

MAX_NODES = 62
"""Branches of one tree; the ancestors of a branch are the bits of one 64-bit number."""
_UNSEEN = -1e4


@dataclass(frozen=True)
class Sample:
    """One prompt with its answer as token ids; the loss counts `answer` only, each token with `weight`."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    weight: float


@dataclass
class Tree:
    """The samples of one image in one sequence of at most `length` tokens.

    Every sample reads exactly what it would read alone: its own beginning and itself, at the positions that
    transformers gives it. What does not fit is left out.
    """

    length: int
    tokens: list[int] = field(default_factory=list[int])
    positions: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    branches: list[int] = field(default_factory=list[int])
    ancestors: list[int] = field(default_factory=list[int])
    targets: list[int] = field(default_factory=list[int])
    weights: list[float] = field(default_factory=list[float])
    samples: int = 0
    _nodes: int = 0

    @classmethod
    def of(cls, samples: Sequence[Sample], length: int) -> "Tree":
        """Pack samples that begin alike; the first ones are the first to find room."""
        tree = cls(length)
        tree._grow([(*sample.prompt, *sample.answer) for sample in samples], samples, 0, (), 0)
        return tree

    def _grow(
        self, texts: list[tuple[int, ...]], samples: Sequence[Sample], start: int, path: tuple[int, ...], position: int
    ) -> None:
        """Add samples that agree up to token `start`, below the nodes of `path`."""
        groups: dict[int, list[int]] = {}
        for index, text in enumerate(texts):
            groups.setdefault(text[start], []).append(index)
        for members in groups.values():
            chosen = [samples[index] for index in members]
            branch = [texts[index] for index in members]
            end = _agreement(branch, start) if len(branch) > 1 else len(branch[0])
            if len(self.tokens) + end - start > self.length or self._nodes == MAX_NODES:
                continue
            node = self._nodes
            self._nodes += 1
            after = self._append(branch[0][start:end], node, path, position)
            if len(branch) == 1:
                self._mark(chosen[0], end - start)
            else:
                self._grow(branch, chosen, end, (*path, node), after)

    def _append(self, tokens: tuple[int, ...], node: int, path: tuple[int, ...], position: int) -> int:
        """Write tokens and return the position after them; an image is as long as its side."""
        seen = 0
        for token in tokens:
            if token == IMAGE_ID:
                row, column = divmod(seen, GRID)
                self.positions.append((position, position + row, position + column))
                seen += 1
                if seen == IMAGE_TOKENS:
                    position, seen = position + GRID, 0
            else:
                self.positions.append((position, position, position))
                position += 1
        self.tokens += tokens
        self.branches += [node] * len(tokens)
        self.ancestors += [sum(1 << other for other in (*path, node))] * len(tokens)
        self.targets += [0] * len(tokens)
        self.weights += [0.0] * len(tokens)
        return position

    def _mark(self, sample: Sample, written: int) -> None:
        """Every token of the answer is predicted at the place before it."""
        if written <= len(sample.answer):
            raise ValueError("two samples with one prompt")
        self.samples += 1
        first = len(self.tokens) - len(sample.answer)
        for place, token in enumerate(sample.answer, start=first):
            self.targets[place - 1] = token
            self.weights[place - 1] = sample.weight


@dataclass(frozen=True)
class Batch:
    """Packed trees of equal length. Only the `chosen` places (flat indices, padded with weight 0) have a target."""

    tokens: Tensor
    positions: Tensor
    branches: Tensor
    ancestors: Tensor
    chosen: Tensor
    targets: Tensor
    weights: Tensor
    samples: int

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        values = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **values)


def collate(trees: Sequence[Tree], answers: int) -> Batch:
    """One batch. At most `answers` predicted tokens a tree on average are learnt, the surplus is ignored."""
    length = trees[0].length
    weights = _padded([tree.weights for tree in trees], length, 0.0, np.float32).reshape(-1)
    targets = _padded([tree.targets for tree in trees], length, 0, np.int64).reshape(-1)
    chosen = np.flatnonzero(weights)[: answers * len(trees)]
    padding = (0, answers * len(trees) - len(chosen))
    positions = np.stack(
        [_padded([[p[axis] for p in tree.positions] for tree in trees], length, 0, np.int64) for axis in range(3)]
    )
    return Batch(
        tokens=torch.from_numpy(_padded([tree.tokens for tree in trees], length, 0, np.int64)),
        positions=torch.from_numpy(positions),
        branches=torch.from_numpy(_padded([tree.branches for tree in trees], length, MAX_NODES, np.int64)),
        ancestors=torch.from_numpy(_padded([tree.ancestors for tree in trees], length, 1 << MAX_NODES, np.int64)),
        chosen=torch.from_numpy(np.pad(chosen, padding)),
        targets=torch.from_numpy(np.pad(targets[chosen], padding)),
        weights=torch.from_numpy(np.pad(weights[chosen], padding)),
        samples=sum(tree.samples for tree in trees),
    )


def attention_mask(branches: Tensor, ancestors: Tensor) -> Tensor:
    """Who sees whom, (batch, 1, length, length), to be added to attention scores.

    A token sees what comes earlier in its own branch and in the branches that it grew from.
    """
    length = branches.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool, device=branches.device).tril()
    related = (ancestors[:, :, None] >> branches[:, None, :]) & 1
    hidden = ~(earlier & related.bool())[:, None]
    return torch.zeros(hidden.shape, dtype=torch.bfloat16, device=hidden.device).masked_fill(hidden, _UNSEEN)


def _agreement(texts: list[tuple[int, ...]], start: int) -> int:
    """The first place at which the texts differ."""
    end = start
    while all(len(text) > end for text in texts) and len({text[end] for text in texts}) == 1:
        end += 1
    return end


def _padded(rows: Sequence[Sequence[float]], length: int, value: float, kind: type[np.generic]) -> NDArray[np.generic]:
    table = np.full((len(rows), length), value, dtype=kind)
    for index, row in enumerate(rows):
        table[index, : len(row)] = row
    return table
