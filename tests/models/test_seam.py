"""The seam over a scripted model: what is asked, what is replayed, and what is left behind when things go wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from anomagent.errors import ConfigurationError, Malformed, ModelError, OutOfBudget, Refused, StoreError, Unavailable
from anomagent.models.call import call_of
from anomagent.models.fake import FakeModel
from anomagent.models.ledger import MemoryLedger
from anomagent.models.seam import Seam
from anomagent.models.types import Attempt, Client, Completion, Request, Usage
from anomagent.prompts.object_perceiver import render_list
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import ImageRef
from tests.models.server import LIST
from tests.models.talking import PRICES, talk

GOOD = Completion(LIST, Usage(1000, 600, 50))


async def test_a_good_answer_is_replayed_and_costs_nothing(image: ImageRef) -> None:
    model = FakeModel().on(says=GOOD)
    async with talk(image, client=model) as talking:
        first, again = await talking.ask(), await talking.ask()

        assert len(model.requests) == 1
        assert (again.reply, again.text) == (first.reply, first.text)
        assert first.call["usd"] == pytest.approx(800e-6)
        assert again.call == {
            **first.call,
            "ledger_hit": True,
            "attempts": 0,
            "input_tokens": 0,
            "cached_input_tokens": 0,
            "output_tokens": 0,
            "usd": 0.0,
        }
        assert talking.kinds() == ["sent", "answered", "ledger_hit"]


async def test_a_row_says_everything_about_a_request(image: ImageRef) -> None:
    async with talk(image, client=FakeModel(identity="fake:x").on(says=GOOD)) as talking:
        call = (
            await talking.seam.ask(talking.context, image, render_list(2), render_list(2).reply, object="a", slot=4)
        ).call

    (row,) = talking.ledger.attempts
    assert row.pop("seconds") >= 0  # type: ignore[misc]
    assert row == {
        "key": call["key"],
        "role": "ObjectPerceiver",
        "step": "list",
        "object": "a",
        "slot": 4,
        "model": "fake:x",
        "image_sha256": image["sha256"],
        "prompt": render_list(2).text,
        "status": "good",
        "error": None,
        "text": LIST,
        "odds": None,
        "finish_reason": "stop",
        "input_tokens": 1000,
        "cached_input_tokens": 600,
        "output_tokens": 50,
        "usd": pytest.approx(800e-6),
    }


async def test_text_alone_goes_the_same_way(image: ImageRef) -> None:
    model = FakeModel(identity="fake:x").on(says=["no JSON", GOOD])
    prompt = render_list(0)
    async with talk(image, client=model) as talking:
        first, again = [await talking.seam.ask(talking.context, None, prompt, prompt.reply) for _ in range(2)]
        about_an_image = await talking.ask()

    assert [(request.image_path, request.image_sha256) for request in model.requests[:2]] == [(None, "")] * 2
    assert model.requests[2].image_path == image["path"]
    assert talking.kinds()[:4] == ["sent", "repair", "sent", "answered"]
    assert again.call["ledger_hit"]
    assert first.call["key"] == again.call["key"] != about_an_image.call["key"]
    assert [row["image_sha256"] for row in talking.ledger.attempts] == ["", "", image["sha256"]]


async def test_repeated_requests_add_up(image: ImageRef) -> None:
    cut_off = Completion("", Usage(1000, 0, 10), "length")
    async with talk(image, client=FakeModel().on(says=[cut_off, Unavailable("away"), GOOD])) as talking:
        call = (await talking.ask()).call

        assert call["attempts"] == 3, "the one that came to nothing was sent as well"
        assert (call["input_tokens"], call["output_tokens"]) == (2000, 60)
        assert call["usd"] == pytest.approx(800e-6 + 1020e-6)
        assert [attempt["status"] for attempt in talking.ledger.attempts] == ["bad", "good"]
        assert talking.events[-1].usage == Usage(2000, 600, 60)


async def test_equal_calls_in_flight_are_one(image: ImageRef) -> None:
    model = FakeModel().on(says=GOOD, delay=0.01)
    async with talk(image, client=model) as talking:
        answers = await asyncio.gather(*(talking.ask() for _ in range(5)), talking.ask(slot=1))

        assert len(model.requests) == 2
        assert [answer.call["ledger_hit"] for answer in answers] == [False, True, True, True, True, False]
        assert sum(answer.call["usd"] or 0 for answer in answers) == pytest.approx(2 * 800e-6)


async def test_equal_calls_in_flight_share_a_failure_but_not_its_cost(image: ImageRef) -> None:
    model = FakeModel().on(says=Completion("I cannot help with that.", Usage(10, 0, 5)), delay=0.01)
    async with talk(image, client=model) as talking:
        errors = await asyncio.gather(*(talking.ask() for _ in range(3)), return_exceptions=True)

    assert len(model.requests) == 1
    assert [type(error) for error in errors] == [Refused] * 3
    assert len({id(error) for error in errors}) == 3
    calls = [call_of(error) for error in errors if isinstance(error, ModelError)]
    assert [call["attempts"] if call else None for call in calls] == [1, 0, 0]


async def test_who_waited_for_a_cancelled_call_asks_itself(image: ImageRef) -> None:
    model = FakeModel().on(says=GOOD, delay=0.02)
    async with talk(image, client=model) as talking:
        leader = asyncio.create_task(talking.ask())
        await asyncio.sleep(0.005)
        followers = [asyncio.create_task(talking.ask()) for _ in range(3)]
        await asyncio.sleep(0)
        leader.cancel()
        followers[0].cancel()
        outcomes = await asyncio.gather(leader, *followers, return_exceptions=True)

        assert [type(outcome).__name__ for outcome in outcomes] == ["CancelledError"] * 2 + ["Answer"] * 2
        assert len(model.requests) == 2
        assert await talking.ledger.claim(talking.ledger.attempts[0]["key"]), "the claim was given up"


class _SlowLedger(MemoryLedger):
    """Takes its time, as a disk does."""

    async def record(self, attempt: Attempt) -> None:
        await asyncio.sleep(0.02)
        await super().record(attempt)

    async def release(self, key: str) -> None:
        await asyncio.sleep(0.01)
        await super().release(key)


def _seam(ledger: MemoryLedger, client: Client) -> Seam:
    return Seam(ledger, lambda model_id, context: client, prices=PRICES)


async def test_what_was_paid_for_is_recorded_though_the_caller_is_cancelled(image: ImageRef) -> None:
    ledger, prompt = _SlowLedger(), render_list(0)
    seam = _seam(ledger, FakeModel().on(says=GOOD))
    task = asyncio.create_task(seam.ask(AnalysisContext(), image, prompt, prompt.reply))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [attempt["status"] for attempt in ledger.attempts] == ["good"]
    assert await ledger.claim(ledger.attempts[0]["key"])


async def test_two_seams_over_one_ledger_ask_once(image: ImageRef) -> None:
    ledger, model, prompt = _SlowLedger(), FakeModel().on(says=GOOD, delay=0.02), render_list(0)
    seams = [_seam(ledger, model) for _ in range(2)]
    answers = await asyncio.gather(*(seam.ask(AnalysisContext(), image, prompt, prompt.reply) for seam in seams))

    assert len(model.requests) == 1
    assert sorted(answer.call["ledger_hit"] for answer in answers) == [False, True]


async def test_another_asker_who_fails_leaves_the_key_free(image: ImageRef) -> None:
    async with talk(image, client=FakeModel().on(says=GOOD)) as talking:
        await talking.ask()
        key = talking.ledger.attempts.pop()["key"]
        assert await talking.ledger.claim(key)
        waiting = asyncio.create_task(talking.ask())
        while len(talking.pauses) < 20:
            await asyncio.sleep(0)
        await talking.ledger.release(key)
        await waiting

        assert talking.pauses == sorted(talking.pauses), "looks get rarer"
        assert max(talking.pauses) <= 2


class _Broken(MemoryLedger):
    async def record(self, attempt: Attempt) -> None:
        raise StoreError("disk full")


async def test_a_ledger_that_cannot_write_is_no_failure_of_the_model(image: ImageRef) -> None:
    ledger, prompt = _Broken(), render_list(0)
    seam = _seam(ledger, FakeModel().on(says=GOOD))
    for _ in range(2):
        with pytest.raises(StoreError, match="disk full"):
            await seam.ask(AnalysisContext(), image, prompt, prompt.reply)


async def test_no_money_no_request(image: ImageRef) -> None:
    model = FakeModel().on(says=GOOD)
    async with talk(image, client=model, budget_usd=1e-6) as talking:
        with pytest.raises(OutOfBudget):
            await talking.ask()

    assert model.requests == []
    assert talking.pauses == [], "waiting brings no money"


async def test_models_are_made_once_and_closed(image: ImageRef) -> None:
    made: list[str] = []
    models = {"fake:a": FakeModel(), "fake:b": FakeModel()}

    def resolve(model_id: str, context: AnalysisContext) -> Client:
        made.append(model_id)
        return models[model_id]

    seam, prompt = Seam(MemoryLedger(), resolve), render_list(0)
    context = AnalysisContext(model="fake:a", scene_scanner="fake:b")
    await seam.prepare(context, ("ObjectPerceiver", "SceneScanner"))
    await asyncio.gather(*(seam.ask(context, image, prompt, prompt.reply, slot=slot) for slot in range(4)))
    await seam.aclose()

    assert made == ["fake:a", "fake:b"]
    assert all(model.closed for model in models.values())


async def test_a_model_that_cannot_be_used_is_said_before_any_work() -> None:
    def resolve(model_id: str, context: AnalysisContext) -> Client:
        raise ConfigurationError("no such model")

    with pytest.raises(ConfigurationError, match="no such model"):
        await Seam(MemoryLedger(), resolve).prepare(AnalysisContext(), ("ObjectPerceiver",))


async def test_a_fault_of_ours_is_not_taken_for_one_of_the_model(image: ImageRef) -> None:
    def broken(request: Request) -> Any:
        raise ZeroDivisionError

    async with talk(image, client=FakeModel().on(says=broken)) as talking:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await talking.ask()

        assert talking.ledger.attempts == []


async def test_an_exhausted_model_is_not_given_more_room(image: ImageRef) -> None:
    model = FakeModel().on(says=Completion("{", finish_reason="length", exhausted=True))
    async with talk(image, client=model) as talking:
        with pytest.raises(ModelError, match="did not fit"):
            await talking.ask()

    assert len(model.requests) == 1


async def test_the_repair_turn_is_for_form_alone(image: ImageRef) -> None:
    model = FakeModel().on(says=["no JSON", "I'm sorry, I can't do that."])
    async with talk(image, client=model) as talking:
        with pytest.raises(Refused):
            await talking.ask()

        assert talking.outcomes() == [Malformed.code, Refused.code]
