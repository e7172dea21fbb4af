"""The history: what finished analyses of the same kind took."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from anomagent.batch.history import read_history
from anomagent.batch.prefix import stored_prompts
from anomagent.batch.rehearsal import rehearse
from anomagent.config import Schedule, Settings
from anomagent.errors import UsageError
from anomagent.state.context import AnalysisContext
from anomagent.store import Workspace, list_analyses
from tests.batch.analysed import analyse, draw, settings_for


def _context(settings: Settings) -> AnalysisContext:
    return AnalysisContext(**settings.options)


async def test_the_mean_of_objects_calls_and_tokens(tmp_path: Path) -> None:
    """2 objects; 11 + 5 * 2 calls an image; the means agree with the totals in the store."""
    settings = settings_for(tmp_path)
    await analyse(settings, draw(tmp_path, 2))
    workspace = Workspace.open(settings.workspace)
    history = read_history(workspace, _context(settings))
    assert history is not None
    assert (history.images, history.objects, history.cached) == (2, 2.0, 0.0)
    assert sum(step.calls for step in history.steps) == 21.0
    with workspace.reading() as connection:
        given, said = connection.execute("SELECT sum(input_tokens), sum(output_tokens) FROM calls").fetchone()
    assert sum(step.calls * step.text_tokens for step in history.steps) == pytest.approx(given / 2)
    assert sum(step.calls * step.output_tokens for step in history.steps) == pytest.approx(said / 2)


@pytest.mark.parametrize("schedule", ["paper", "direct"])
async def test_the_rehearsal_makes_the_calls_of_the_graph(tmp_path: Path, schedule: Schedule) -> None:
    settings = settings_for(tmp_path, schedule, objects=3)
    await analyse(settings, draw(tmp_path, 1))
    history = read_history(Workspace.open(settings.workspace), _context(settings))
    assert history is not None
    made = Counter((call.prompt.role, call.prompt.step) for call in rehearse(_context(settings), 3))
    assert {(step.role, step.step): step.calls for step in history.steps} == made


async def test_an_image_counts_once_and_its_shared_calls_fully(tmp_path: Path) -> None:
    """The second look is answered by the ledger; a new image would still pay for all of it."""
    settings = settings_for(tmp_path)
    paths = draw(tmp_path, 1)
    await analyse(settings, [*paths, *paths])
    history = read_history(Workspace.open(settings.workspace), _context(settings))
    assert history is not None
    assert (history.images, sum(step.calls for step in history.steps)) == (1, 21.0)


async def test_only_analyses_of_the_same_kind_count(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    await analyse(settings, draw(tmp_path, 1))
    workspace, same = Workspace.open(settings.workspace), _context(settings)
    assert read_history(workspace, same) is not None
    for other in ({"schedule": "lean"}, {"scans": 1}, {"model": "fake:other.json"}, {"object_perceiver": "embedded"}):
        assert read_history(workspace, same.model_copy(update=other)) is None


def test_an_empty_workspace_has_none(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    assert read_history(Workspace.open(settings.workspace), _context(settings)) is None


async def test_without_rows_of_the_ledger_the_analyses_tell(tmp_path: Path) -> None:
    """As where the ledger lies in a Postgres."""
    settings = settings_for(tmp_path)
    await analyse(settings, draw(tmp_path, 1))
    workspace = Workspace.open(settings.workspace)
    with_ledger = read_history(workspace, _context(settings))
    with workspace.writing() as connection:
        connection.execute("DELETE FROM calls")
    without = read_history(workspace, _context(settings))
    assert with_ledger is not None
    assert without is not None
    assert set(without.steps) == set(with_ledger.steps)
    assert without.seconds is None


async def test_how_far_the_mean_may_be_off(tmp_path: Path) -> None:
    """Two images of 100 and 300 tokens: mean 200, deviation 141.4, of the mean 100, so 2 * 100 / 200."""
    settings = settings_for(tmp_path, "direct")
    paths = draw(tmp_path, 2)
    await analyse(settings, paths[:1])
    workspace = Workspace.open(settings.workspace)
    alone = read_history(workspace, _context(settings))
    await analyse(settings, paths)
    with workspace.writing() as connection:
        connection.execute("UPDATE calls SET output_tokens = 0, input_tokens = 100 + 200 * (id - 1)")
    both = read_history(workspace, _context(settings))
    assert alone is not None
    assert alone.error is None
    assert both is not None
    assert both.error == pytest.approx(1.0)


async def test_the_prompts_of_an_analysis_come_back_in_order(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    await analyse(settings, draw(tmp_path, 1))
    workspace = Workspace.open(settings.workspace)
    (analysis,) = list_analyses(workspace)
    prompts = stored_prompts(workspace, analysis["id"])
    assert len(prompts) == 21
    assert prompts[-1].role == "AnomalyFormatter"
    assert {prompt.role for prompt in prompts[:6]} == {"ObjectPerceiver", "SceneScanner"}
    with pytest.raises(UsageError, match="no answered calls of analysis 99"):
        stored_prompts(workspace, 99)
