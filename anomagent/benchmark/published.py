"""The published results, to be shown beside a user's own. Source: the paper's Tables 1 to 5, and later papers."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

_TABLES: Final = {
    "distilbert-base-uncased": ("Table 1", "anomreason_test"),
    "roberta-large-mnli": ("Table 4", "anomreason_test_roberta_large_mnli"),
    "mt5-large": ("Table 5", "anomreason_test_mt5_large"),
}
"""Table and key of the data by the backbone of the similarity."""
_OWNERS: Final = {"distilbert": "distilbert-base-uncased", "FacebookAI": "roberta-large-mnli", "google": "mt5-large"}
"""Who publishes each backbone on the model hub."""


@dataclass(frozen=True)
class PublishedTable:
    """One table of figures by method or generator, in the order of the publication."""

    title: str
    """"Table 1"."""
    backbone: str | None
    """The similarity's model; None where a table needs none."""
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float, ...]]
    """One figure a column. Metrics are parts of 1, those in percent are named so."""

    def figures(self, row: str) -> dict[str, float]:
        """The figures of one row, by column."""
        return dict(zip(self.columns, self.rows[row], strict=True))


@dataclass(frozen=True)
class DatasetFacts:
    """Figures of the benchmark itself."""

    images: Mapping[str, int]
    """By generator."""
    images_in_total: int
    """The sum of `images`, and of `train` and `test`."""
    images_kept: int
    """After duplicates and corrupt files were removed: 6 fewer, although the published split adds up to the total."""
    train: int
    test: int
    crawled_prompts: int
    """What the collection began with."""
    after_clip_filter: int
    """How many of them were left after the filter for realism."""
    candidates: int
    """Anomalies before the review."""
    per_image: Mapping[str, tuple[float, float]]
    """Annotations per image by generator, before and after the review."""
    human_and_agent: tuple[int, int]
    """Anomalies that people and that the agents found in the same 1,000 images."""
    tokens: int
    """What GPT-4o read and wrote for all images."""


def published_table(backbone: str) -> PublishedTable | None:
    """SemAP and SemF1 on the benchmark's test images, by method, with this backbone; None where nobody published it.

    A backbone is named as on the model hub, with or without its owner: "google/mt5-large", "mt5-large". A local
    directory is no published backbone, whatever it is called.
    """
    owner, _, name = backbone.rpartition("/")
    if name not in _TABLES or (owner and _OWNERS.get(owner) != name):
        return None
    title, key = _TABLES[name]
    return _table(title, key)


def published_deepfake() -> PublishedTable:
    """Deepfake detection by method: Acc_percent, CSemAP and CSemF1 over the AI images (Table 2)."""
    return _table("Table 2", "anomreason_deepfake")


def published_audit() -> PublishedTable:
    """Generators audited with two assessors: MAI, AF and CAP, lower is better (Table 3).

    CAP is the product of the generator's mean MAI and mean AF, so it compares with our `cap_of_means`.
    """
    return _table("Table 3", "generator_audit")


def published_since() -> dict[str, dict[str, dict[str, float]]]:
    """Results of later papers: by benchmark, method and metric."""
    return deepcopy(_data()["published_since"])


def dataset_facts() -> DatasetFacts:
    """Figures of the paper's data set."""
    data = _data()["dataset"]
    images = dict(data["images"])
    human = data["human_vs_agent_1000_images"]
    return DatasetFacts(
        images_in_total=images.pop("total"),
        images=images,
        images_kept=data["after_duplicate_and_corrupt_removal"],
        train=data["train"],
        test=data["test"],
        candidates=data["candidates"],
        per_image={name: tuple(pair) for name, pair in data["annotations_per_image_before_after_review"].items()},
        human_and_agent=(human["human"], human["AnomAgent"]),
        crawled_prompts=data["crawled_prompts"],
        after_clip_filter=data["after_clip_filter"],
        tokens=int(data["gpt4o_tokens"]),
    )


def _table(title: str, key: str) -> PublishedTable:
    data = _data()[key]
    rows = {name: tuple(figures) for name, figures in data["rows"].items()}
    return PublishedTable(title, data.get("backbone"), tuple(data["columns"]), rows)


@cache
def _data() -> dict[str, Any]:
    text = resources.files("anomagent.benchmark").joinpath("published_results.json").read_text(encoding="utf-8")
    return json.loads(text)
