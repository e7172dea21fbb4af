"""Predictions from a real server on the loopback that has its moods."""

from __future__ import annotations

import json

from anomagent.prediction.question import Question
from tests.models.server import BREAKS_OFF, HTML, Asked, Reaction, Server, fails, says
from tests.prediction.shelf import CHAIR, HAND, LISTED, Shelf

MOODS = {
    "0.png": (says(LISTED), None),
    "1.png": (fails(500), "unavailable"),
    "2.png": (says(None, refusal="I will not"), "refused"),
    "3.png": (says("I'm sorry, I can't help with that."), "refused"),
    "4.png": (says("@1. Name: half", finish="length"), "cut_off"),
    "5.png": (BREAKS_OFF, "unavailable"),
    "6.png": (HTML, "bad_request"),
    "7.png": (says(""), "malformed"),
}


async def test_each_fault_is_the_failure_of_its_image(shelf: Shelf, server: Server) -> None:
    by_image: dict[str, Reaction] = {}

    def react(asked: Asked) -> Reaction:
        if asked.image not in by_image:
            by_image[asked.image], _ = list(MOODS.values())[len(by_image)]
        return by_image[asked.image]

    for name in MOODS:
        shelf.draw(f"images/{name}")
    server.script = react
    tally = await shelf.run(
        model="openai:m", base_url=server.url, retries=0, max_tokens=16, max_tokens_cap=16, concurrency=1
    )
    said = [(image.failure or "ok").partition(":")[0] for image in shelf.written().images.values()]
    assert sorted(said) == sorted(code or "ok" for _, code in MOODS.values())
    assert (tally.ok, tally.failed, tally.exit_code) == (1, len(MOODS) - 1, 3)
    texts = {record["failure"][:7]: record["text"] for record in _records(shelf) if "failure" in record}
    assert texts["cut_off"] == "@1. Name: half"
    assert [image.anomalies for image in shelf.written().images.values() if not image.failure] == [(CHAIR, HAND)]


async def test_probabilities_are_refused_once_for_all_images(shelf: Shelf, server: Server) -> None:
    shelf.draw("images/a.png", "images/b.png", "images/c.png")
    server.script = lambda asked: fails(400, "logprobs unsupported") if "logprobs" in asked.body else says("No.")
    await shelf.run(question=Question("deepfake"), model="openai:m", base_url=server.url, concurrency=1)
    # The refused request, then two turns an image.
    assert ["logprobs" in asked.body for asked in server.asked] == [True, *[False] * 6]
    assert {(record["verdict"], record["p_yes"]) for record in _records(shelf)} == {("no", None)}


def _records(shelf: Shelf) -> list[dict[str, object]]:
    return [json.loads(line) for line in shelf.out.read_text().splitlines()]
