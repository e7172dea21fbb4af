"""The shipped model through the Python API, several analyses at once in one process."""

from __future__ import annotations

import asyncio
from pathlib import Path

from anomagent import analyze

SCENES = Path(__file__).parents[2] / "examples" / "scenes" / "images"


async def test_analyses_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    images = sorted(SCENES.glob("*.png"))[:3]
    calls = [analyze(path, model="embedded", schedule="direct", workspace=tmp_path / "w") for path in images]
    found = await asyncio.gather(*calls)
    assert [(analysis.status, len(analysis.anomalies)) for analysis in found] == [("ok", 1), ("ok", 3), ("ok", 0)]
