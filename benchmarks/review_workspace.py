"""A large workspace for `review.py`, made up: images, analyses, candidates, answers of four people."""

import hashlib
import os
import random
import uuid
from pathlib import Path
from typing import Any

from PIL import Image

from anomagent.benchmark.kinds import KINDS
from anomagent.state.reviews import Answer, Verdict
from anomagent.store import Workspace, start_run
from anomagent.store.candidates import save_kinds
from anomagent.store.database import insert_rows, now
from anomagent.store.reviews import append_answers

AN_IMAGE = 8
SOURCES = ("flux", "midjourney", "sdxl", "dalle", "rare generator")
PEOPLE = ("ada", "ben", "cleo", "dan")
AT_ONCE = 1_000

WHO = ("the woman", "the cyclist on the left", "the child", "the man in the grey coat", "the dog", "the waiter")
PART = ("right hand", "left forearm", "lower jaw", "front wheel", "shadow", "reflection", "shoulder", "left shoe")
STATE = (
    "ends in six fingers of equal length, two of which are fused at the knuckles",
    "passes through the metal railing without any visible opening",
    "floats a few centimetres above the table and touches nothing",
    "points towards the lamp instead of away from it",
    "shows letters that belong to no alphabet",
    "is as large as the house behind it",
)


def fill(folder: Path, candidates: int, answers: int, kinds: bool) -> None:
    """Images, analyses, candidates and answers, some thousand rows a transaction."""
    workspace, chance = Workspace.open(folder), random.Random(0)
    run = start_run(workspace, "run", {}, "made-up")
    picture = workspace.images / "picture.png"
    Image.new("RGB", (64, 48), "grey").save(picture)
    images = -(-candidates // AN_IMAGE)
    for start in range(0, images, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, images))
        rows = [image_row(number) for number in numbers]
        for row in rows:
            path = workspace.path / row["path"]
            path.parent.mkdir(exist_ok=True)
            os.link(picture, path)
        with workspace.writing() as connection:
            insert_rows(connection, "images", rows)
            insert_rows(connection, "image_names", [name_row(number) for number in numbers])
            insert_rows(connection, "sources", [source_row(number) for number in numbers])
            insert_rows(connection, "analyses", [analysis_row(number, run) for number in numbers])
            places = [place for number in numbers for place in range(number * AN_IMAGE, (number + 1) * AN_IMAGE)]
            insert_rows(connection, "anomalies", [anomaly_row(place, chance) for place in places if place < candidates])
    if kinds:
        save_kinds(workspace, {place + 1: chance.choice(KINDS) for place in range(candidates)})
    for start in range(0, answers, AT_ONCE):
        count = min(AT_ONCE, answers - start)
        append_answers(workspace, (some_answer(chance, candidates) for _ in range(count)))


def sha256(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def image_row(number: int) -> dict[str, Any]:
    path = f"images/{sha256(number)[:2]}/{sha256(number)}.png"
    size = {"width": 64, "height": 48, "format": "PNG", "frames": 1, "bytes": 200}
    return {"sha256": sha256(number), **size, "path": path, "created": now()}


def name_row(number: int) -> dict[str, Any]:
    return {"sha256": sha256(number), "name": f"folder/{number}.png", "first_seen": now()}


def source_row(number: int) -> dict[str, Any]:
    source = SOURCES[-1] if number % 5_000 == 0 else SOURCES[number % (len(SOURCES) - 1)]
    return {"sha256": sha256(number), "name": f"folder/{number}.png", "source": source, "created": now()}


def analysis_row(number: int, run: str) -> dict[str, Any]:
    about = {"thread_id": f"{sha256(number)}-made-up", "status": "ok", "schedule": "paper", "models": "{}"}
    about |= {"started": now(), "finished": now(), "seconds": 1.0}
    return {"id": number + 1, "run_id": run, "sha256": sha256(number), "image": f"folder/{number}.png", **about}


def anomaly_row(place: int, chance: random.Random) -> dict[str, Any]:
    """Severity 0 is rare, one in 20,000: a filter that matches almost nothing."""
    who, part, state = chance.choice(WHO), chance.choice(PART), chance.choice(STATE)
    return {
        "id": place + 1,
        "analysis_id": place // AN_IMAGE + 1,
        "position": place % AN_IMAGE,
        "name": f"Odd {part}",
        "phenomenon": f"The {part} of {who} {state}, about {chance.randint(2, 90)} per cent of its usual size.",
        "reasoning": f"This cannot be: nothing in the picture explains why the {part} of {who} {state}.",
        "severity": 0 if place % 20_000 == 0 else chance.randint(1, 100),
        "objects": '["object"]',
        "support": 2,
    }


def some_answer(chance: random.Random, candidates: int) -> Answer:
    verdicts: list[Verdict] = ["ACCEPT", "REJECT", "UNSURE"]
    verdict = chance.choices(verdicts, (80, 15, 5))[0]
    place, who = chance.randrange(candidates), chance.choice(PEOPLE)
    return Answer(id=uuid.uuid4().hex, anomaly=place + 1, annotator=who, verdict=verdict, seconds=chance.uniform(2, 20))
