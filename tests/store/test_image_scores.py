from __future__ import annotations

import pytest

from anomagent.store import Workspace, image_scores
from anomagent.store.image_scores import ImageScore, scored_images, write_scores
from anomagent.store.sources import Source, note_sources
from tests.store.test_selections import add, decide


def test_a_score_is_measured_once(workspace: Workspace) -> None:
    a = add(workspace, 1, "a.png")
    write_scores(workspace, [ImageScore(a, "realism", "m", "", 0.25), ImageScore(a, "realism", "other", "", 1)])
    write_scores(workspace, [ImageScore(a, "realism", "m", "", 0.75), ImageScore(a, "realism", "m", "new", 0.5)])
    (image,) = scored_images(workspace, "m")
    assert image.scores == {("realism", ""): 0.25, ("realism", "new"): 0.5}
    assert image.prompts == ()


def test_prompts_of_all_names_each_once(workspace: Workspace) -> None:
    a = add(workspace, 1, "a.png", "b.png", "c.png")
    with workspace.writing() as connection:
        said = [("a.png", "B"), ("b.png", "A"), ("c.png", "B")]
        note_sources(connection, [Source(a, name, prompt=prompt) for name, prompt in said])
    assert next(scored_images(workspace, "m")).prompts == ("A", "B")


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_pages_give_every_image_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(image_scores, "_PAGE", page)
    images = sorted(add(workspace, shade, f"{shade}.png") for shade in range(6))
    assert [image.sha256 for image in scored_images(workspace, "m")] == images


def test_what_the_ingest_dropped_is_not_looked_at_and_what_others_dropped_is(workspace: Workspace) -> None:
    a, b, c = (add(workspace, shade, f"{shade}.png") for shade in range(3))
    decide(workspace, "ingest", (a, False, None), (b, False, None))
    decide(workspace, "ingest", (b, True, None))
    decide(workspace, "filter", (c, False, None))
    assert {image.sha256 for image in scored_images(workspace, "m")} == {b, c}
