"""How a batch runs and ends: bounds, faults of ours, a full disk, a budget, two at once."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from anomagent.batch.configuration import Gate
from anomagent.batch.local import images_in_flight
from anomagent.batch.plan import Plan
from anomagent.batch.results import ResultsFile
from anomagent.batch.stop import Stop
from anomagent.config import Settings, load_settings
from anomagent.errors import ConfigurationError, Refused, StoreError, UsageError
from anomagent.graph.analyze import Analyzer
from anomagent.models.fake import FakeModel
from anomagent.models.types import Completion, Request
from anomagent.store import writer
from tests.batch.folder import Folder
from tests.graph.world import model_of, names_of, world_of
from tests.store.helpers import shrink_disk

NOTHING = {"anomalies": []}


async def test_the_places_are_filled_and_images_in_work_are_bounded(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.draw(*(f"images/{number}.png" for number in range(30)))
    together, answer = asyncio.Barrier(3), folder.model.complete
    in_work, most = 0, 0
    analyze = Analyzer.analyze

    async def complete(request: Request) -> Completion:
        await together.wait()  # never lets fewer than three at once pass
        return await answer(request)

    async def count(self: Analyzer, path: str) -> Any:
        nonlocal in_work, most
        in_work += 1
        most = max(most, in_work)
        try:
            return await analyze(self, path)
        finally:
            in_work -= 1

    monkeypatch.setattr(folder.model, "complete", complete)
    monkeypatch.setattr(Analyzer, "analyze", count)
    tally = await folder.run(concurrency=3)
    assert (tally.ok, folder.model.most_in_flight) == (30, 3)
    # One call an image, so as many images as places, and two more to follow at once.
    assert most == 5


@pytest.mark.parametrize(
    ("schedule", "concurrency", "images"),
    # paper: half the places + max(2, an eighth of them); direct: all places + the same.
    [("paper", 1, 3), ("paper", 8, 6), ("paper", 128, 80), ("direct", 8, 10), ("lean", 32, 36)],
)
def test_images_in_work_follow_the_calls_in_flight(schedule: str, concurrency: int, images: int) -> None:
    assert images_in_flight(load_settings(schedule=schedule, concurrency=concurrency)) == images


async def test_two_batches_at_once_pay_once(folder: Folder) -> None:
    folder.draw(*(f"images/{number}.png" for number in range(12)))
    first, second = await asyncio.gather(folder.run(), folder.run())
    assert first.usage.calls + second.usage.calls == folder.sent() == 12
    assert (len(folder.ledger()), set(folder.ledger().values())) == (12, {1})
    assert [tally.ok + tally.already_done for tally in (first, second)] == [12, 12]


async def test_one_object_that_fails_makes_an_image_partial(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(names_of(3)).on("RelationReasoner.judge", Refused("not this one"), object="chair")
    model = model_of(world)
    monkeypatch.setattr(FakeModel, "from_file", lambda path: model)
    folder.draw("images/1.png", "images/2.png")
    tally = await folder.run(schedule="paper")
    assert (tally.partial, tally.failed, tally.exit_code) == (2, 0, 3)
    assert {failure["error"] for failure in tally.failures} == {"refused"}
    del world.rules[0]
    asked = len(model.requests)
    again = await folder.run(schedule="paper", which="failed")
    assert (again.ok, again.exit_code) == (2, 0)
    # Of each image the chair's last three steps and the three pools that read its report.
    assert len(model.requests) - asked == 2 * (3 + 3)


class TestFaultOfOurs:
    """Something raises what nobody expected, deep inside, for one of three images."""

    @pytest.fixture(autouse=True)
    def _fault(self, folder: Folder) -> None:
        folder.draw("images/1.png", "images/2.png", "images/3.png")

        def say(request: Request) -> dict[str, Any]:
            if len(folder.model.requests) == 2:
                raise KeyError("a bug")
            return NOTHING

        folder.model.on(says=say)

    async def test_costs_that_image_and_no_other(self, folder: Folder) -> None:
        tally = await folder.run(concurrency=1)
        assert (tally.ok, tally.failed, tally.left, tally.exit_code) == (2, 1, 0, 1)
        assert isinstance(tally.fault, KeyError)
        assert [failure["error"] for failure in tally.failures] == ["internal"]
        assert sorted(status for _, status in folder.statuses()) == ["failed", "ok", "ok"]
        assert not folder.read("SELECT * FROM call_claims")

    async def test_is_a_failure_that_can_be_retried(self, folder: Folder) -> None:
        await folder.run(concurrency=1)
        folder.model.rules.clear()
        assert (await folder.run()).failed_earlier == 1
        tally = await folder.run(which="failed")
        assert (tally.ok, tally.exit_code) == (1, 0)
        assert len(folder.ledger()) == 3


async def test_a_fault_before_the_store_is_reported_all_the_same(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.draw("images/1.png", "images/2.png")
    ingest = "anomagent.graph.session.ingest_image"
    from anomagent.store import ingest_image

    def break_first(workspace: Any, image: Path) -> Any:
        if str(image).endswith("1.png"):
            raise KeyError("a bug")
        return ingest_image(workspace, image)

    monkeypatch.setattr(ingest, break_first)
    tally = await folder.run()
    assert (tally.ok, tally.failed, tally.exit_code) == (1, 1, 1)
    assert "It is not in the store" in "".join(tally.fault.__notes__ if tally.fault else ())


async def test_a_full_disk_ends_the_batch_in_good_order(folder: Folder) -> None:
    folder.draw(*(f"images/{number}.png" for number in range(40)))
    with pytest.MonkeyPatch.context() as small:
        shrink_disk(small, writer, 12)
        tally = await folder.run(concurrency=2)
    assert (tally.stopped, tally.exit_code, tally.failed) == ("disk", 3, 0)
    assert tally.left > 0
    assert "disk full" in folder.said[0]
    assert len(folder.said) == 1
    sent, kept = folder.sent(), len(folder.ledger())
    # At most one call is lost for each of the four images in work.
    assert kept < sent <= kept + 4

    again = await folder.run()
    assert (again.ok + again.already_done, again.left, again.exit_code) == (40, 0, 0)
    assert folder.sent() == 40 - kept
    assert set(folder.ledger().values()) == {1}


async def test_a_store_that_cannot_be_opened_is_an_error(folder: Folder) -> None:
    folder.draw("images/1.png")
    folder.workspace.mkdir()
    (folder.workspace / "anomagent.db").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="damaged"):
        await folder.run()


async def test_a_file_of_results_that_cannot_be_written_ends_the_batch(folder: Folder) -> None:
    folder.draw(*(f"images/{number}.png" for number in range(20)))
    with ResultsFile(Path("results.jsonl")) as results:
        results.close()
        with closing(open("/dev/full", "wb", buffering=0)) as full:
            results._file = full  # pyright: ignore[reportPrivateUsage]
            tally = await folder.run(concurrency=1, results=results)
    assert (tally.stopped, tally.exit_code) == ("disk", 3)
    assert "results.jsonl: disk full; free space" in folder.said[0]


async def test_a_model_that_cannot_be_used_is_an_error_before_any_work(folder: Folder) -> None:
    folder.draw("images/1.png")
    with pytest.raises(ConfigurationError, match="names no model"):
        await folder.run(model="gpt")


async def test_another_engine_is_accounted_for_alike(folder: Folder) -> None:
    class Elsewhere:
        """Begins a run, and then cannot read anything."""

        async def analyze(self, settings: Settings, plan: Plan, on_result: Any, on_event: Any, *others: Any) -> None:
            async with Analyzer.open(settings, on_event, "batch", plan.admit) as analyzer:
                plan.begin(analyzer.session.workspace, analyzer.run, analyzer.configuration)
                while job := await plan.next():
                    on_result(job, UsageError("not here"))

    folder.draw("images/1.png", "images/2.png", shade=7)
    tally = await folder.run(engine=Elsewhere())
    # Copies of what could not be read are tried in their own right.
    assert (tally.failed, tally.duplicates, tally.left) == (2, 0, 0)


class TestStop:
    async def test_tasks_that_end_by_themselves_are_waited_for(self) -> None:
        done: list[int] = []

        async def work(number: int) -> None:
            await asyncio.sleep(0)
            done.append(number)

        await Stop().guard(asyncio.create_task(work(number)) for number in range(3))
        assert sorted(done) == [0, 1, 2]

    async def test_an_error_ends_the_others(self) -> None:
        waiting = asyncio.create_task(asyncio.Event().wait())

        async def fail() -> None:
            raise KeyError("a bug")

        async def wait() -> None:
            await waiting

        with pytest.raises(KeyError):
            await Stop().guard([asyncio.create_task(fail()), asyncio.create_task(wait())])
        assert waiting.cancelled()

    async def test_at_once_ends_all(self) -> None:
        stop = Stop()

        async def wait() -> None:
            stop.now("interrupted")
            await asyncio.Event().wait()

        task = asyncio.create_task(wait())
        await stop.guard([task])
        assert (task.cancelled(), stop.asked, stop.reason) == (True, True, "interrupted")

    def test_the_first_reason_counts(self) -> None:
        stop = Stop()
        stop.drain("budget")
        stop.now("disk")
        assert (stop.reason, stop.at_once.is_set()) == ("budget", True)


async def test_what_ends_a_batch_is_called_by_its_name(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(self: Analyzer, path: object) -> None:
        raise StoreError("workspace w: cannot be written (Permission denied)")

    monkeypatch.setattr(Analyzer, "analyze", fail)
    folder.draw("images/1.png")
    tally = await folder.run()
    assert (tally.stopped, tally.exit_code) == ("store", 3)


async def test_locks_that_nobody_holds_are_removed_at_the_end(folder: Folder) -> None:
    folder.draw("images/1.png", "images/2.png")
    await folder.run()
    locks = folder.workspace / "locks"
    assert list(locks.iterdir()) == []
    with FileLock(locks / "held.lock", thread_local=False):
        await folder.run("images/1.png", gate=Gate("new run"))
        assert [path.name for path in locks.iterdir()] == ["held.lock"]


async def test_what_a_manifest_says_of_images_is_in_the_store(folder: Folder) -> None:
    folder.draw("images/a.png", "images/b.png", shade=7)
    folder.draw("images/c.png", "images/d.png")
    lines = ["image,prompt,generator,id", "images/a.png,a cup,flux,1", "images/b.png,a mug,sana,2", "images/c.png,,,"]
    (folder.path / "list.csv").write_text("\n".join(lines) + "\n")
    query = "SELECT name, prompt, source, entry FROM sources ORDER BY entry"
    said = [("images/a.png", "a cup", "flux", "1"), ("images/b.png", "a mug", "sana", "2")]
    for _ in range(2):
        await folder.run("list.csv", "images/d.png")
        assert folder.read(query) == said
