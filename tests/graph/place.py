"""A workspace to analyse in, with one image and one scripted model."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomagent import Analysis, Analyzer, analyze
from anomagent.config import load_settings
from anomagent.models.fake import FakeModel
from tests.asking import ScriptedAsk

WHOLE = 11 + 5 * 3
"""Calls of the paper's schedule for three objects."""


@dataclass
class Place:
    """A folder with an image and a workspace, and the model that everybody there asks."""

    image: Path
    workspace: Path
    world: ScriptedAsk
    model: FakeModel

    async def analyze(self, **settings: Any) -> Analysis:
        """One run of its own."""
        return await analyze(self.image, model="fake:world", **{"workspace": self.workspace, **settings})

    def open(self, **settings: Any) -> Any:
        """An open analyzer."""
        return Analyzer.open(load_settings(model="fake:world", workspace=self.workspace, **settings))

    def sent(self) -> Counter[str]:
        """What the model was asked since the last look, by role, step, object and slot."""
        names = Counter(f"{r.prompt.role}.{r.prompt.step}/{r.object}/{r.slot}" for r in self.model.requests)
        self.model.requests.clear()
        return names

    def ledger(self) -> list[tuple[str, str]]:
        """Key and status of every finished request."""
        return read(self.workspace / "anomagent.db", "SELECT key, status FROM calls ORDER BY id")

    def checkpoints(self) -> int:
        """How many checkpoints lie in the workspace."""
        return len(read(self.workspace / "checkpoints.db", "SELECT 1 FROM checkpoints"))


def read(path: Path, query: str) -> list[Any]:
    """Rows of a database that is there; nothing is created."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()
