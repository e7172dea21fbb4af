"""`anomagent audit`: image generators compared by the anomalies of their images."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from anomagent.cli import scoring_options as scoring
from anomagent.cli.console import print_json
from anomagent.cli.options import (
    BaseUrlOption,
    ModelOption,
    RolesOption,
    WorkspaceOption,
    check_writable,
    settings_of,
)
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.cli.scoring import note_some
from anomagent.cli.sides import pictures_for
from anomagent.errors import UsageError

if TYPE_CHECKING:
    from anomagent.cli.audit_sides import Sides
    from anomagent.report.pictures import FindPicture
    from anomagent.state.findings import Anomaly


def audit(
    paths: Annotated[
        list[str], typer.Argument(metavar="[NAME=]PATH", help="A prediction file, a run's id, a workspace, or images.")
    ],
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For results: a table of image, prompt and generator."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For images: a list of prompts by id.", show_default="beside the images"),
    ] = None,
    bad_entries: scoring.BadEntriesOption = "error",
    bootstrap: Annotated[
        int, typer.Option(max=scoring.MOST_RESAMPLES, metavar="N", help="Resamples of the 95 % intervals.")
    ] = 2000,
    seed: scoring.SeedOption = 0,
    kinds: Annotated[str, typer.Option(metavar="rules|MODEL", help="Who assigns the kinds of anomalies.")] = "rules",
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The --json of another assessor's audit: rank agreement.")
    ] = None,
    published: scoring.PublishedOption = False,
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    roles: RolesOption = None,
    schedule: Annotated[
        Literal["paper", "lean", "direct"] | None, typer.Option(help="As in `anomagent run`.", show_default="paper")
    ] = None,
    concurrency: Annotated[int | None, typer.Option(help="Calls in flight at once.", show_default="8")] = None,
    workspace: WorkspaceOption = None,
    json: scoring.JsonOption = False,
    html: scoring.HtmlOption = None,
    images: scoring.ImagesOption = None,
) -> None:
    """Compare generators: MAI, AF, CAP with intervals, images without anomaly, kinds, common prompts. Lower is better.

    Images may lie in a folder per generator, in the output folders of GenEval, T2I-CompBench, WISE or ImageReward, or
    in a table of image, prompt, generator; they are analysed with --model, and nothing is paid twice. Exit code 3:
    images or entries failed, or a manifest lists images without a result; they are counted and in no mean.

    Example: `anomagent audit sana=sana.json flux=flux.json --published --html audit.html`
    """
    settings = settings_of(
        roles, model=model, base_url=base_url, schedule=schedule, concurrency=concurrency, workspace=workspace
    )
    scoring.check_together(("--images", images, "--html FILE", html))
    check_writable(html)
    find_picture = pictures_for(images, settings) if html else None
    from anomagent.audit.audit import audit as audit_generators
    from anomagent.cli.audit_sides import Reader
    from anomagent.cli.kinds import Kinds
    from anomagent.statistics.resampling import check_resampling

    check_resampling(bootstrap, seed)
    other = _read_audit(against) if against else None
    naming = Kinds.of(kinds, base_url, settings)
    sides = Reader(settings, bad_entries, manifest, prompts).read(paths)
    kind_of = naming.assign([generator.annotations for generator in sides.generators])
    result = audit_generators(sides.generators, resamples=bootstrap, seed=seed, kind_of=kind_of)
    usage = naming.usage and naming.usage.model_dump()
    result |= {"kinds_by": kinds, "kinds_failed": naming.failed, "kinds_usage": usage}
    result |= {"manifest": sides.coverage() if manifest else None}
    for entry in result["generators"]:
        entry["without_result"] = len(sides.without_result.get(entry["generator"], ()))
    result |= _agreements(result, other, published)
    if json:
        print_json(result)
    else:
        from anomagent.cli.tables import print_tables
        from anomagent.report.audit import facts_of, tables_of

        print_tables(facts_of(result), tables_of(result))
    _name_failures(sides)
    if html and find_picture:
        _write_page(result, sides, kind_of, find_picture, html)
    if _failed(result):
        raise typer.Exit(SOMETHING_FAILED)


def _read_audit(file: Path) -> "dict[str, dict[str, float]]":
    """Another audit's measures. Raises `UsageError` where the file holds none."""
    from anomagent.audit.agreement import audited_measures
    from anomagent.benchmark.documents import as_object, read_document

    value = read_document(file).value
    try:
        return audited_measures(as_object(value))
    except (UsageError, ValueError) as error:
        raise UsageError(f"{file}: is no result of an audit; give what `anomagent audit --json` printed") from error


def _agreements(
    result: "Mapping[str, Any]", other: "dict[str, dict[str, float]] | None", published: bool
) -> dict[str, Any]:
    """Rank agreement with another audit and with the published assessors, and the published figures themselves."""
    from anomagent.audit.agreement import agreement, audited_measures, published_measures
    from anomagent.benchmark.published import published_audit

    ours = audited_measures(result)
    found: dict[str, Any] = {}
    if other is not None:
        found["agreement"] = agreement(ours, other)
    if published:
        table = published_audit()
        rows = {name: table.figures(name) for name in table.rows}
        found["published"] = rows
        found["published_agreement"] = {
            assessor: agreement(ours, published_measures(rows, assessor)) for assessor in ("AnomReasonor", "AnomAgent")
        }
    return found


def _write_page(
    result: "Mapping[str, Any]",
    sides: "Sides",
    kind_of: "Callable[[Anomaly], str]",
    find_picture: "FindPicture",
    html: Path,
) -> None:
    from anomagent.report.audit import write_audit
    from anomagent.report.html import picture_url
    from anomagent.report.pictures import EXAMPLE_PIXELS, pictures_by_generator

    path_of = pictures_by_generator(find_picture, {each.name: each.annotations.images for each in sides.generators})

    def find(generator: str, key: str) -> str | None:
        path = sides.pictures.get((generator, key)) or path_of(generator, key)
        return picture_url(path, EXAMPLE_PIXELS) if path else None

    write_audit(result, sides.generators, kind_of, find, html)


def _failed(result: "Mapping[str, Any]") -> bool:
    """Whether something is not in the figures because it failed."""
    in_images = any(entry["failures"] or entry["partial"] or entry["bad_entries"] for entry in result["generators"])
    not_covered = any(entry["without_result"] for entry in result["generators"])
    return bool(in_images or not_covered or result["kinds_failed"])


def _name_failures(sides: "Sides") -> None:
    """Say which images failed and why, a few of each generator; all of them are counted in the result."""
    for generator in sides.generators:
        failed = [image for image in generator.annotations.images.values() if image.failure is not None]
        note_some(generator.name, [f"{image.key} failed: {image.failure}" for image in failed])
        partial = [image for image in generator.annotations.images.values() if image.partial is not None]
        note_some(generator.name, [f"{image.key} failed in part: {image.partial}" for image in partial])
