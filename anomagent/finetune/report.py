"""What a folder of training data is: its data.json."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from anomagent.finetune.conversations import Conversation
from anomagent.finetune.histogram import TokenCounts
from anomagent.finetune.instances import Instance
from anomagent.finetune.order import Order
from anomagent.finetune.samples import Samples
from anomagent.finetune.selection import Part
from anomagent.finetune.sources import Gathered, Subject
from anomagent.finetune.tokens import TokenCounter
from anomagent.store.images import hash_file


@dataclass
class Tally:
    """What a part came to hold."""

    counts: TokenCounts
    samples: Samples
    images: int = 0
    anomalies: int = 0
    empty: int = 0
    """Images whose answer is that there is no anomaly."""
    real: int = 0
    """Real images."""
    split: int = 0
    """Images whose anomalies are in several instances."""
    wordings: set[str] = field(default_factory=set[str])

    @classmethod
    def of(cls, part: Part) -> "Tally":
        """Nothing yet."""
        return cls(TokenCounts(), Samples(part))

    def see(self, instance: Instance, conversation: Conversation) -> None:
        """Count an instance."""
        self.counts.add(conversation.tokens, conversation.cells)
        self.samples.see(instance, conversation.tokens, conversation.cells)
        self.wordings.add(conversation.turns[-1][0])
        self.anomalies += conversation.anomalies
        self.real += conversation.is_real
        self.empty += conversation.anomalies == 0 and not conversation.is_real

    def summary(self) -> dict[str, Any]:
        """All numbers."""
        own = ("images", "anomalies", "empty", "real", "split")
        numbers = {"instances": len(self.counts.totals)} | {name: getattr(self, name) for name in own}
        return numbers | {"wordings": len(self.wordings), "tokens": self.counts.summary()}


def report_of(
    folder: Path,
    order: Order,
    counter: TokenCounter,
    gathered: Gathered,
    subjects: Sequence[Subject],
    tallies: Mapping[Part, Tally],
    pairs: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Settings, counts, what was left out and why, and the hash of everything that was read and written."""
    compared = sum(1 for subject in subjects if gathered.fingerprints.get(subject.sha256))
    return {
        "settings": _settings(order),
        "model": {
            "source": counter.identity,
            "chat_template_sha256": counter.template_sha256,
            "min_pixels": order.min_pixels,
            "max_pixels": order.max_pixels,
        },
        "parts": {part: tally.summary() for part, tally in tallies.items()},
        "preferences": pairs,
        "near_duplicates": {"compared": compared, "not_compared": len(subjects) - compared},
        **gathered.facts,
        "left_out": gathered.left_out.summary(),
        "inputs": {str(file): hash_file(file) for file in _inputs(order)},
        "images_sha256": _list_sha256(subjects),
        "files": {
            path.relative_to(folder).as_posix(): hash_file(path) for path in sorted(folder.rglob("*")) if path.is_file()
        },
    }


def _settings(order: Order) -> dict[str, Any]:
    return {
        **asdict(order.choices),
        "workspace": str(order.workspace.path) if order.workspace else None,
        "run": order.run_id,
        "split": order.split,
        "formats": sorted(order.formats),
        **{name: getattr(order, name) for name in ("missing", "bad_entries", "too_long", "leakage")},
    }


def _inputs(order: Order) -> list[Path]:
    pairs = [pair for pair in (order.annotations, order.real) if pair]
    files = [path for pair in pairs for path in pair if path.is_file()]
    split = [Path(order.split)] if order.split and Path(order.split).is_file() else []
    return [*files, *split, *([order.allow] if order.allow else [])]


def _list_sha256(subjects: Sequence[Subject]) -> str:
    """Over the parts, contents and names of all images that were learned from or could have been."""
    digest = hashlib.sha256()
    for subject in subjects:
        digest.update(f"{subject.part}\0{subject.sha256}\0{subject.name}\n".encode())
    return digest.hexdigest()
