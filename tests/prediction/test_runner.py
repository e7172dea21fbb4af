"""Predictions over many images: what is asked, what is kept, and what happens when something fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anomagent.errors import ConfigurationError, ModelError, Refused, StoreError
from anomagent.models.types import Completion, Request
from anomagent.prediction.question import Question
from anomagent.prompts.deepfake_detector import explain_text
from anomagent.state.classic_text import NO_ANOMALIES
from tests.prediction.shelf import BAD_LIST, CHAIR, HAND, LISTED, Shelf

DEEPFAKE = Question("deepfake")


@pytest.fixture(autouse=True)
def _images(shelf: Shelf) -> None:
    shelf.draw("images/a.png", "images/b.png", "images/c.png")


async def test_the_file_is_in_the_order_of_the_images_and_evaluate_reads_it(shelf: Shelf) -> None:
    shelf.model.on(says=[LISTED, NO_ANOMALIES, BAD_LIST])
    tally = await shelf.run()
    images = shelf.written().images
    assert list(images) == ["images/a.png", "images/b.png", "images/c.png"]
    assert sorted(len(image.anomalies) for image in images.values()) == [0, 1, 2]
    assert (CHAIR, HAND) in [image.anomalies for image in images.values()]
    assert (tally.ok, tally.partial, tally.failed, tally.exit_code) == (2, 1, 0, 3)
    assert (shelf.counts.images, shelf.counts.anomalies, shelf.counts.empty, shelf.counts.partial) == (3, 3, 1, 1)


async def test_failures_stay_failures_with_the_text(shelf: Shelf) -> None:
    shelf.model.on(says=[Refused("not this one"), Completion("half a li", finish_reason="length"), "A chair."])
    tally = await shelf.run(max_tokens=16, max_tokens_cap=16)
    records = [json.loads(line) for line in shelf.out.read_text().splitlines()]
    assert sorted((record["failure"].partition(":")[0], record["text"]) for record in records) == [
        ("cut_off", "half a li"),
        ("no_list", "A chair."),
        ("refused", ""),
    ]
    assert all(image.failure for image in shelf.written().images.values())
    assert (tally.failed, tally.exit_code, len(tally.failures)) == (3, 3, 3)


async def test_the_same_again_asks_nothing(shelf: Shelf) -> None:
    shelf.model.on(says=[LISTED, "A chair.", NO_ANOMALIES])
    await shelf.run()
    first, rows = shelf.out.read_bytes(), shelf.rows("*")
    shelf.sent()
    tally = await shelf.run()
    assert shelf.sent() == []
    assert (tally.already_done, tally.failed_earlier, tally.done, tally.exit_code) == (2, 1, 0, 3)
    assert (shelf.out.read_bytes(), shelf.rows("*")) == (first, rows)


async def test_what_is_paid_for_is_never_paid_again_without_the_rows(shelf: Shelf) -> None:
    """As after a kill before anything was written but the ledger."""
    from anomagent.store import Workspace

    shelf.model.on(says=LISTED)
    await shelf.run()
    with Workspace.open(shelf.workspace).writing() as connection:
        connection.execute("DELETE FROM predictions")
    shelf.sent()
    tally = await shelf.run()
    assert (shelf.sent(), tally.ok, tally.usage.ledger_hits) == ([], 3, 3)


async def test_another_model_form_or_size_is_another_set(shelf: Shelf) -> None:
    variants: list[dict[str, Any]] = [{}, {"question": Question(form="json")}, {"image_max_pixels": 1000}]
    for changes in [*variants, {"temperature": 0.0}]:
        await shelf.run(**changes)
        assert len(shelf.sent()) == 3, changes
    assert len(set(shelf.rows("configuration"))) == 4
    assert set(shelf.rows("name, task, model")) == {("mine", "anomalies", "fake")}


class TestRetry:
    async def test_asks_what_failed_and_nothing_else(self, shelf: Shelf) -> None:
        shelf.model.on(says=["A chair.", Refused("no"), LISTED])
        await shelf.run("images/a.png", "images/b.png")
        shelf.sent()
        tally = await shelf.run(only_failed=True)
        assert len(shelf.sent()) == 2
        assert (tally.ok, tally.failed, tally.not_meant, tally.left, tally.exit_code) == (2, 0, 1, 1, 0)
        assert [len(image.anomalies) for image in shelf.written().images.values()] == [2, 2]
        # The unreadable answer is good for the ledger: only another sample is asked anew.
        assert sorted(shelf.rows("slot")) == [(0,), (0,), (0,), (1,)]

    async def test_a_partial_list_is_not_lost_to_a_failure(self, shelf: Shelf) -> None:
        shelf.model.on(says=[BAD_LIST, Refused("no"), LISTED])
        await shelf.run("images/a.png")
        tally = await shelf.run("images/a.png", only_failed=True)
        assert (tally.partial, tally.failed) == (1, 0)
        assert [image.anomalies[0].name for image in shelf.written().images.values()] == ["Floating chair"]
        await shelf.run("images/a.png", only_failed=True)
        assert shelf.written().images["images/a.png"].anomalies == (CHAIR, HAND)


class TestUnreadable:
    async def test_counts_as_failure_beside_others(self, shelf: Shelf) -> None:
        Path("images/b.png").write_text("no image")
        tally = await shelf.run("images", "images/lost.png")
        assert (tally.ok, tally.failed, tally.unreadable, tally.exit_code) == (2, 2, 2, 3)
        failures = [image.failure for image in shelf.written().images.values()]
        assert [reason and reason.partition(":")[0] for reason in failures] == [
            None,
            "unreadable",
            None,
            "unreadable",
        ]
        assert "no such file" in (failures[3] or "")

    async def test_is_looked_at_again_and_may_be_mended(self, shelf: Shelf) -> None:
        Path("images/b.png").write_text("no image")
        await shelf.run()
        again = await shelf.run(only_failed=True)
        assert (again.unreadable, again.failed, again.not_meant) == (1, 1, 0)
        shelf.draw("images/b.png")
        assert (await shelf.run()).exit_code == 0
        assert shelf.written().images["images/b.png"].failure is None


async def test_equal_files_are_paid_for_once_and_told_under_each_name(shelf: Shelf) -> None:
    shelf.draw("x/1.png", "y/2.png", shade=200)
    shelf.model.on(says=LISTED)
    await shelf.run("x", "y", concurrency=4)
    assert len(shelf.sent()) == 1
    assert [len(image.anomalies) for image in shelf.written().images.values()] == [2, 2]
    shelf.draw("z/3.png", shade=200)
    assert (await shelf.run("z")).already_done == 1
    assert list(shelf.written().images) == ["z/3.png"]


class TestDeepfake:
    async def test_the_second_turn_stands_behind_the_real_answer(self, shelf: Shelf) -> None:
        shelf.model.on(step="decide", says="Yes, it is.").on(step="explain", says=LISTED)
        await shelf.run("images/a.png", question=DEEPFAKE)
        first, second = shelf.model.requests
        assert (first.prompt.step, first.turns, first.first_words) == ("decide", (), ("yes", "no"))
        assert (second.prompt.step, second.first_words) == ("explain", ())
        assert [(turn.speaker, turn.text) for turn in second.turns] == [
            ("assistant", "Yes, it is."),
            ("user", explain_text()),
        ]
        image = shelf.written().images["images/a.png"]
        assert (image.answer, image.anomalies) == ("Yes, it is.", (CHAIR, HAND))

    @pytest.mark.parametrize(
        ("answer", "text", "verdict", "status"),
        [
            ("Yes.", LISTED, "yes", "ok"),
            ("Yes.", "A man in a boat.", "yes", "failed"),
            ("No, a photograph.", "A man in a boat.", "no", "ok"),
            ("No.", LISTED, "no", "ok"),
            ("Perhaps.", "A man in a boat.", "undecided", "ok"),
        ],
    )
    async def test_verdicts(self, shelf: Shelf, answer: str, text: str, verdict: str, status: str) -> None:
        shelf.model.on(step="decide", says=answer).on(step="explain", says=text)
        tally = await shelf.run("images/a.png", question=DEEPFAKE)
        (record,) = map(json.loads, shelf.out.read_text().splitlines())
        assert (record["verdict"], record["answer"], getattr(tally, status)) == (verdict, answer, 1)
        assert shelf.counts.verdicts == {verdict: 1}
        image = shelf.written().images["images/a.png"]
        assert image.answer == answer
        assert image.description == (text if status == "ok" and text != LISTED else None)

    async def test_an_answer_stands_where_the_list_fails(self, shelf: Shelf) -> None:
        shelf.model.on(step="decide", says="Yes.").on(step="explain", says=[Refused("no"), LISTED])
        await shelf.run("images/a.png", question=DEEPFAKE)
        image = shelf.written().images["images/a.png"]
        assert (image.answer, (image.failure or "").partition(":")[0]) == ("Yes.", "refused")
        shelf.sent()
        await shelf.run("images/a.png", question=DEEPFAKE, only_failed=True)
        assert shelf.sent() == ["explain"]
        assert shelf.written().images["images/a.png"].anomalies == (CHAIR, HAND)

    async def test_no_answer_no_second_turn(self, shelf: Shelf) -> None:
        shelf.model.on(step="decide", says=Refused("no"))
        await shelf.run("images/a.png", question=DEEPFAKE)
        assert shelf.sent() == ["decide"]
        assert shelf.written().images["images/a.png"].answer is None

    async def test_the_probability_of_yes_is_its_share_and_comes_from_the_ledger_too(self, shelf: Shelf) -> None:
        shelf.model.on(step="decide", says=Completion("Yes", odds={"yes": 0.6, "no": 0.2}))
        shelf.model.on(step="explain", says=LISTED)
        await shelf.run("images/a.png", question=DEEPFAKE)
        shelf.draw("other/a2.png", shade=1)
        assert shelf.rows("p_yes") == [(pytest.approx(0.75),)]  # 0.6 / (0.6 + 0.2)
        from anomagent.store import Workspace

        with Workspace.open(shelf.workspace).writing() as connection:
            connection.execute("DELETE FROM predictions")
        shelf.sent()
        await shelf.run("images/a.png", question=DEEPFAKE)
        assert (shelf.sent(), shelf.rows("p_yes")) == ([], [(pytest.approx(0.75),)])


class TestEnds:
    async def test_a_budget_ends_it_before_it_is_passed_and_it_goes_on(self, shelf: Shelf) -> None:
        """A call has about 300 input tokens: some 0.3 USD, and at most about 0.6 promised."""
        shelf.draw(*(f"images/more/{number}.png" for number in range(9)))
        Path("prices.toml").write_text('[models]\n"fake:x" = {input = 1000, output = 0}\n')
        shelf.model.on(says=LISTED)
        first = await shelf.run(budget_usd=2, prices="prices.toml")
        assert (first.stopped, first.failed, first.exit_code) == ("budget", 0, 3)
        assert 0 < first.ok < 12
        assert len(shelf.sent()) == first.ok == len(shelf.written().images)
        assert 0 < (first.usage.usd or 0) <= 2
        assert first.standing is not None
        again = await shelf.run()
        assert (again.ok, again.already_done, again.exit_code) == (12 - first.ok, first.ok, 0)
        assert len(shelf.written().images) == 12

    async def test_a_budget_needs_a_price(self, shelf: Shelf) -> None:
        with pytest.raises(ConfigurationError, match="openai:mystery"):
            await shelf.run(model="openai:mystery", base_url="http://mystery.example/v1", budget_usd=1)

    async def test_a_fault_of_ours_costs_one_image(self, shelf: Shelf) -> None:
        def say(request: Request) -> str:
            if request.image_sha256 == shelf_first:
                raise ZeroDivisionError("a bug")
            return LISTED

        from anomagent.store.images import check_image

        shelf_first = check_image("images/a.png")
        shelf.model.on(says=say)
        tally = await shelf.run()
        assert (tally.ok, tally.failed, tally.exit_code) == (2, 1, 1)
        assert isinstance(tally.fault, ZeroDivisionError)
        assert "ZeroDivisionError" in (shelf.written().images["images/a.png"].failure or "")

    async def test_a_store_that_is_lost_ends_it(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        from anomagent.prediction import runner

        def fail(*_: object) -> None:
            raise StoreError("workspace x: disk full; free space and run again: finished calls are kept")

        monkeypatch.setattr(runner, "save_predictions", fail)
        tally = await shelf.run()
        assert (tally.stopped, tally.exit_code) == ("disk", 3)
        assert shelf.said == [
            "workspace x: disk full; free space and run again: finished calls are kept; nothing more is sent"
        ]

    async def test_an_adapter_of_another_base_ends_it_with_one_line(self, shelf: Shelf) -> None:
        def say(request: Request) -> ModelError:
            raise ConfigurationError("the adapter x was not made for this model")

        shelf.model.on(says=say)
        with pytest.raises(ConfigurationError, match="not made for this model"):
            await shelf.run()
