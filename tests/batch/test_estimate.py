"""The estimate: what is counted, on what it rests, and what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anomagent.batch import pictures
from anomagent.batch.configuration import UNCHANGED, Gate
from anomagent.batch.estimate import Estimate, configuration_of, estimate_batch
from anomagent.batch.rehearsal import PRIOR_OBJECTS, rehearse
from anomagent.batch.states import Which
from anomagent.benchmark.items import Item, gather
from anomagent.config import Schedule, load_settings
from anomagent.errors import Refused
from anomagent.state.context import AnalysisContext
from anomagent.store import Workspace
from tests.batch.analysed import analyse, draw, settings_for
from tests.batch.folder import Folder


@pytest.mark.parametrize(
    ("schedule", "calls"),
    [("paper", 11 + 5 * 4), ("lean", 1 + 1 + 2 * 4 + 1 + 1), ("direct", 1)],
)
def test_the_calls_of_a_schedule(schedule: Schedule, calls: int) -> None:
    """`paper`: T + 1 + 5N + S + G + 1. `lean`: a pass, a scan, two calls an object, pool and format."""
    assert len(rehearse(AnalysisContext(schedule=schedule), 4)) == calls


def test_the_assumptions_fit_what_was_published() -> None:
    """194 thousand tokens an image on GPT-4o with 765 for an image; 150 thousand with 11 or 12 objects."""

    def tokens(objects: int) -> int:
        calls = rehearse(AnalysisContext(), objects)
        return sum(call.text_tokens + 765 + call.output_tokens for call in calls)

    assert tokens(PRIOR_OBJECTS) == pytest.approx(194_000, rel=0.01)
    assert tokens(11) < 150_000 < tokens(12)


def test_without_a_history_the_prompts_are_rehearsed(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, model="openai:gpt-4o")
    found = estimate_batch(settings, draw(tmp_path, 2, (1024, 1024)))
    assert (found.images, found.history, found.objects) == (2, 0, PRIOR_OBJECTS)
    assert found.calls == 2 * (11 + 5 * PRIOR_OBJECTS)
    assert not settings.workspace.exists()
    # Input 2.50, cached 1.25, output 10 dollars a million tokens.
    fresh = found.input_tokens - found.cached_tokens
    assert found.usd == pytest.approx((fresh * 2.5 + found.cached_tokens * 1.25 + found.output_tokens * 10) / 1e6)
    assert any("765 tokens an image" in note for note in found.notes)
    assert any("OpenAI's prompt cache" in note for note in found.notes)


async def test_with_a_history_the_estimate_is_its_mean(tmp_path: Path) -> None:
    """21 calls an image, as many tokens as the images before: a scripted model counts no image."""
    settings = settings_for(tmp_path)
    paths = draw(tmp_path, 5)
    await analyse(settings, paths[:2])
    found = estimate_batch(settings, paths)
    assert (found.images, found.history, found.objects, found.calls) == (5, 2, 2.0, 105)
    assert (found.usd, found.cached_tokens) == (0.0, 0)
    assert found.input_tokens > found.output_tokens > 0


async def test_finished_and_repeated_images_are_left_out(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    paths = draw(tmp_path, 3)
    configuration = await analyse(settings, paths[:1])
    assert configuration == await configuration_of(settings)
    copy = tmp_path / "copy.png"
    copy.write_bytes(Path(paths[2]).read_bytes())
    found = estimate_batch(settings, [*map(Item, paths), str(copy), paths[1]], configuration)
    assert (found.images, found.repeated, found.finished) == (2, 2, 1)
    unlooked = estimate_batch(settings, paths)
    assert unlooked.finished == 0
    assert any("not looked for" in note for note in unlooked.notes)


class TestMeans:
    """Of three images one is ok, one failed, one was never analysed: an estimate counts what a batch would do."""

    @pytest.fixture
    async def folder(self, folder: Folder) -> Folder:
        folder.draw("images/1.png", "images/2.png", "images/3.png")
        await folder.run("images/1.png")
        folder.model.on(says=Refused("not this one"))
        await folder.run("images/2.png")
        folder.model.rules.clear()
        return folder

    async def test_a_plain_batch_leaves_failures_alone(self, folder: Folder) -> None:
        assert await self._counts(folder) == (1, 1, 1)

    async def test_retrying_failures_means_nothing_else(self, folder: Folder) -> None:
        assert await self._counts(folder, which="failed") == (1, 1, 1)
        assert (await folder.run(which="failed")).done == 1
        assert await self._counts(folder, which="failed") == (0, 2, 1)

    async def test_partial_ones_are_not_finished(self, folder: Folder) -> None:
        with Workspace.open(folder.workspace).writing() as connection:
            connection.execute("UPDATE analyses SET status = 'partial' WHERE status = 'failed'")
        assert await self._counts(folder) == (1, 1, 1)
        assert await self._counts(folder, which="both") == (2, 1, 0)

    async def test_a_changed_configuration_keeps_what_retry_keeps(self, folder: Folder) -> None:
        assert await self._counts(folder, Gate("retry"), "both", temperature=0.5) == (2, 1, 0)
        assert await self._counts(folder, Gate("new run"), temperature=0.5) == (3, 0, 0)
        assert (await folder.run(gate=Gate("retry"), which="both", temperature=0.5)).done == 2
        assert await self._counts(folder, temperature=0.5) == (0, 3, 0)

    async def test_a_batch_that_would_be_refused_is_noted(self, folder: Folder) -> None:
        assert await self._counts(folder, temperature=0.5) == (3, 0, 0)
        found = await self._estimate(folder, temperature=0.5)
        assert any("--new-run (estimated here) or --retry" in note for note in found.notes)
        assert not any("--new-run" in note for note in (await self._estimate(folder)).notes)
        assert UNCHANGED in (await self._estimate(folder, Gate("new run"))).notes

    async def _counts(self, folder: Folder, *arguments: Any, **settings: Any) -> tuple[int, int, int]:
        found = await self._estimate(folder, *arguments, **settings)
        return found.images, found.finished, found.left_alone

    async def _estimate(
        self, folder: Folder, gate: Gate | None = None, which: Which = "missing", **settings: Any
    ) -> Estimate:
        wanted = load_settings(model="fake:x", schedule="direct", workspace=folder.workspace, **settings)
        return estimate_batch(wanted, gather(["images"]), await configuration_of(wanted), gate, which)


def test_many_files_are_sampled_and_known_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_HASHED", 3)
    monkeypatch.setattr(pictures, "MOST_MEASURED", 2)
    paths = draw(tmp_path, 4)
    found = estimate_batch(settings_for(tmp_path), [*paths, paths[0]])
    assert (found.images, found.repeated) == (4, 1)
    assert any("more than 3 files" in note for note in found.notes)
    assert any("sizes of 2 images stand for those of all 4" in note for note in found.notes)


def test_files_that_are_no_images_are_counted_and_said_so(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    found = estimate_batch(settings_for(tmp_path), [*draw(tmp_path, 1), str(tmp_path / "text.png"), "missing.png"])
    assert found.images == 3
    assert any("2 of the 3 files looked at are no readable images" in note for note in found.notes)


def test_an_image_counts_upright_and_scaled(tmp_path: Path) -> None:
    """4000 x 1000 turned by EXIF is 1000 x 4000; at most 1 million pixels are sent: 500 x 2000, 1 x 4 tiles."""
    image = Image.new("RGB", (4000, 1000))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert pictures.measure([str(tmp_path / "turned.jpg")])[0] == [(1000, 4000)]
    settings = settings_for(tmp_path, model="openai:gpt-4o").model_copy(update={"image_max_pixels": 1_000_000})
    found = estimate_batch(settings, [str(tmp_path / "turned.jpg")])
    assert any(f"{85 + 4 * 170} tokens an image" in note for note in found.notes)


def test_an_unknown_model_has_no_price_and_its_images_are_guessed(tmp_path: Path) -> None:
    found = estimate_batch(settings_for(tmp_path, model="openai:gpt-99"), draw(tmp_path, 1, (750, 100)))
    assert found.usd is None
    assert any("100 tokens an image (no documented rule" in note for note in found.notes)
    assert any("price unknown" in line for line in found.describe())


def test_a_role_with_its_own_model_is_counted_by_its_own_rule(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, model="openai:gpt-4o").model_copy(update={"scene_scanner": "openai:gpt-4.1-mini"})
    found = estimate_batch(settings, draw(tmp_path, 1, (1024, 1024)))
    assert found.calls == 11 + 5 * PRIOR_OBJECTS
    assert [note.split(":")[1] for note in found.notes if "tokens an image (" in note] == ["gpt-4o", "gpt-4.1-mini"]


def test_the_limit_that_binds_is_named(tmp_path: Path) -> None:
    """86 calls at one a minute are 86 minutes."""
    settings = settings_for(tmp_path).model_copy(update={"requests_per_minute": 1.0})
    found = estimate_batch(settings, draw(tmp_path, 1))
    assert (found.duration.binding, found.duration.hours) == ("requests_per_minute", pytest.approx(86 / 60))
    assert any("1.4 h at least, bound by requests_per_minute" in line for line in found.describe())


def test_a_budget_that_is_not_enough(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, model="openai:gpt-4o")
    paths = draw(tmp_path, 4)
    whole = estimate_batch(settings, paths)
    assert whole.usd is not None
    assert whole.budget_images is None
    half = estimate_batch(settings.model_copy(update={"budget_usd": whole.usd * 0.6}), paths)
    assert half.budget_images == 2
    assert any("enough for about 2 of 4 images" in line for line in half.describe())


def test_nothing_to_do(tmp_path: Path) -> None:
    found = estimate_batch(settings_for(tmp_path), [])
    assert (found.images, found.calls, found.usd) == (0, 0, 0.0)
    assert found.describe()[0].startswith("images: 0")


def test_the_estimate_as_json(tmp_path: Path) -> None:
    found = estimate_batch(load_settings(workspace=tmp_path / "none"), draw(tmp_path, 1))
    told = json.loads(json.dumps(found.as_dict()))
    assert told["duration"]["binding"] == "concurrency"
    assert told["notes"] == list(found.notes)


def test_the_common_prefix_is_told(tmp_path: Path) -> None:
    """With one call there is nothing to share but its own whole head; OpenAI's schema in front parts the steps."""
    Image.new("RGB", (1024, 1024)).save(tmp_path / "a.png")
    shares = {
        model: estimate_batch(
            load_settings(model=model, base_url=url, workspace=tmp_path / "w"), [str(tmp_path / "a.png")]
        )
        for model, url in (("openai:gpt-4o", None), ("openai:Qwen/Qwen2.5-VL-7B-Instruct", "http://localhost:8000/v1"))
    }
    openai, vllm = shares.values()
    assert openai.prefix_common == 0
    assert openai.prefix_usd
    assert 0.5 < vllm.prefix_common < 0.8
    assert any(line.startswith("prefix: 0% ") for line in openai.describe())
