"""How well a model does on held-out scenes, through the whole graph: objects, anomalies, false alarms, controls."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from PIL import Image

from anomagent.config import Settings
from anomagent.graph.analyze import Analyzer
from anomagent.scenes.catalogue import ANOMALIES
from anomagent.scenes.compose import Scene, compose
from anomagent.scenes.draw import draw
from anomagent.store import StoredAnalysis, find_analyses

HELD_OUT_SEED: Final = 2_000_000
"""Scenes to measure on have the seeds from here on; no training scene does."""
AT_ONCE: Final = 4
"""Images in work at the same time, so that calls to a model in this process meet in batches."""

Found = tuple[str, str]
"""An object's name and an anomaly kind's id."""

_ID_BY_TITLE: Final[dict[str, str]] = {kind.title: kind.id for kind in ANOMALIES}
_ID_BY_PHRASE: Final[dict[str, str]] = {kind.phrase: kind.id for kind in ANOMALIES}


@dataclass(frozen=True)
class Tally:
    """Over scenes: how many findings were right, claimed and present."""

    right: int
    claimed: int
    present: int

    @classmethod
    def of(cls, claimed: Sequence[set[Found]], present: Sequence[set[Found]]) -> "Tally":
        """Compare scene by scene; two findings are equal or not."""
        right = sum(len(a & b) for a, b in zip(claimed, present, strict=True))
        return cls(right, sum(map(len, claimed)), sum(map(len, present)))

    def as_dict(self) -> dict[str, float | int]:
        """Precision, recall and F1, 0 where nothing was claimed or present."""
        return {
            "present": self.present,
            "precision": round(self.right / max(1, self.claimed), 3),
            "recall": round(self.right / max(1, self.present), 3),
            "f1": round(2 * self.right / max(1, self.claimed + self.present), 3),
        }


async def bench(
    settings: Settings, count: int = 300, seed: int = HELD_OUT_SEED, progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Render `count` scenes from `seed` on, analyse them in the workspace of `settings`, and score what was found.

    Two controls: `image_swapped` compares what was found in each scene with what is planted in the next one, which is
    what a run gives in which every call sees another scene's image; `image_grey` looks at an empty picture. An anomaly
    is right if its first object and its title are those of a planted one.
    """
    scenes = [compose(seed + number) for number in range(count)]
    async with Analyzer.open(settings, command="scenes bench") as analyzer:
        with TemporaryDirectory() as folder:
            analyses = await _analyze(analyzer, [draw(scene) for scene in scenes], Path(folder), progress)
            (grey,) = await _analyze(analyzer, [Image.new("RGB", (504, 504), (128, 128, 128))], Path(folder), None)
    return {"schedule": analyses[0]["schedule"], "models": analyses[0]["models"], **score(scenes, analyses, grey)}


def score(scenes: Sequence[Scene], analyses: Sequence[StoredAnalysis], grey: StoredAnalysis) -> dict[str, Any]:
    """All figures; failed analyses count as having found nothing, and are counted beside."""
    planted = [set(scene.anomalies) for scene in scenes]
    final = [_titled(analysis["anomalies"]) for analysis in analyses]
    clean = [found for found, present in zip(final, planted, strict=True) if not present]
    seen = [{(entry["name"], "") for entry in analysis["objects"]} for analysis in analyses]
    return {
        "scenes": len(scenes),
        "first_seed": scenes[0].seed,
        "status": {status: sum(a["status"] == status for a in analyses) for status in ("ok", "partial", "failed")},
        "objects": Tally.of(seen, [{(item.name, "") for item in scene.objects} for scene in scenes]).as_dict(),
        "anomalies": Tally.of(final, planted).as_dict(),
        "whole_image_scan": Tally.of([_scanned(analysis) for analysis in analyses], planted).as_dict(),
        "per_object": Tally.of([_by_object(analysis) for analysis in analyses], planted).as_dict(),
        "kinds": {kind.id: _of_kind(kind.id, final, planted).as_dict() for kind in ANOMALIES},
        "clean_scenes": len(clean),
        "false_alarms": sum(map(bool, clean)),
        "image_swapped": Tally.of(final[1:] + final[:1], planted).as_dict(),
        "image_grey": Tally.of([_titled(grey["anomalies"])] * len(scenes), planted).as_dict(),
        "calls": sum(len(analysis["calls"]) for analysis in analyses),
        "failures": sum(len(analysis["failures"]) for analysis in analyses),
        "reasons": list(dict.fromkeys(failure["message"] for a in analyses for failure in a["failures"]))[:3],
        "seconds": round(sum(analysis["seconds"] for analysis in analyses), 1),
    }


async def _analyze(
    analyzer: Analyzer, images: Sequence[Image.Image], folder: Path, progress: Callable[[int], None] | None
) -> list[StoredAnalysis]:
    places, done = asyncio.Semaphore(AT_ONCE), 0

    async def one(image: Image.Image) -> StoredAnalysis:
        nonlocal done
        data = BytesIO()
        image.save(data, "PNG")
        name = hashlib.sha256(data.getvalue()).hexdigest()
        path = folder / f"{name}.png"
        async with places:
            await asyncio.to_thread(path.write_bytes, data.getvalue())
            await analyzer.analyze(path)
        done += 1
        if progress:
            progress(done)
        return (await asyncio.to_thread(find_analyses, analyzer.session.workspace, name))[0]

    return list(await asyncio.gather(*(one(image) for image in images)))


def _titled(anomalies: Iterable[dict[str, Any]]) -> set[Found]:
    """What the final list says; an unknown title is never right."""
    return {(_first(found["objects"]), _ID_BY_TITLE.get(str(found["name"]), "unknown")) for found in anomalies}


def _scanned(analysis: StoredAnalysis) -> set[Found]:
    """What the whole-image scans alone saw."""
    return {_phrased(found["objects"], found["phenomenon"]) for scan in analysis["scans"] for found in scan["findings"]}


def _by_object(analysis: StoredAnalysis) -> set[Found]:
    """What the agents for single objects alone saw."""
    findings = [found for report in analysis["reports"] for found in (*report["attributes"], *report["relations"])]
    return {_phrased(found["objects"], found["issue"]) for found in findings}


def _phrased(objects: Sequence[str], phrase: str) -> Found:
    return _first(objects), _ID_BY_PHRASE.get(phrase, phrase)


def _first(names: Sequence[str]) -> str:
    return names[0] if names else ""


def _of_kind(kind: str, claimed: Sequence[set[Found]], present: Sequence[set[Found]]) -> Tally:
    def pick(found: set[Found]) -> set[Found]:
        return {each for each in found if each[1] == kind}

    return Tally.of([pick(found) for found in claimed], [pick(found) for found in present])
