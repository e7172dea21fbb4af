"""The Python API on a real workspace, down to the requests that a scripted model receives."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anomagent import analyze
from anomagent.errors import ConfigurationError, Malformed, ModelError, Refused, UsageError
from anomagent.graph.identity import checkpoint_thread, configuration_hash, thread_id
from anomagent.state.context import AnalysisContext
from anomagent.store import Workspace, find_analyses, list_analyses
from tests.asking import IMAGE
from tests.graph.place import WHOLE, Place
from tests.graph.world import names_of, world_of


async def test_the_result_has_everything_and_is_in_the_store(place: Place) -> None:
    analysis = await place.analyze()
    assert (analysis.status, analysis.schedule, analysis.image) == ("ok", "paper", str(place.image))
    assert [anomaly.objects for anomaly in analysis.anomalies] == [["cup"], ["chair"], ["lamp"]]
    assert (analysis.usage.calls, analysis.usage.ledger_hits, analysis.failures) == (WHOLE, 0, [])
    (stored,) = find_analyses(Workspace.open(place.workspace), str(place.image))
    assert stored["sha256"] == analysis.sha256
    assert stored["anomalies"] == [anomaly.model_dump() for anomaly in analysis.anomalies]
    assert len(stored["reports"]) == len(stored["objects"]) == len(stored["candidates"]) == 3
    assert (len(stored["perceptions"]), len(stored["scans"]), len(stored["pools"])) == (3, 3, 3)
    assert stored["status"] == "ok"


@pytest.mark.parametrize("schedule", ["paper", "lean", "direct"])
async def test_a_second_run_asks_nothing_and_finds_the_same(place: Place, schedule: str) -> None:
    first = await place.analyze(schedule=schedule)
    asked = place.sent().total()
    second = await place.analyze(schedule=schedule)
    assert asked == first.usage.calls > 0
    assert place.sent().total() == second.usage.calls == 0
    assert second.usage.ledger_hits == asked
    assert second.usage.input_tokens == second.usage.output_tokens == 0
    assert second.anomalies == first.anomalies


async def test_a_copy_under_another_name_costs_nothing(place: Place) -> None:
    await place.analyze()
    place.sent()
    copy = place.image.with_name("b.png")
    copy.write_bytes(place.image.read_bytes())
    analysis = await analyze(copy, model="fake:world", workspace=place.workspace)
    assert (place.sent().total(), analysis.image) == (0, str(copy))


async def test_another_schedule_shares_the_calls_that_are_the_same(place: Place) -> None:
    await place.analyze()
    place.sent()
    await place.analyze(schedule="lean")
    assert not [name for name in place.sent() if name.startswith(("ObjectPerceiver.list/None/0", "SceneScanner"))]


async def test_two_at_once_pay_once(place: Place) -> None:
    first, second = await asyncio.gather(place.analyze(), place.analyze())
    assert set(place.sent().values()) == {1}
    assert first.usage.calls + second.usage.calls == len(place.ledger()) == WHOLE
    assert first.anomalies == second.anomalies


async def test_one_analyzer_takes_one_image_twice_and_at_once(place: Place) -> None:
    async with place.open() as analyzer:
        analyses = await asyncio.gather(*(analyzer.analyze(place.image) for _ in range(3)))
        analyses.append(await analyzer.analyze(place.image))
    assert place.sent().total() == sum(analysis.usage.calls for analysis in analyses) == WHOLE
    assert len({str(analysis.anomalies) for analysis in analyses}) == 1
    assert len(list_analyses(Workspace.open(place.workspace), run_id=analyzer.run)) == 4


async def test_different_images_are_analysed_side_by_side(place: Place) -> None:
    other = place.image.with_name("b.png")
    Image.new("RGB", (48, 32), "red").save(other)
    async with place.open(schedule="direct") as analyzer:
        first, second = await asyncio.gather(analyzer.analyze(place.image), analyzer.analyze(other))
    assert first.sha256 != second.sha256
    assert place.sent().total() == 2


class TestFailures:
    def fail(self, place: Place, step: str, error: Callable[[str], ModelError] = Refused, **where: Any) -> None:
        """Let a step fail until `heal`."""
        place.world.on(step, lambda _: error("scripted"), **where)

    def heal(self, place: Place) -> None:
        """Forget the newest rule."""
        del place.world.rules[0]

    async def test_a_partial_analysis_asks_again_only_what_failed_and_what_follows(self, place: Place) -> None:
        self.fail(place, "RelationReasoner.judge", object="chair")
        first = await place.analyze()
        assert (first.status, [failure["object"] for failure in first.failures]) == ("partial", ["chair"])
        before = place.sent()
        self.heal(place)
        second = await place.analyze()
        assert (second.status, second.failures) == ("ok", [])
        after = place.sent()
        # What the chair's chain lacked; and what reads all reports, which are different now: pools, and then the
        # formatter only if they led to other candidates, which they did not.
        chain = {"RelationReasoner.judge", "RelationReasoner.verify", "AnomalyIntegrator.consolidate"}
        assert after == Counter({f"{step}/chair/0": 1 for step in chain}) + Counter(
            {f"AnomalyIntegrator.pool/None/{slot}": 1 for slot in range(3)}
        )
        assert before.keys() & after.keys() == {
            "RelationReasoner.judge/chair/0",
            *(f"AnomalyIntegrator.pool/None/{slot}" for slot in range(3)),
        }

    @pytest.mark.parametrize(
        ("step", "repeated"),
        [
            ("ObjectPerceiver.list", 3),
            ("ObjectPerceiver.merge", 1),
            ("AnomalyIntegrator.pool", 3),
            ("AnomalyFormatter.format", 1),
        ],
    )
    async def test_a_failed_analysis_asks_again_only_what_failed(self, place: Place, step: str, repeated: int) -> None:
        self.fail(place, step)
        first = await place.analyze()
        assert (first.status, first.anomalies, len(first.failures)) == ("failed", [], repeated)
        before = place.sent()
        self.heal(place)
        second = await place.analyze()
        assert second.status == "ok"
        after = place.sent()
        again = before.keys() & after.keys()
        assert {name.split("/")[0] for name in again} == {step}
        assert (before + after).total() == WHOLE + repeated

    async def test_a_failure_is_asked_again_in_every_run_but_its_cost_is_known(self, place: Place) -> None:
        self.fail(place, "SceneScanner.scan", Malformed, slot=0)
        first, second = await place.analyze(), await place.analyze()
        assert (first.status, second.status) == ("partial", "partial")
        assert second.usage.calls == 1
        assert place.sent()["SceneScanner.scan/None/0"] == 2

    async def test_bad_answers_stay_on_record_and_are_never_replayed(self, place: Place) -> None:
        place.world.on("AnomalyFormatter.format", {"anomalies": "none"})
        first = await place.analyze()
        assert [failure["error"] for failure in first.failures] == ["malformed"]
        assert [status for _, status in place.ledger()].count("bad") == 2, "the answer and its repair"
        self.heal(place)
        assert (await place.analyze()).status == "ok"
        assert [status for _, status in place.ledger()].count("bad") == 2

    async def test_a_bug_rises_and_the_next_run_goes_on(self, place: Place) -> None:
        place.world.on("AnomalyFormatter.format", _raise(ValueError("a bug")))
        with pytest.raises(ValueError, match="a bug"):
            await place.analyze()
        place.sent()
        self.heal(place)
        assert (await place.analyze()).status == "ok"
        assert list(place.sent()) == ["AnomalyFormatter.format/None/0"]


@pytest.mark.parametrize("schedule", ["paper", "lean", "direct"])
@pytest.mark.parametrize("names", [[], names_of(2)], ids=["no object", "two ordinary objects"])
async def test_finding_nothing_is_ok(place: Place, schedule: str, names: list[str]) -> None:
    place.world.rules[:] = world_of(names, anomalous=False).rules
    analysis = await place.analyze(schedule=schedule)
    assert (analysis.status, analysis.anomalies, analysis.failures) == ("ok", [], [])


async def test_the_smallest_replies_of_a_model_without_a_script_are_ok(place: Place) -> None:
    place.world.rules.clear()
    assert (await place.analyze()).status == "ok"


class TestWrongUse:
    async def test_an_image_that_is_none_costs_nothing(self, place: Place) -> None:
        place.image.write_bytes(b"not an image")
        with pytest.raises(UsageError, match="not a readable image"):
            await place.analyze()
        with pytest.raises(UsageError, match="no such file"):
            await analyze(place.image.with_name("none.png"), model="fake:world", workspace=place.workspace)
        assert place.sent().total() == 0

    async def test_a_model_that_cannot_be_used_is_an_error_before_any_work(self, place: Place) -> None:
        with pytest.raises(ConfigurationError):
            await analyze(place.image, model="fake:world", anomaly_formatter="nonsense", workspace=place.workspace)
        assert place.sent().total() == 0

    async def test_an_unknown_setting_is_named(self, place: Place) -> None:
        with pytest.raises(ConfigurationError, match="scheduel"):
            await place.analyze(scheduel="lean")


class TestHistory:
    async def test_a_finished_thread_leaves_no_checkpoints(self, place: Place) -> None:
        await place.analyze()
        assert place.checkpoints() == 0

    async def test_unless_they_are_wanted(self, place: Place) -> None:
        await place.analyze(keep_history=True)
        kept = place.checkpoints()
        assert kept > 0
        assert (await place.analyze(keep_history=True)).usage.calls == 0
        assert place.checkpoints() > 0


class TestThread:
    def test_is_the_image_and_the_configuration(self) -> None:
        assert thread_id(IMAGE, "c") == thread_id({**IMAGE, "path": "elsewhere"}, "c")
        assert thread_id(IMAGE, "c") != thread_id({**IMAGE, "sha256": "cd" * 32}, "c")
        assert thread_id(IMAGE, "c") != thread_id(IMAGE, "d")

    def test_workspaces_that_share_a_postgres_share_no_checkpoints(self) -> None:
        """A state refers to the image in its own workspace; the analysis is the same one everywhere."""
        kept = {checkpoint_thread("t", place) for place in (None, Path("/a"), Path("/b"))}
        assert len(kept) == 3
        assert checkpoint_thread("t", None) == "t"

    def test_the_configuration_is_everything_that_decides_what_is_asked(self) -> None:
        models = {"ObjectPerceiver": "fake:a"}
        plain = configuration_hash(AnalysisContext(), models)
        assert plain == configuration_hash(AnalysisContext(), dict(models))
        assert plain != configuration_hash(AnalysisContext(), {"ObjectPerceiver": "fake:b"})
        for changed in ({"model": "openai:a"}, {"schedule": "lean"}, {"scans": 1}, {"temperature": 0.0}):
            assert plain != configuration_hash(AnalysisContext.model_validate(changed), models)


async def test_the_store_names_the_models_of_the_roles_that_were_asked(place: Place) -> None:
    for schedule in ("paper", "lean", "direct"):
        await place.analyze(schedule=schedule)
        asked = {name.partition(".")[0] for name in place.sent()}
        newest = find_analyses(Workspace.open(place.workspace), str(place.image))[0]
        assert asked <= newest["models"].keys()
        assert ("DirectDetector" in newest["models"]) == (schedule == "direct")
        assert set(newest["models"].values()) == {"fake:world"}


def _raise(error: Exception) -> Callable[[Any], Any]:
    def script(_: Any) -> Any:
        raise error

    return script
