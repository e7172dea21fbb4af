"""Candidates to look at: made-up anomalies on drawn images."""

import io
from typing import Any

from PIL import Image, ImageDraw

from anomagent.store import Workspace, ingest_image, save_analysis, start_run
from tests.store.helpers import result


def anomaly(number: int, **changes: Any) -> dict[str, Any]:
    """A candidate with texts of its own."""
    return {
        "name": f"Floating chair {number}",
        "phenomenon": f"Chair {number} hangs in the air above the wooden floor without any support.",
        "reasoning": "Gravity pulls a chair to the floor; nothing holds this one up.",
        "severity": 10 * (number % 11),
        "objects": ["chair"],
        "support": 2,
        **changes,
    }


def plain(images: int, each: int = 3) -> list[list[dict[str, Any]]]:
    """Some images with some candidates each."""
    return [[anomaly(image * each + number) for number in range(each)] for image in range(images)]


def fill(workspace: Workspace, candidates: list[list[dict[str, Any]]]) -> None:
    """Store images with these anomalies, the chair's box, and a source for every other image."""
    run = start_run(workspace, "run", {}, "hash")
    for number, anomalies in enumerate(candidates):
        sha256 = ingest_image(workspace, picture(number), f"in/{number}.png")["sha256"]
        save_analysis(workspace, run, result(sha256, f"in/{number}.png", status="ok", anomalies=anomalies))
        with workspace.writing() as connection:
            connection.execute("INSERT INTO object_boxes VALUES (?, 'chair', 120, 90, 300, 280)", [sha256])
            source = ("painter", "sketcher")[number % 2]
            query = "INSERT INTO sources (sha256, name, source, created) VALUES (?, ?, ?, '2026')"
            connection.execute(query, [sha256, f"in/{number}.png", source])


def picture(number: int) -> bytes:
    """A room with a chair in it."""
    image = Image.new("RGB", (480, 360), (235, 228 - number % 40, 215))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 290, 480, 360), fill=(150, 110, 70 + number % 60))
    draw.rectangle((150, 180, 270, 200), fill=(170, 40, 40))
    draw.rectangle((150, 100, 165, 190), fill=(170, 40, 40))
    for left in (150, 255):
        draw.rectangle((left, 200, left + 12, 260), fill=(120, 30, 30))
    draw.text((400, 20), str(number), fill=(60, 60, 60))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
