"""`anomagent review agreement`: how far the people who reviewed agree, and how fast they are."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomagent.cli.console import note, print_json
from anomagent.cli.options import WorkspaceOption
from anomagent.cli.review_files import RunOption, of_review
from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anomagent.report.tables import Table

_NONE = "–"
_MOST_REASONS = 12
"""Lines below a table."""
_COEFFICIENTS = {"raw": "raw", "Cohen": "cohen", "Fleiss": "fleiss", "alpha": "alpha", "AC1": "ac1"}


def agreement(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    run: RunOption = None,
    binary: Annotated[
        bool, typer.Option("--binary", help="ACCEPT against REJECT: UNSURE counts as an answer that is missing.")
    ] = False,
    bootstrap: Annotated[int, typer.Option(metavar="N", help="Resamples of the images for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Raw agreement, kappas, Krippendorff's alpha and Gwet's AC1, with 95 % intervals over images.

    Candidates of one image are not independent, so images are drawn whole; raw agreement has Wilson's interval, widened
    as much. Of all annotators, by pair, kind and source; of each annotator also how much, how fast, and how often with
    the others. Only standing answers count; adjudicators are listed apart. An undefined figure has its reason below.

    Example: `anomagent review agreement --binary`
    """
    from anomagent.cli.tables import print_tables

    try:
        from anomagent.review.agreement import agreement_report
    except ImportError as error:  # numpy
        raise ConfigurationError("agreement needs more packages: pip install 'anomagent[local]'") from error
    report = agreement_report(of_review(context, workspace), run, binary=binary, resamples=bootstrap, seed=seed)
    if json:
        print_json(report)
        return
    print_tables(_facts(report), _tables(report))
    if report["pairs_without_shared"]:
        note(f"pairs of annotators without a candidate in common: {report['pairs_without_shared']}")


def _facts(report: "Mapping[str, Any]") -> list[str]:
    whole = report["all"]
    unsure = "; UNSURE counts as missing" if report["binary"] else ""
    return [
        f"{report['candidates']} candidates with standing answers, "
        f"{whole['shared']} with answers of two or more annotators",
        f"categories: {', '.join(report['categories'])}{unsure}; intervals: 95 %, {report['resamples']} resamples, "
        f"seed {report['seed']}",
    ]


def _tables(report: "Mapping[str, Any]") -> "Iterable[Table]":
    kinds, sources, pairs = report["by_kind"], report["by_source"], report["pairs"]
    rows = [("all", report["all"]), *((f"kind: {row['title']}", row) for row in kinds)]
    rows += [(f"source: {row['source'] or 'unknown'}", row) for row in sources]
    yield _figures("Agreement of all annotators", rows)
    if pairs:
        yield _figures("Agreement by pair", [(f"{pair['first']}, {pair['second']}", pair) for pair in pairs])
    longest = f"Items per hour: an answer counts at most {report['longest_look']:.0f} s, as idle time does not."
    if report["annotators"]:
        yield _people("Annotators", "annotator", report["annotators"], ("with_others", "with_adjudicators"), longest)
    if report["adjudicators"]:
        yield _people("Adjudicators", "adjudicator", report["adjudicators"], ("with_annotators",), longest)


def _figures(title: str, groups: "Sequence[tuple[str, Mapping[str, Any]]]") -> "Table":
    from anomagent.report.tables import Row, Table

    counts = ("items", "shared", "missing")
    rows, reasons = list[Row](), list[str]()
    for name, group in groups:
        figures = {shown: group[key] for shown, key in _COEFFICIENTS.items()}
        rows.append(Row([name, *(str(group[key]) for key in counts), *map(_figure, figures.values())]))
        reasons += _reasons(name, {key: one for key, one in figures.items() if key != "Cohen" or group["raters"] == 2})
    head = ["", *counts, *_COEFFICIENTS]
    more = [f"and {len(reasons) - _MOST_REASONS} more reasons, see --json"] if len(reasons) > _MOST_REASONS else []
    kappas = "Cohen's kappa is of two annotators, Fleiss' of any number."
    return Table(title, head, rows, "\n".join([kappas, *reasons[:_MOST_REASONS], *more]))


def _reasons(name: str, figures: "Mapping[str, Mapping[str, Any]]") -> list[str]:
    """Why figures or their intervals are missing, one line a reason."""
    by_reason: dict[str, list[str]] = {}
    for what, figure in figures.items():
        if figure["reason"]:
            by_reason.setdefault(figure["reason"], []).append(what)
    return [f"{name} ({', '.join(what)}): {reason}" for reason, what in by_reason.items()]


def _figure(figure: "Mapping[str, Any]") -> str:
    if figure["value"] is None:
        return _NONE
    interval = figure["interval"]
    return f"{figure['value']:.3f}" + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "")


def _people(
    title: str, key: str, people: "Sequence[Mapping[str, Any]]", compared: "Sequence[str]", caption: str
) -> "Table":
    from anomagent.report.tables import Row, Table

    verdicts = ("answers", "accept", "reject", "unsure")
    head = [key, *verdicts, "accepted", "median s", "items/h", *(name.replace("_", " ") for name in compared)]
    rows = [
        Row(
            [
                one[key],
                *(str(one[verdict]) for verdict in verdicts),
                _share(one["accept_share"]),
                _number(one["median_seconds"], ".1f"),
                _number(one["items_per_hour"], ".0f"),
                *(_of(one[name]) for name in compared),
            ]
        )
        for one in people
    ]
    return Table(title, head, rows, caption)


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{value:.0%}"


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)


def _of(compared: "Mapping[str, Any]") -> str:
    return _NONE if compared["share"] is None else f"{compared['share']:.0%} of {compared['items']}"
