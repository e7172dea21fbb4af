from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomagent.dataset import scores
from anomagent.dataset.filter import Prospect, Thresholds, apply, foresee, result_of
from anomagent.dataset.measure import Measured, measure
from anomagent.dataset.scores import unmeasured
from anomagent.dataset.wordings import PHOTO, REALISM, WORDINGS, Wording
from anomagent.errors import UsageError
from anomagent.store import Workspace, ingest_image
from anomagent.store.duplicates import Duplicate, read_standing, save_duplicates
from anomagent.store.image_scores import scored_images
from anomagent.store.selections import kept_images, newest_selections
from anomagent.store.sources import Source, note_sources
from anomagent.store.steps import dataset_step

COLOURS = ["red", "lime", "blue"]


class Planted:
    """A model by construction: a picture's vector is its colour, a text's that of the colour that it names.

    What a wording likes is red, what it does not like is blue.
    """

    identity, temperature = "planted@1", 2.0

    def __init__(self) -> None:
        self.seen: list[int] = []
        """The sizes of the batches of pictures."""

    def prepare(self, image: Image.Image) -> Any:
        colour = np.asarray(image, np.float32)[0, 0]
        return colour / np.linalg.norm(colour)

    def embed_images(self, prepared: Sequence[Any]) -> Any:
        self.seen.append(len(prepared))
        return np.stack(prepared)

    def embed_texts(self, texts: Sequence[str]) -> Any:
        likes = {text for wording in WORDINGS for text in wording.like}
        unlikes = {text for wording in WORDINGS for text in wording.unlike}
        named = [0 if text in likes else 2 if text in unlikes else COLOURS.index(text) for text in texts]
        return np.eye(3, dtype=np.float32)[named]


def add(workspace: Workspace, colour: str, *prompts: str, side: int = 8) -> str:
    """An image of one colour, with a name for each prompt."""
    data = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(data, "PNG")
    for name in prompts or ("nameless",):
        sha256 = ingest_image(workspace, data.getvalue(), name)["sha256"]
        with workspace.writing() as connection:
            note_sources(connection, [Source(sha256, name, prompt=name if prompts else None)])
    return sha256


def run(workspace: Workspace, model: Any = None, batch_size: int = 32) -> Measured:
    return measure(workspace, model or Planted(), batch_size)


def decide(workspace: Workspace, **thresholds: float) -> Prospect:
    with dataset_step(workspace, "filter", {}) as step:
        prospect = foresee(workspace, Planted.identity, Thresholds(**thresholds))
        apply(workspace, step, prospect)
    return prospect


def kept(workspace: Workspace) -> set[str]:
    return {image.sha256 for image in kept_images(workspace)}


def values(workspace: Workspace) -> dict[str, dict[str, float]]:
    return {image.sha256: scores.values_of(image) for image in scored_images(workspace, Planted.identity)}


def test_each_image_meets_its_own_prompt(workspace: Workspace) -> None:
    images = {colour: add(workspace, colour, colour) for colour in COLOURS}
    wrong = add(workspace, "red", "blue", side=9)
    run(workspace, batch_size=2)
    found = values(workspace)
    assert [found[images[colour]]["prompt_similarity"] for colour in COLOURS] == [1, 1, 1]
    assert found[wrong]["prompt_similarity"] == 0


def test_of_several_prompts_the_best_counts(workspace: Workspace) -> None:
    image = add(workspace, "red", "blue", "red", "lime")
    run(workspace)
    assert values(workspace)[image]["prompt_similarity"] == 1


def test_shares_are_the_softmax_of_both_sides(workspace: Workspace) -> None:
    red, lime, blue = (add(workspace, colour) for colour in COLOURS)
    run(workspace)
    found = values(workspace)
    # Cosines with (like, unlike): red 1, 0; lime 0, 0; blue 0, 1. Temperature 2: e^2 / (e^2 + e^0) = 0.8808.
    likely = math.exp(2) / (math.exp(2) + 1)
    assert found[red] == {"realism": pytest.approx(likely), "photo": pytest.approx(likely)}
    assert found[lime] == {"realism": 0.5, "photo": 0.5}
    assert found[blue] == {"realism": pytest.approx(1 - likely), "photo": pytest.approx(1 - likely)}


def test_nothing_is_measured_twice(workspace: Workspace) -> None:
    add(workspace, "red", "red"), add(workspace, "blue")
    assert run(workspace).new == 2
    assert run(workspace).new == 0
    other = Planted()
    other.identity = "planted@2"
    assert run(workspace, other).new == 2


def test_a_prompt_that_came_later_is_measured(workspace: Workspace) -> None:
    image = add(workspace, "red")
    run(workspace)
    add(workspace, "red", "red")
    assert run(workspace).new == 1
    assert values(workspace)[image]["prompt_similarity"] == 1


def test_other_wordings_are_other_scores(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    add(workspace, "red")
    run(workspace)
    changed = Wording("realism", ("red",), ("lime",))
    assert changed.subject != REALISM.subject
    monkeypatch.setattr(scores, "WORDINGS", (changed, PHOTO))
    assert len(list(unmeasured(workspace, Planted.identity))) == 1


def test_broken_off_it_keeps_what_was_measured(workspace: Workspace) -> None:
    for colour in COLOURS:
        add(workspace, colour), add(workspace, colour, side=9)

    class Breaking(Planted):
        def embed_images(self, prepared: Sequence[Any]) -> Any:
            if self.seen:
                raise KeyboardInterrupt
            return super().embed_images(prepared)

    with pytest.raises(KeyboardInterrupt):
        run(workspace, Breaking(), batch_size=4)
    model = Planted()
    assert run(workspace, model, batch_size=4).new == 2
    assert model.seen == [2]


def test_a_copy_that_cannot_be_read_is_told_and_not_decided(workspace: Workspace) -> None:
    red, blue = add(workspace, "red"), add(workspace, "blue")
    with workspace.reading() as connection:
        (path,) = connection.execute("SELECT path FROM images WHERE sha256 = ?", (red,)).fetchone()
    Path(workspace.path / path).write_bytes(b"damaged")
    told = run(workspace)
    assert (told.new, len(told.failed)) == (1, 1)
    assert path in told.failed[0]
    prospect = decide(workspace, realism=1.0)
    assert (prospect.unmeasured, kept(workspace)) == (1, {red})
    assert [sha256 for sha256, _, _ in prospect.decisions] == [blue]
    with workspace.reading() as connection:
        assert newest_selections(connection, "filter").keys() == {blue}
    assert blue not in kept(workspace)


def test_nothing_is_dropped_before_it_is_applied(workspace: Workspace) -> None:
    images = {add(workspace, colour) for colour in COLOURS}
    run(workspace)
    prospect = foresee(workspace, Planted.identity, Thresholds(realism=0.6))
    assert (prospect.kept, len(prospect.decisions)) == (1, 3)
    assert kept(workspace) == images


def test_other_thresholds_decide_anew(workspace: Workspace) -> None:
    red, lime, blue = (add(workspace, colour) for colour in COLOURS)
    run(workspace)
    decide(workspace, realism=0.6)
    assert kept(workspace) == {red}
    decide(workspace, realism=0.5)  # a threshold itself stays
    assert kept(workspace) == {red, lime}
    decide(workspace)
    assert kept(workspace) == {red, lime, blue}


def test_only_what_changes_is_written(workspace: Workspace) -> None:
    for colour in COLOURS:
        add(workspace, colour)
    run(workspace)

    def written(**thresholds: float) -> int:
        with dataset_step(workspace, "filter", {}) as step:
            return apply(workspace, step, foresee(workspace, Planted.identity, Thresholds(**thresholds)))

    assert [written(realism=0.6), written(realism=0.6), written(realism=0.5), written(realism=0.5)] == [3, 0, 2, 0]
    with workspace.reading() as connection:
        assert connection.execute("SELECT count(*) FROM selections").fetchone() == (5,)


def test_groups_that_lose_what_stands_for_them_are_counted(workspace: Workspace) -> None:
    red, lime, blue = (add(workspace, colour) for colour in COLOURS)
    run(workspace)
    with dataset_step(workspace, "dedupe", {}) as step:
        rows = [Duplicate(0, blue, True, "m", None), Duplicate(0, red, False, "m", 1)]
        save_duplicates(workspace, step, [(red, False, "near")], rows, read_standing(workspace))
    assert foresee(workspace, Planted.identity, Thresholds()).bereft == 0
    # blue goes, and red, which went for it, would stay.
    assert foresee(workspace, Planted.identity, Thresholds(realism=0.5)).bereft == 1
    assert foresee(workspace, Planted.identity, Thresholds(realism=1.0)).bereft == 0  # red goes too
    decide(workspace, realism=0.5)
    assert foresee(workspace, Planted.identity, Thresholds(realism=0.5)).bereft == 0  # it was said before
    assert kept(workspace) == {lime}


def test_the_reason_names_score_and_threshold(workspace: Workspace) -> None:
    blue = add(workspace, "blue", "red")
    run(workspace)
    prospect = decide(workspace, realism=0.5, prompt_similarity=0.25, photo=0.1)
    with workspace.reading() as connection:
        reason = newest_selections(connection, "filter")[blue].reason
    assert reason == "realism 0.1192 < 0.5, prompt_similarity 0.0000 < 0.25"
    assert prospect.below == {"realism": 1, "prompt_similarity": 1}


def test_no_prompt_is_no_reason_to_go(workspace: Workspace) -> None:
    lime, blue = add(workspace, "lime"), add(workspace, "blue", "red")
    run(workspace)
    prospect = decide(workspace, prompt_similarity=0.9)
    assert kept(workspace) == {lime}
    assert blue not in kept(workspace)
    assert prospect.without_prompt == 1


def test_figures_hold_every_image(workspace: Workspace) -> None:
    for colour in COLOURS:
        add(workspace, colour, "red")
    run(workspace)
    figures = result_of(foresee(workspace, Planted.identity, Thresholds(realism=0.6)))
    histograms: Any = figures["histograms"]
    assert {score: sum(each["counts"]) for score, each in histograms.items()} == {
        "realism": 3,
        "photo": 3,
        "prompt_similarity": 3,
    }
    assert histograms["prompt_similarity"]["edges"][0] == 0
    assert (figures["kept"], figures["dropped"], figures["below"]) == (1, 2, {"realism": 2})


@pytest.mark.parametrize("wrong", [{"realism": 1.1}, {"photo": -0.1}, {"prompt_similarity": math.nan}], ids=str)
def test_a_threshold_that_no_score_can_have(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="must be between"):
        Thresholds(**wrong)
