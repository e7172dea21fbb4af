"""The records of one command, read from the store one by one, and counts of what they say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomagent.benchmark.items import Item
from anomagent.prediction.output import record_of
from anomagent.store import Workspace
from anomagent.store.predictions import read_predictions


@dataclass
class Counts:
    """What the records of a file say."""

    images: int = 0
    anomalies: int = 0
    empty: int = 0
    """Lists without any anomaly that are no failures."""
    partial: int = 0
    failures: int = 0
    verdicts: dict[str, int] = field(default_factory=dict[str, int])
    """yes, no, undecided; empty where nothing was asked about it."""

    def add(self, record: dict[str, Any]) -> None:
        """Count one record."""
        self.images += 1
        self.anomalies += len(record["anomalies"])
        self.failures += "failure" in record
        self.partial += "partial" in record
        self.empty += not record["anomalies"] and "failure" not in record
        if verdict := record.get("verdict"):
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1


@dataclass
class Results:
    """The records of `items`, in their order; images that are not predicted on yet have none."""

    workspace: Path
    configuration: str
    items: Sequence[Item]
    counts: Counts = field(default_factory=Counts)
    """Of the records that were read so far."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        workspace = Workspace.open(self.workspace)
        details = {item.name: item.details for item in self.items if item.details}
        for prediction in read_predictions(workspace, self.configuration, [item.name for item in self.items]):
            record = record_of(prediction, details.get(prediction.image))
            self.counts.add(record)
            yield record
