"""`anomagent dataset stats`: a data set in numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomagent.cli.console import note, print_json
from anomagent.cli.options import WorkspaceOption, check_writable, settings_of
from anomagent.cli.scoring_options import check_together
from anomagent.cli.sides import BadEntries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anomagent.benchmark.annotations import AnnotationSet
    from anomagent.config import Settings
    from anomagent.dataset.recount import Compare, Lists, Matrix, Recount
    from anomagent.store import Workspace


def stats(
    workspace: WorkspaceOption = None,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="The images of this run alone, not the whole data set.")
    ] = None,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="The parts of this split, not of all.")] = None,
    kinds: Annotated[
        bool | None,
        typer.Option(
            "--kinds/--no-kinds",
            help="Sort candidates into kinds by rules; minutes for 100,000, once: kinds are kept.",
            show_default="where at most 10,000 are new",
        ),
    ] = None,
    human: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Annotations of people, to be compared with the agents'.")
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="--human: the same is what this model says, as in `evaluate`.",
            show_default="by words alone, roughly",
        ),
    ] = None,
    layer: Annotated[int | None, typer.Option(help="--backbone: its layer, for a local directory.")] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="--human: from which similarity on.", show_default="0.55, with --backbone 0.8"),
    ] = None,
    bad_entries: Annotated[
        BadEntries, typer.Option(help="--human: entries that cannot be read: refuse the file, or leave them out.")
    ] = "error",
    published: Annotated[bool, typer.Option("--published", help="Show the paper's data set beside.")] = False,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it, as the paper's Figure 4.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a data set in numbers: images by source, annotations before and after review, severity, objects, kinds.

    Images that were filtered out do not count; an analysis that people reviewed goes before a newer one that nobody has
    looked at. Severity is realism: 0 = completely implausible.

    Example: `anomagent dataset stats --published --png figure4.png`
    """
    from anomagent.cli.tables import print_tables
    from anomagent.dataset.stats import dataset_stats
    from anomagent.report.dataset import published_stats, stats_facts, stats_tables
    from anomagent.store import Workspace

    check_together(
        ("--backbone", backbone is not None, "--human", human is not None),
        ("--threshold", threshold is not None, "--human", human is not None),
        ("--layer", layer is not None, "--backbone", backbone is not None),
    )
    check_writable(png)
    settings = settings_of(workspace=workspace)
    store = Workspace.open(settings.workspace, create=False)
    people = _people(human, settings, bad_entries)
    found: dict[str, Any] = dataset_stats(store, run, split, kinds).as_json()
    if people is not None:
        found["human"] = _compare(store, run, people, backbone, layer, threshold)
    if found["kinds"] is None and kinds is None:
        note(f"kinds are left out: {found['candidates']['all']:,} candidates take a while; --kinds counts them")
    if json:
        print_json(found | ({"published": published_stats()} if published else {}))
    else:
        print_tables(stats_facts(found), stats_tables(found, published))
    if png:
        from anomagent.report.dataset_plots import write_stats_plot

        write_stats_plot(found, png)
        note(f"wrote {png}")


def _people(human: Path | None, settings: "Settings", bad_entries: BadEntries) -> "AnnotationSet | None":
    from anomagent.cli.sides import read_side

    return None if human is None else read_side(str(human), settings, bad_entries)


def _compare(
    store: "Workspace",
    run: str | None,
    people: "AnnotationSet",
    backbone: str | None,
    layer: int | None,
    threshold: float | None,
) -> dict[str, Any]:
    """What people found against the agents' candidates, and against those that were accepted."""
    from anomagent.dataset.recount import BACKBONE_THRESHOLD, WORDS_THRESHOLD, compare_words, recount
    from anomagent.store.annotations import annotations_of

    compare: Compare = compare_words if backbone is None else _by_backbone(backbone, layer)
    least = threshold if threshold is not None else BACKBONE_THRESHOLD if backbone else WORDS_THRESHOLD
    theirs = _lists(people)
    sides: dict[str, Any] = {}
    for side in ("before", "after"):
        agents = _lists(annotations_of(store, run, accepted=side == "after", kept=True))
        sides[side] = _facts(recount(agents, theirs, compare, least))
        if side == "before":
            sides |= {
                "only_human": len(theirs.keys() - agents.keys()),
                "only_agent": len(agents.keys() - theirs.keys()),
            }
    similarity = "likeness of words" if backbone is None else f"BERTScore F1 ({backbone})"
    return {**sides, "similarity": similarity, "threshold": least}


def _lists(annotations: "AnnotationSet") -> "dict[str, Any]":
    """The lists by base name; images that failed have none."""
    return {name: one.anomalies for name, one in annotations.by_base_name().items() if one.failure is None}


def _facts(counts: "Recount") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(counts) | {"human_share": counts.human_share, "agent_share": counts.agent_share}


def _by_backbone(backbone: str, layer: int | None) -> "Compare":
    """The evaluation's similarity, phenomenon and reasoning alike."""
    from anomagent.cli.scoring import Comparing
    from anomagent.evaluation.pairs import VIEWS, Pair
    from anomagent.evaluation.similarity import Backbone

    comparing = Comparing(Backbone(backbone, layer), None, False, None)

    def compare(images: "Sequence[Lists]") -> "Iterable[Matrix]":
        pairs = [Pair(str(place), agents, people) for place, (agents, people) in enumerate(images)]
        return [similarity.fused(VIEWS["Full"]).tolist() for similarity in comparing(pairs)]

    return compare
