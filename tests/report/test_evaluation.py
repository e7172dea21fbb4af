"""The page of an evaluation whose similarities are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from anomagent.benchmark.annotations import AnnotationSet, ImageAnnotations
from anomagent.evaluation.evaluate import Choices, Evaluation, evaluate
from anomagent.evaluation.pairs import Pair, Similarity
from anomagent.evaluation.similarity import Backbone
from anomagent.report.evaluation import SHOWN, draw_threshold_curve, page_of, write_evaluation
from anomagent.report.pictures import no_pictures
from anomagent.report.plots import draw_histogram
from anomagent.state.findings import Anomaly
from tests.cli.scored import HOSTILE, assert_harmless
from tests.cli.scored import Page as Read
from tests.evaluation.metric_cases import alike
from tests.report.test_plots import texts

BACKBONE = Backbone("distilbert-base-uncased")


def _set(images: Mapping[str, Sequence[str]]) -> AnnotationSet:
    return AnnotationSet(
        "x.json",
        {
            key: ImageAnnotations(
                key, tuple(Anomaly(name=text, phenomenon=text, reasoning=text, severity=10) for text in said)
            )
            for key, said in images.items()
        },
    )


def scored(similar: Mapping[str, float], choices: Choices | None = None, said: str = "it floats") -> Evaluation:
    """An image for each similarity of its one prediction and its one ground truth."""

    def compare(pairs: Sequence[Pair]) -> list[Similarity]:
        return [alike([[similar[pair.image]]]) for pair in pairs]

    return evaluate(
        _set({name: [f"{said}, predicted"] for name in similar}),
        _set({name: [f"{said}, true"] for name in similar}),
        compare,
        BACKBONE,
        choices,
    )


def silent(protocol: str = "released") -> Evaluation:
    """Two images, nothing on either side."""
    empty = _set({"a.png": [], "b.png": []})
    return evaluate(empty, empty, lambda pairs: [alike([], 0) for _ in pairs], BACKBONE, Choices(protocol))  # type: ignore[arg-type]


def page(evaluation: Evaluation, published: bool = False, **more: Any) -> Any:
    return page_of("p against t", evaluation, {**evaluation.summary(), **more}, published, no_pictures)


def test_each_plot_has_the_images_behind_it() -> None:
    # SemF1 over 0.7, 0.8, 0.9: 0, 1/3, 1.
    found = page(scored({"weak.png": 0.5, "middle.png": 0.75, "strong.png": 0.95}))

    by_title = {plot.title: [example.image for example in plot.examples] for plot in found.figures}
    assert by_title == {
        "SemF1 by image": ["weak.png", "middle.png", "strong.png"],
        "Similarity of matches": ["weak.png", "strong.png"],
        "Over the similarity threshold": ["middle.png"],  # the only one that falls between 0.7 and 0.9
    }
    assert [example.note for example in found.figures[0].examples] == [
        "the weakest: SemF1 0.000",
        "in the middle: SemF1 0.333",
        "the strongest: SemF1 1.000",
    ]


def test_weakest_and_strongest_are_shown_with_their_matching() -> None:
    found = page(scored({f"{number:02}.png": 0.5 + 0.04 * number for number in range(12)}))

    assert len(found.examples) == 2 * SHOWN
    first = found.examples[0]
    assert first.note == "SemF1 Full 0.000; 1 prediction, 1 ground truth"
    assert [(row.prediction, row.ground_truth, row.similarity) for row in first.rows] == [
        ("it floats, predicted", "it floats, true", 0.5)
    ]
    assert found.examples[SHOWN].image == "11.png"


def test_unmatched_sentences_are_shown() -> None:
    found = page(scored({"a.png": 0.6}, Choices("paper")))

    rows = [(row.prediction, row.ground_truth, row.similarity) for row in found.examples[0].rows]
    assert rows == [("it floats, predicted", None, None), (None, "it floats, true", None)]


@pytest.mark.parametrize("similarity", [0.1, 0.39, 0.95, 1.0])
def test_no_similarity_is_left_out_of_the_histogram(monkeypatch: pytest.MonkeyPatch, similarity: float) -> None:
    drawn: list[tuple[list[float], float]] = []

    def draw(values: list[float], label: str, *, least: float = 0) -> str:
        drawn.append((values, least))
        return draw_histogram(values, label, least=least)

    monkeypatch.setattr("anomagent.report.evaluation.draw_histogram", draw)
    page(scored({"a.png": similarity}))

    (_, (values, least)) = drawn
    assert values == [similarity]
    assert least == min(0.4, similarity)


@pytest.mark.parametrize("protocol", ["released", "paper"])
def test_page_of_nothing_is_a_page(protocol: str, tmp_path: Path) -> None:
    evaluation = silent(protocol)
    write_evaluation("p", evaluation, evaluation.summary(), True, no_pictures, tmp_path / "page.html")

    read = Read.read(tmp_path / "page.html")
    assert read.pictures("svg+xml") == 4
    assert not {"a.png", "b.png"} & set(read.text.split())  # an example of nothing would be none


@pytest.mark.parametrize("protocol", ["released", "paper"])
def test_images_with_nothing_are_no_examples_and_count(protocol: Any) -> None:
    # Nothing on both sides is the weakest image under released (0) and the strongest under paper (1).
    both = {"empty.png": [], "weak.png": ["x"], "strong.png": ["x"]}
    similar = {"empty.png": alike([], 0), "weak.png": alike([[0.75]]), "strong.png": alike([[0.95]])}
    evaluation = evaluate(
        _set(both), _set(both), lambda pairs: [similar[pair.image] for pair in pairs], BACKBONE, Choices(protocol)
    )

    found = page(evaluation, True)

    shown = {example.image for plot in found.figures for example in plot.examples}
    assert shown | {image.image for image in found.examples} == {"weak.png", "strong.png"}
    assert "3 images in the means" in found.facts[1]


def test_where_no_image_falls_none_is_shown() -> None:
    found = page(scored({"a.png": 0.95, "b.png": 0.6}))

    assert found.figures[-1].title == "Over the similarity threshold"
    assert list(found.figures[-1].examples) == []


def test_published_systems_stand_beside_where_there_are_any() -> None:
    evaluation = scored({"a.png": 0.95})
    view = {name: [0.9, 1.0] for name in ("Phe", "Rea", "Full")}

    found = page(evaluation, True, bootstrap={"SemF1": view, "SemAP": view, "note": None})
    assert found.figures[0].title == "Beside the published systems"
    shown = texts(found.figures[0].svg)
    assert "these predictions" in shown
    assert "GPT-4o" in " ".join(shown)
    other = page(evaluation, True, backbone="my-model")
    assert "Beside the published systems" not in [plot.title for plot in other.figures]


def test_curve_has_a_line_for_each_metric_and_view() -> None:
    shown = texts(draw_threshold_curve(scored({"a.png": 0.7}).curve()))

    assert {f"{metric} {view}" for metric in ("SemAP", "SemF1") for view in ("Phe", "Rea", "Full")} <= set(shown)


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    evaluation = scored({f"{HOSTILE}.png": 0.8}, said=HOSTILE)
    write_evaluation(HOSTILE, evaluation, evaluation.summary(), True, no_pictures, tmp_path / "page.html")

    read = Read.read(tmp_path / "page.html")
    assert_harmless(read)
    assert "<script>alert('x') \"&amp; " in read.text
