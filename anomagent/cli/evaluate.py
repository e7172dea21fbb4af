"""`anomagent evaluate`: anyone's predictions against a ground truth."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomagent.cli import scoring_options as options
from anomagent.cli.console import note, print_json
from anomagent.cli.options import BaseUrlOption, WorkspaceOption, check_folder, check_writable, settings_of
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.cli.sides import only_part, pictures_for, read_side, sources_of, workspace_of
from anomagent.report.costs import count

if TYPE_CHECKING:
    from anomagent.config import Settings
    from anomagent.evaluation.evaluate import Evaluation


def evaluate(
    context: typer.Context,
    pred: Annotated[str, typer.Argument(metavar="PRED", help="Predictions: a file, a run's id or a workspace.")],
    gt: Annotated[str, typer.Argument(metavar="GT", help="The ground truth, likewise.")],
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
    deepfake: options.DeepfakeOption = None,
    answers: options.AnswersOption = None,
    published: options.PublishedOption = False,
    curve: options.CurveOption = False,
    bootstrap: options.BootstrapOption = None,
    seed: options.SeedOption = 0,
    by: options.ByOption = None,
    sources: options.SourcesOption = None,
    judge: options.JudgeOption = None,
    base_url: BaseUrlOption = None,
    human_pairs: options.HumanPairsOption = None,
    workspace: WorkspaceOption = None,
    json: options.JsonOption = False,
    out: options.OutOption = None,
    table: options.TableOption = "csv",
    html: options.HtmlOption = None,
    images: options.ImagesOption = None,
) -> None:
    """Score predictions against a ground truth: SemAP and SemF1 by phenomenon, reasoning and both.

    Severity is realism: 0 = completely implausible, 100 = fully realistic. Images are matched by base name. Exit code
    3: entries, analyses or judge calls failed; they are counted beside the figures.

    Example: `anomagent evaluate predictions.json ground_truth.json --published --bootstrap 1000`
    """
    settings = settings_of(workspace=workspace)
    options.check_together(
        ("--part", options.is_given(context, "part"), "--split FILE", split),
        ("--rank-by", options.is_given(context, "rank_by"), "--protocol paper", protocol == "paper"),
        ("--seed", options.is_given(context, "seed"), "--bootstrap N", bootstrap),
        ("--table", options.is_given(context, "table"), "--out DIR", out),
        ("--answers", answers, "--deepfake LABELS", deepfake),
        ("--sources", sources, "--by source", by and "source" in by),
        ("--human-pairs", human_pairs, "--judge MODEL", judge),
        ("--base-url", base_url, "--judge MODEL", judge),
        ("--images", images, "--html FILE", html),
    )
    check_writable(html)
    check_folder(out)
    find_picture = pictures_for(images, settings) if html else None
    from anomagent.benchmark.labels import other_files, read_labels
    from anomagent.cli.judging import Judging
    from anomagent.cli.scoring import Comparing
    from anomagent.evaluation.deepfake import add_answers, detect, keep_images, read_answers, read_verdicts
    from anomagent.evaluation.evaluate import Choices
    from anomagent.evaluation.evaluate import evaluate as score
    from anomagent.evaluation.pairing import pair_up
    from anomagent.evaluation.similarity import Backbone

    chosen = Backbone(backbone, layer, precision, device)
    comparing = Comparing(chosen, cache, not no_cache, threads)
    predictions, truth = (only_part(read_side(side, settings, bad_entries), split, part) for side in (pred, gt))
    verdicts = None
    if deepfake:
        said = add_answers(predictions, read_answers(answers)) if answers else predictions
        verdicts = read_verdicts(said, truth, read_labels(deepfake), missing)
        if others := other_files(deepfake):
            note(f"{deepfake}: {count(len(others), 'file')} not called like an image, so without a label: {others[0]}")
        predictions, truth = (keep_images(side, verdicts.chosen("ai")) for side in (said, truth))
    origins = sources_of(truth, sources) if by and "source" in by else None
    judging = Judging.of(judge, base_url, human_pairs, settings) if judge else None
    if judging:
        judging.check(pair_up(predictions, truth, missing).pairs)

    evaluation = score(predictions, truth, comparing, chosen, Choices(protocol, rank_by, empty, missing))
    result = {"predictions": pred, "ground_truth": gt, **evaluation.summary(), "truncated_texts": comparing.truncated}
    if verdicts:
        result |= detect(verdicts, evaluation.scores)
    if precision == "bf16":
        result["precision_effect"] = comparing.precision_effect(evaluation.pairing.pairs)
    if curve:
        result["curve"] = [row._asdict() for row in evaluation.curve()]
    if bootstrap is not None:
        result["bootstrap"] = _intervals(evaluation, bootstrap, seed)
    if by:
        result["by"] = _groups(evaluation, by, origins)
    judged = None
    if judging:
        result["judge"], judged = judging.report(evaluation)
    _show(result, published, json)
    # The figures may have taken hours: they are out before anything is written that may fail.
    if out:
        from anomagent.cli.score_files import write_folder

        write_folder(out, table, result, evaluation, verdicts, judged)
    if html and find_picture:
        from anomagent.report.evaluation import write_evaluation

        find = find_picture.called([*predictions.images, *truth.images])
        write_evaluation(f"{pred} against {gt}", evaluation, result, published, find, html)
    _keep(result, pred, gt, settings)
    if _failed(result):
        raise typer.Exit(SOMETHING_FAILED)


def _keep(result: "Mapping[str, Any]", pred: str, gt: str, settings: "Settings") -> None:
    """Append the result to the scores of the workspace that a side came from."""
    from anomagent.store.scores import save_score

    if workspace := workspace_of(pred, settings) or workspace_of(gt, settings):
        save_score(workspace, pred, gt, result)


def _intervals(evaluation: "Evaluation", resamples: int, seed: int) -> dict[str, Any]:
    from anomagent.evaluation.bootstrap import intervals

    return intervals(evaluation.scores, resamples, seed)


def _groups(evaluation: "Evaluation", by: list[options.Group], origins: dict[str, str] | None) -> dict[str, Any]:
    from anomagent.benchmark.kinds import kind_of
    from anomagent.evaluation.groups import group_by_kind, group_by_source

    groups: dict[str, Any] = {}
    if origins is not None:
        groups["source"] = group_by_source(evaluation.scores, origins)
    if "kind" in by:
        groups["kind"] = group_by_kind(evaluation.scores, evaluation.pairing.pairs, kind_of)
    return groups


def _show(result: "Mapping[str, Any]", published: bool, json: bool) -> None:
    from anomagent.cli.tables import print_tables
    from anomagent.report.scores import facts_of, published_of, tables_of

    if json:
        print_json({**result, "published": published_of(result)} if published else result)
    else:
        print_tables(facts_of(result), tables_of(result, published))


def _failed(result: "Mapping[str, Any]") -> bool:
    """Whether something is not in the figures because it failed; what was left out on purpose is no failure."""
    judged = result.get("judge", {}).get("failures", ())
    return bool(result["failures"] or result["partial"] or any(result["bad_entries"].values()) or judged)
