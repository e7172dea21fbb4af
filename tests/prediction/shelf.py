"""A folder of small images, a workspace and a scripted model, for predictions in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from anomagent.batch.tally import Tally
from anomagent.benchmark.annotations import AnnotationSet
from anomagent.benchmark.reading import read_annotations
from anomagent.config import load_settings
from anomagent.models.fake import FakeModel
from anomagent.prediction.images import choose_images
from anomagent.prediction.output import write_predictions
from anomagent.prediction.question import Question
from anomagent.prediction.results import Counts, Results
from anomagent.prediction.runner import Run
from anomagent.state.classic_text import format_anomalies
from anomagent.state.findings import Anomaly
from tests.batch.folder import read

CHAIR = Anomaly(name="Floating chair", phenomenon="it hangs in the air", reasoning="nothing holds it", severity=10)
HAND = Anomaly(name="Sixth finger", phenomenon="the left hand has six", reasoning="hands have five", severity=20)
LISTED = format_anomalies([CHAIR, HAND])
BAD_LIST = "1. Name: Floating chair\nPhenomenon: it hangs\nReasoning: no support\nSeverity: 10\n2. Name: Hand"
"""The second entry has a name alone."""


@dataclass
class Shelf:
    """Where predictions happen."""

    path: Path
    model: FakeModel
    said: list[str] = field(default_factory=list[str])
    counts: Counts = field(default_factory=Counts)

    def draw(self, *names: str, shade: int | None = None) -> None:
        """Make images, each of its own content unless `shade` is given."""
        for name in names:
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            colour = len(list(self.path.rglob("*.png"))) if shade is None else shade
            Image.new("RGB", (32, 24), (colour, 90, 10)).save(file)

    async def run(
        self, *paths: str, question: Question | None = None, only_failed: bool = False, **settings: Any
    ) -> Tally:
        """Predict on `paths`, by default on `images`, into `out.jsonl`."""
        items, _ = choose_images(paths or ("images",))
        chosen = load_settings(**{"model": "fake:x", "workspace": self.workspace, "concurrency": 1, **settings})
        run = Run(chosen, question or Question(), items, "mine", only_failed, say=self.said.append)
        results = Results(self.workspace, (await run.go()).configuration, items)
        write_predictions(self.out, results)
        self.counts = results.counts
        return run.tally

    @property
    def workspace(self) -> Path:
        return self.path / "workspace"

    @property
    def out(self) -> Path:
        return self.path / "out.jsonl"

    def written(self) -> AnnotationSet:
        """The file of predictions, as `evaluate` reads it."""
        return read_annotations(self.out)

    def sent(self) -> list[str]:
        """Steps of the requests since the last look."""
        steps = [request.prompt.step for request in self.model.requests]
        self.model.requests.clear()
        return steps

    def rows(self, columns: str) -> list[Any]:
        """Columns of the table of predictions, oldest first."""
        return read(self.workspace, f"SELECT {columns} FROM predictions ORDER BY id")
