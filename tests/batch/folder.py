"""A folder of small images, a workspace and a scripted model, for batches in this process."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from anomagent.batch.configuration import Gate
from anomagent.batch.local import LocalEngine
from anomagent.batch.runner import run_batch
from anomagent.batch.tally import Tally
from anomagent.benchmark.items import gather
from anomagent.config import load_settings
from anomagent.models.fake import FakeModel
from anomagent.state.findings import Analysis


@dataclass
class Folder:
    """Where a batch happens; every image is asked about once (`direct`)."""

    path: Path
    model: FakeModel
    said: list[str] = field(default_factory=list[str])
    analyses: list[Analysis] = field(default_factory=list[Analysis])

    def draw(self, *names: str, shade: int | None = None) -> None:
        """Make images, each of its own content unless `shade` is given."""
        for name in names:
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            colour = len(list(self.path.rglob("*.png"))) if shade is None else shade
            Image.new("RGB", (32, 24), (colour, 90, 10)).save(file)

    async def run(self, *paths: str, gate: Gate | None = None, which: Any = "missing", **settings: Any) -> Tally:
        """A batch of its own over `paths`, by default over `images`."""
        results, engine = settings.pop("results", None), settings.pop("engine", LocalEngine())
        return await run_batch(
            load_settings(**{"model": "fake:x", "schedule": "direct", "workspace": self.workspace, **settings}),
            gather(paths or ("images",)),
            engine,
            gate=gate,
            which=which,
            results=results,
            on_analysis=self.analyses.append,
            say=self.said.append,
        )

    @property
    def workspace(self) -> Path:
        return self.path / "workspace"

    def sent(self) -> int:
        """Requests since the last look."""
        number = len(self.model.requests)
        self.model.requests.clear()
        return number

    def ledger(self) -> Counter[str]:
        """Good answers by key."""
        return Counter(key for (key,) in self.read("SELECT key FROM calls WHERE status != 'bad'"))

    def statuses(self) -> list[tuple[str, str]]:
        """Image and status of every analysis in the store, oldest first."""
        return self.read("SELECT image, status FROM analyses ORDER BY id")

    def read(self, query: str) -> list[Any]:
        """Rows of the workspace's database."""
        return read(self.workspace, query)


def read(workspace: Path, query: str) -> list[Any]:
    """Rows of a workspace's database that is there."""
    with closing(sqlite3.connect(f"file:{workspace / 'anomagent.db'}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()
