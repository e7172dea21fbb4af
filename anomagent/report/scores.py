"""The figures of an evaluation as facts and tables, for the terminal and for a page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anomagent.benchmark.published import PublishedTable, published_deepfake, published_since, published_table
from anomagent.evaluation.similarity.backbone import KNOWN_LAYERS
from anomagent.report.costs import count
from anomagent.report.judged import judge_tables
from anomagent.report.tables import Row, Table

VIEWS = ("Phe", "Rea", "Full")
OWN = "these predictions"
HEAD = ("", *(f"SemAP\n{view}" for view in VIEWS), *(f"SemF1\n{view}" for view in VIEWS))
_DETECTION_HEAD = ("", "Acc %", *(f"CSemAP\n{view}" for view in VIEWS), *(f"CSemF1\n{view}" for view in VIEWS))
_DEEPFAKE = "AnomReason-Deepfake"
"""The benchmark of later deepfake results."""
_OTHER_PROTOCOL = "The published figures fit the protocol released, not the one of these figures."
_BAR = 10
"""Characters of a bar that means 1."""


def facts_of(result: Mapping[str, Any]) -> list[str]:
    """What a reader must know before the figures: protocol, similarity, coverage and failures."""
    empty, missing, bad = result["empty"], result["missing"], result["bad_entries"]
    ranked = f", ranked by {result['rank_by']}" if result["rank_by"] else ""
    in_split = f", {missing['only_split']} of the split in neither" if missing.get("only_split") else ""
    lines = [
        f"Protocol {result['protocol']}{ranked}; similarity BERTScore F1 by {result['backbone']}, layer "
        f"{result['layer']}; thresholds {', '.join(map(str, result['thresholds']))}.",
        f"{count(result['images'], 'image')} in the means; empty on both sides {empty['both']} (rule: {empty['rule']}),"
        f" without predictions {empty['predictions']}, without ground truth {empty['ground_truth']}.",
        f"Only in one file: {missing['only_predictions']} predicted, {missing['only_ground_truth']} true{in_split} "
        f"(rule: {missing['rule']}); analyses failed {missing['failed']}, in part {len(result['partial'])}; entries "
        f"left out {bad['predictions']} predicted, {bad['ground_truth']} true; texts cut at the backbone's limit "
        f"{result.get('truncated_texts', 0)}.",
    ]
    if "Acc" in result:
        lines.append(_among_which(result))
    if effect := result.get("precision_effect"):
        lines.append(
            f"bf16 moves BERTScore F1 by at most {effect['largest']:.1e}, {effect['mean']:.1e} on average "
            f"({count(effect['comparisons'], 'comparison')} measured in both)."
        )
    return lines


def _among_which(result: Mapping[str, Any]) -> str:
    real = sum(result["confusion"]["real"].values())
    return (
        f"SemAP and SemF1 are over the {count(result['images'], 'image')} labelled AI; {count(real, 'real image')} "
        f"{'is' if real == 1 else 'are'} judged in 'Deepfake detection' only."
    )


def tables_of(result: Mapping[str, Any], published: bool) -> list[Table]:
    """Every table that the result has figures for."""
    tables = [_main(result, published), _by_threshold(result), _pooled(result)]
    if "Acc" in result:
        tables.append(_detection(result, published))
    if "curve" in result:
        tables.append(_curve(result["curve"]))
    tables.extend(_by(result.get("by", {})))
    if "judge" in result:
        tables.extend(judge_tables(result["judge"], OWN))
    return tables


def published_for(result: Mapping[str, Any]) -> PublishedTable | None:
    """The published table whose similarity is the result's: the hub's model, at the published layer.

    A local directory, whose name begins with "/", "." or "~", may hold anything, whatever it is called.
    """
    name: str = result["backbone"]
    table = None if name.startswith(("/", ".", "~")) else published_table(name)
    return table if table and KNOWN_LAYERS[table.backbone or name] == result["layer"] else None


def published_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """The published tables that the result compares with, by title: for each system its figures."""
    tables = [published_for(result), published_deepfake() if "Acc" in result else None]
    return {table.title: {name: table.figures(name) for name in table.rows} for table in tables if table}


def metric_cells(figures: Mapping[str, Mapping[str, float]], names: Sequence[str] = ("SemAP", "SemF1")) -> list[str]:
    """The metrics by view, to four places as they are published."""
    return [f"{figures[name][view]:.4f}" for name in names for view in VIEWS]


def _table(title: str, head: Sequence[str], rows: Sequence[tuple[Sequence[str], bool]], caption: str = "") -> Table:
    return Table(title, head, [Row(cells, own) for cells, own in rows], caption)


def _main(result: Mapping[str, Any], published: bool) -> Table:
    rows: list[tuple[Sequence[str], bool]] = [((OWN, *metric_cells(result)), True)]
    if limits := result.get("bootstrap"):
        for end, words in enumerate(("95 % interval, from", "to")):
            cells = [f"{limits[name][view][end]:.4f}" for name in ("SemAP", "SemF1") for view in VIEWS]
            rows.append(((words, *cells), True))
    captions = [limits["note"].capitalize() + "."] if limits and limits["note"] else []
    if published:
        table = published_for(result)
        captions.append(f"Published: {table.title}." if table else "Nothing is published for this backbone and layer.")
        if table and result["protocol"] != "released":
            captions.append(_OTHER_PROTOCOL)
        for name, figures in table.rows.items() if table else ():
            rows.append(((name, *(f"{figure:.4f}" for figure in figures)), False))
    return _table("SemAP and SemF1", HEAD, rows, " ".join(captions))


def _by_threshold(result: Mapping[str, Any]) -> Table:
    rows: list[tuple[Sequence[str], bool]] = []
    for threshold, views in result["by_threshold"].items():
        figures = {name: {view: views[view][name] for view in VIEWS} for name in ("SemAP", "SemF1")}
        rows.append(((threshold, *metric_cells(figures)), False))
    return _table("By threshold", ("threshold", *HEAD[1:]), rows)


def _pooled(result: Mapping[str, Any]) -> Table:
    names = ("TP", "FP", "FN", "precision", "recall", "F1")
    rows: list[tuple[Sequence[str], bool]] = [
        ((f"{threshold} {view}", *(_figure(views[view][name]) for name in names)), False)
        for threshold, views in result["micro"].items()
        for view in VIEWS
    ]
    return _table("Pooled over all images (micro)", ("threshold, view", *names), rows)


def _figure(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _detection(result: Mapping[str, Any], published: bool) -> Table:
    names = ("CSemAP", "CSemF1")
    everything = result["all_images"]
    rows: list[tuple[Sequence[str], bool]] = [
        ((f"{OWN}, AI images", f"{100 * result['Acc']:.2f}", *metric_cells(result, names)), True),
        ((f"{OWN}, all images", "", *metric_cells(everything, names)), True),
    ]
    by_class = ", ".join(
        f"{name} {'no image' if value is None else f'{100 * value:.2f} %'}"
        for name, value in result["Acc_by_class"].items()
    )
    caption = (
        f"Acc by class: {by_class}. {count(result['judged'], 'image')} judged, "
        f"{count(result['unrecognised'], 'answer')} unrecognised, {result['unanswered']} without an answer, "
        f"{result['unlabelled']} without a label, {count(result.get('unscored', 0), 'AI image')} without anomalies to "
        "score."
    )
    if published:
        table = published_deepfake()
        caption += f" Published: {table.title} (distilbert-base-uncased)."
        caption += f" {_OTHER_PROTOCOL}" if result["protocol"] != "released" else ""
        rows += [((name, f"{row[0]:.2f}", *(f"{x:.4f}" for x in row[1:])), False) for name, row in table.rows.items()]
        rows += [_later(name, figures) for name, figures in published_since().get(_DEEPFAKE, {}).items()]
    return _table("Deepfake detection", _DETECTION_HEAD, rows, caption)


def _later(name: str, figures: Mapping[str, float]) -> tuple[Sequence[str], bool]:
    """A later paper's row, which gives only some of the figures."""
    cells = [figures.get(f"{metric}_{view}") for metric in ("CSemAP", "CSemF1") for view in VIEWS]
    shown = ("–" if cell is None else f"{cell:.4f}" for cell in cells)
    return (name, f"{figures['Acc_percent']:.2f}", *shown), False


def _curve(points: Sequence[Mapping[str, Any]]) -> Table:
    by_threshold: dict[float, dict[str, Mapping[str, Any]]] = {}
    for point in points:
        by_threshold.setdefault(point["threshold"], {})[point["view"]] = point
    rows: list[tuple[Sequence[str], bool]] = []
    for threshold, views in by_threshold.items():
        figures = {name: {view: views[view][name] for view in VIEWS} for name in ("SemAP", "SemF1")}
        bar = "█" * round(_BAR * figures["SemF1"]["Full"])
        rows.append(((f"{threshold:.2f}", *metric_cells(figures), bar.ljust(_BAR)), False))
    return _table("Over the similarity threshold", ("threshold", *HEAD[1:], "SemF1\nFull"), rows)


def _by(groups: Mapping[str, Mapping[str, Any]]) -> Iterator[Table]:
    for source_or_kind, found in groups.items():
        if source_or_kind == "source":
            rows = [
                ((name, str(group["images"]), *(metric_cells(group) if group["images"] else [""] * 6)), False)
                for name, group in found.items()
            ]
            yield _table("By source", ("source", "images", *HEAD[1:]), rows)
        else:
            rows = [((name, *_kind_cells(group)), False) for name, group in found.items()]
            head = ("kind", "pred.", "true", "P\nFull", "R\nFull", *(f"F1\n{view}" for view in VIEWS))
            caption = (
                "Pooled over images, averaged over the thresholds; precision of predictions and recall of ground "
                "truths of the kind."
            )
            yield _table("By kind of anomaly", head, rows, caption)


def _kind_cells(group: Mapping[str, Any]) -> list[str]:
    full = [group["Full"][name] for name in ("precision", "recall")]
    figures = [f"{figure:.4f}" for figure in (*full, *(group[view]["F1"] for view in VIEWS))]
    return [str(group["predictions"]), str(group["ground_truth"]), *figures]
