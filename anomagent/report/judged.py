"""What a judge said of an evaluation's anomalies, as tables."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from anomagent.report.costs import count, describe_usage
from anomagent.report.tables import Row, Table
from anomagent.state.findings import UsageTotals

_RATERS: Final = {"bertscore": "BERTScore", "human": "people"}
"""What tables call a rater; others keep their name."""
_AGREEMENT_HEAD: Final = ("", "pairs", "raw", "Cohen's\nkappa", "note")
_KAPPA: Final = "Where a side says the same of every pair, kappa is 0 or undefined, however often the two agree."


def judge_tables(judge: Mapping[str, Any], own: str) -> Iterator[Table]:
    """SemF1 under the judge, "–" where there is none, and how far judge, BERTScore and people agree."""
    micro: Mapping[str, float] = judge["micro"] or {}
    figures = (judge["SemF1"], *(micro.get(name) for name in ("precision", "recall", "F1")))
    cells = ("–" if figure is None else f"{figure:.4f}" for figure in figures)
    head = ("", "SemF1", "micro P", "micro R", "micro F1")
    yield Table(f"SemF1 judged by {judge['model']}", head, [Row((own, *cells), own=True)], _caption(judge))
    if judge["SemF1"] is not None:
        yield Table("Agreement on what is the same anomaly", _AGREEMENT_HEAD, list(_agreements(judge)), _KAPPA)


def _caption(judge: Mapping[str, Any]) -> str:
    images = judge["images"]
    means = f"{judge['note']}." if judge["note"] else _means(images, judge["empty"])
    return (
        f"{means} {count(images['judged'], 'image')} judged, {images['failed']} failed and in no figure. "
        f"{describe_usage(UsageTotals.model_validate(judge['usage']))}."
    )


def _means(images: Mapping[str, int], rule: str) -> str:
    return (
        f"SemF1 is the mean over {count(images['in_means'], 'image')}; with one side empty (0, not asked): "
        f"{images['one_empty']}; empty on both sides (rule: {rule}): {images['both_empty']}."
    )


def _agreements(judge: Mapping[str, Any]) -> Iterator[Row]:
    for value, found in judge["agreement"].items():
        yield _agreement(f"judge and BERTScore ≥ {value}", found)
    matchings: Mapping[str, Mapping[str, Any]] = judge["matching_agreement"] or {}
    for value, found in matchings.items():
        yield _agreement(f"their matchings, ≥ {value}", found)
    if people := judge["human"]:
        yield _agreement("people and judge", people["judge"])
        for value, found in people["bertscore"].items():
            yield _agreement(f"people and BERTScore ≥ {value}", found)


def _agreement(title: str, found: Mapping[str, Any]) -> Row:
    raw, kappa = ("–" if found[name] is None else f"{found[name]:.3f}" for name in ("raw", "kappa"))
    return Row((title, str(found["pairs"]), raw, kappa, ",\n".join(_one_sided(found))))


def _one_sided(found: Mapping[str, Any]) -> Iterator[str]:
    """Which of the two raters says the same of every pair."""
    names = [key.removesuffix("_only") for key in found if key.endswith("_only")]
    for name in names if found["pairs"] else ():
        said_yes = found["both"] + found[f"{name}_only"]
        if said_yes in (0, found["pairs"]):
            yield f"{_RATERS.get(name, name)} always {'yes' if said_yes else 'no'}"
