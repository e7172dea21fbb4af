from __future__ import annotations

import pytest

from anomagent.config import load_settings
from anomagent.errors import Refused
from anomagent.models.prices import Price
from anomagent.models.types import Usage
from anomagent.prediction.estimate import Estimate, estimate_predictions
from anomagent.prediction.images import choose_images
from anomagent.prediction.question import Question
from tests.prediction.shelf import LISTED, Shelf


@pytest.fixture(autouse=True)
def _images(shelf: Shelf) -> None:
    shelf.draw("images/a.png", "images/b.png", "images/c.png")


async def estimated(
    shelf: Shelf, question: Question | None = None, failed: bool = False, **settings: object
) -> Estimate:
    items, _ = choose_images(["images"])
    chosen = load_settings(**{"model": "fake:x", "workspace": shelf.workspace, "concurrency": 1, **settings})
    return await estimate_predictions(chosen, question or Question(), items, failed)


async def test_calls_tokens_and_money(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    one = await estimated(shelf, model="openai:gpt-4o")
    two = await estimated(shelf, Question("deepfake"), model="openai:gpt-4o")
    assert (one.images, one.calls, one.output_tokens) == (3, 3, 3 * 400)
    assert (two.images, two.calls, two.output_tokens) == (3, 6, 3 * 403)
    # One tile: 85 + 170 tokens an image and turn, and at least a hundred of text.
    assert one.input_tokens > 3 * 355
    assert two.input_tokens > 2 * one.input_tokens - 3 * 355
    price = Price(input=2.5, output=10.0)
    assert one.usd == pytest.approx(price.usd(Usage(one.input_tokens, 0, one.output_tokens)), rel=0.01)
    assert not shelf.workspace.exists()


async def test_what_is_known_is_not_counted(shelf: Shelf) -> None:
    shelf.model.on(says=[LISTED, Refused("no"), LISTED])
    await shelf.run("images/a.png", "images/b.png")
    estimate = await estimated(shelf)
    assert (estimate.images, estimate.known) == (1, 2)
    assert (await estimated(shelf, failed=True)).images == 1
    assert (await estimated(shelf, image_max_pixels=1000)).images == 3
    assert estimate.describe()[0] == "images: 1 (2 known)"


async def test_a_budget_says_how_far_it_goes(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    estimate = await estimated(shelf, model="openai:gpt-4o", budget_usd=0.011)
    each = (estimate.usd or 0) / 3
    assert estimate.budget_images == int(0.011 / each) < 3
    assert f"budget: enough for about {estimate.budget_images} of 3 images" in estimate.describe()
