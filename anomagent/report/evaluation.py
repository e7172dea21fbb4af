"""The page of an evaluation: its tables, its plots, and the images behind them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomagent.benchmark.published import PublishedTable
from anomagent.evaluation.evaluate import Evaluation
from anomagent.evaluation.pairs import VIEWS
from anomagent.evaluation.summary import CurveRow
from anomagent.report.costs import count
from anomagent.report.metrics import Example, MatchedImage, MatchRow, Page, Plot, write_metrics
from anomagent.report.pictures import FindPicture
from anomagent.report.plots import draw_bars, draw_curve, draw_histogram
from anomagent.report.scores import OWN, facts_of, published_for, tables_of

MakeExample = Callable[[int, str], Example]
"""From an image's index and a note to the example."""

SHOWN = 4
"""Images at each end of a distribution that are shown in full."""
_FULL = list(VIEWS).index("Full")
_LEAST = 0.4
"""Where the histogram of similarities begins; BERTScore is rarely below."""


def write_evaluation(
    title: str, evaluation: Evaluation, result: Mapping[str, Any], published: bool, find: FindPicture, file: Path
) -> None:
    """Write the page of `evaluation` with the figures of `result` to `file`; `find` gives the example images.

    Raises `UsageError` where it cannot be written.
    """
    write_metrics(page_of(title, evaluation, result, published, find), file)


def draw_threshold_curve(rows: Sequence[CurveRow]) -> str:
    """SemAP and SemF1 of each view over the threshold, as SVG."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for name, value in (("SemAP", row.SemAP), ("SemF1", row.SemF1)):
            lines.setdefault(f"{name} {row.view}", []).append((row.threshold, value))
    return draw_curve(lines)


def curve_of(evaluation: Evaluation, result: Mapping[str, Any]) -> list[CurveRow]:
    """The threshold curve: the result's own where it has one, else calculated now."""
    return [CurveRow(**point) for point in result["curve"]] if "curve" in result else evaluation.curve()


def page_of(title: str, evaluation: Evaluation, result: Mapping[str, Any], published: bool, find: FindPicture) -> Page:
    """Everything that the page shows: the weakest and the strongest images in full, others as thumbnails.

    Images with nothing on both sides count as the result says, and are no example of anything.
    """
    scores = evaluation.scores
    f1 = scores.macro()["SemF1"][:, _FULL]
    ranked = [int(index) for index in np.argsort(f1, kind="stable") if not scores.both_empty[index]]
    shown = list(dict.fromkeys([*ranked[:SHOWN], *reversed(ranked[-SHOWN:])]))

    def example(index: int, note: str) -> Example:
        return Example(scores.images[index], find(scores.images[index]), note)

    figures = [
        _histogram(f1, scores.counted, ranked, example),
        _similarities(evaluation, example),
        _curve(evaluation, curve_of(evaluation, result), ranked, example),
    ]
    if published and (table := published_for(result)):
        nearest = sorted(ranked, key=lambda index: abs(f1[index] - result["SemF1"]["Full"]))[:1]
        typical = [example(index, f"an image near the mean: SemF1 {f1[index]:.3f}") for index in nearest]
        figures.insert(0, _beside_published(result, table, typical))
    matched = [_matched(evaluation, index, float(f1[index]), find) for index in shown]
    return Page(f"Evaluation: {title}", facts_of(result), tables_of(result, published), figures, matched)


def _histogram(
    f1: NDArray[np.float64], counted: NDArray[np.bool_], ranked: Sequence[int], example: MakeExample
) -> Plot:
    ends = [ranked[0], ranked[len(ranked) // 2], ranked[-1]] if ranked else []
    words = ("the weakest", "in the middle", "the strongest")
    examples = [example(index, f"{word}: SemF1 {f1[index]:.3f}") for index, word in zip(ends, words, strict=False)]
    values: list[float] = np.sort(f1[counted]).tolist()
    caption = "Each image's F1 under the view Full, averaged over the thresholds."
    return Plot("SemF1 by image", draw_histogram(values, "SemF1 Full"), caption, examples)


def _similarities(evaluation: Evaluation, example: MakeExample) -> Plot:
    """Where matches lie against the thresholds; the examples hold the least and the most similar match."""
    matches = evaluation.scores.matches
    rows = [row for row in np.flatnonzero(matches.view == _FULL).tolist() if matches.threshold[row] <= 0]
    values = [float(matches.similarity[row]) for row in rows]
    examples: list[Example] = []
    if rows:
        for row, word in ((rows[int(np.argmin(values))], "least"), (rows[int(np.argmax(values))], "most")):
            note = f"the {word} similar match: {matches.similarity[row]:.3f}"
            examples.append(example(int(matches.image[row]), note))
    lowest = "" if evaluation.scores.rules.protocol == "released" else " at the lowest threshold"
    caption = f"BERTScore F1 under the view Full of what was matched{lowest}."
    svg = draw_histogram(values, "similarity", least=min([_LEAST, *values]))
    return Plot("Similarity of matches", svg, caption, examples)


def _curve(evaluation: Evaluation, rows: Sequence[CurveRow], ranked: Sequence[int], example: MakeExample) -> Plot:
    """With the image that loses most between the lowest and the highest published threshold, if any does."""
    at = evaluation.scores.f1[:, _FULL]
    low, high = evaluation.scores.rules.thresholds[0], evaluation.scores.rules.thresholds[-1]
    falling = [index for index in ranked if at[index, 0] > at[index, -1]]
    losers = sorted(falling, key=lambda index: float(at[index, -1] - at[index, 0]))[:1]
    examples = [
        example(index, f"falls most: F1 {at[index, 0]:.3f} at {low}, {at[index, -1]:.3f} at {high}") for index in losers
    ]
    caption = "The published metrics average 0.7, 0.8 and 0.9."
    return Plot("Over the similarity threshold", draw_threshold_curve(rows), caption, examples)


def _beside_published(result: Mapping[str, Any], table: PublishedTable, typical: Sequence[Example]) -> Plot:
    values = {name: table.figures(name)["SemF1_Full"] for name in table.rows}
    values[OWN] = float(result["SemF1"]["Full"])
    ordered = dict(sorted(values.items(), key=lambda item: -item[1]))
    limits = result.get("bootstrap", {}).get("SemF1", {}).get("Full")
    svg = draw_bars(ordered, {OWN: limits}, "SemF1 Full")
    return Plot("Beside the published systems", svg, f"Published: {table.title}.", typical)


def _matched(evaluation: Evaluation, index: int, f1: float, find: FindPicture) -> MatchedImage:
    """One image with its matching at the lowest threshold, the most similar match first."""
    pair, matches = evaluation.pairing.pairs[index], evaluation.scores.matches
    rows = [row for row in matches.of_image(index) if matches.view[row] == _FULL and matches.threshold[row] <= 0]
    rows.sort(key=lambda row: -matches.similarity[row])
    lines = [
        MatchRow(
            pair.predictions[int(matches.prediction[row])].phenomenon,
            pair.ground_truth[int(matches.ground_truth[row])].phenomenon,
            float(matches.similarity[row]),
        )
        for row in rows
    ]
    taken = {int(matches.prediction[row]) for row in rows}, {int(matches.ground_truth[row]) for row in rows}
    lines += [MatchRow(a.phenomenon, None, None) for n, a in enumerate(pair.predictions) if n not in taken[0]]
    lines += [MatchRow(None, a.phenomenon, None) for n, a in enumerate(pair.ground_truth) if n not in taken[1]]
    sides = f"{count(len(pair.predictions), 'prediction')}, {count(len(pair.ground_truth), 'ground truth')}"
    note = f"SemF1 Full {f1:.3f}; {sides}"
    return MatchedImage(pair.image, find(pair.image), note, lines)
