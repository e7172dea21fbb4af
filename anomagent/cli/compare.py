"""`anomagent compare`: is one system better than another on the same ground truth, or is it chance?"""

from typing import Annotated, Any

import typer

from anomagent.cli import scoring_options as options
from anomagent.cli.console import print_json
from anomagent.cli.options import WorkspaceOption, settings_of
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.cli.sides import only_part, read_side


def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="Predictions: a file, a run's id or a workspace.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Those of the other system.")],
    gt: Annotated[str, typer.Argument(metavar="GT", help="The ground truth of both.")],
    protocol: options.ProtocolOption = "released",
    rank_by: options.RankByOption = "implausibility",
    empty: options.EmptyOption = None,
    missing: options.MissingOption = "error",
    bad_entries: options.BadEntriesOption = "error",
    split: options.SplitOption = None,
    part: options.PartOption = "test",
    backbone: options.BackboneOption = "distilbert-base-uncased",
    layer: options.LayerOption = None,
    precision: options.PrecisionOption = "fp32",
    device: options.DeviceOption = "auto",
    threads: options.ThreadsOption = None,
    cache: options.CacheOption = None,
    no_cache: options.NoCacheOption = False,
    bootstrap: Annotated[
        int,
        typer.Option(min=100, max=options.MOST_RESAMPLES, metavar="N", help="Resamples of the paired bootstrap."),
    ] = 10_000,
    seed: options.SeedOption = 0,
    workspace: WorkspaceOption = None,
    json: options.JsonOption = False,
) -> None:
    """Compare two systems on one ground truth: SemAP and SemF1 of both, their difference, its interval and p-value.

    A paired bootstrap over the images that both systems have. Exit code 3: entries or analyses failed.

    Example: `anomagent compare ours.json baseline.json ground_truth.json`
    """
    settings = settings_of(workspace=workspace)
    options.check_together(
        ("--part", options.is_given(context, "part"), "--split FILE", split),
        ("--rank-by", options.is_given(context, "rank_by"), "--protocol paper", protocol == "paper"),
    )
    from anomagent.cli.scoring import Comparing
    from anomagent.evaluation.bootstrap import compare as resample
    from anomagent.evaluation.evaluate import Choices, Evaluation, evaluate
    from anomagent.evaluation.pairing import pair_up
    from anomagent.evaluation.similarity import Backbone

    chosen = Backbone(backbone, layer, precision, device)
    comparing = Comparing(chosen, cache, not no_cache, threads)
    choices = Choices(protocol, rank_by, empty, missing)
    sides = [only_part(read_side(side, settings, bad_entries), split, part) for side in (a, b, gt)]
    for side in sides[:2]:
        pair_up(side, sides[2], missing)  # what is wrong with either is said before the first takes an hour
    found: dict[str, Evaluation] = {}
    summaries: dict[str, dict[str, Any]] = {}
    for name, side in zip("ab", sides[:2], strict=True):
        before = comparing.truncated
        found[name] = evaluate(side, sides[2], comparing, chosen, choices)
        summaries[name] = {**found[name].summary(), "truncated_texts": comparing.truncated - before}
        if precision == "bf16":
            summaries[name]["precision_effect"] = comparing.precision_effect(found[name].pairing.pairs)
    result: dict[str, Any] = {
        "a": {"predictions": a, **summaries["a"]},
        "b": {"predictions": b, **summaries["b"]},
        "ground_truth": gt,
        "difference": resample(found["a"].scores, found["b"].scores, bootstrap, seed),
    }
    if json:
        print_json(result)
    else:
        from anomagent.cli.tables import print_tables
        from anomagent.report.comparison import comparison_facts, comparison_table

        print_tables(comparison_facts(result), [comparison_table(result)])
    if any(one["failures"] or one["partial"] or any(one["bad_entries"].values()) for one in summaries.values()):
        raise typer.Exit(SOMETHING_FAILED)
