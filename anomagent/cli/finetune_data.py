"""`anomagent finetune data`: instances to learn from, with a report of what they are."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from anomagent.cli.console import note, print_json
from anomagent.cli.finetune_shown import note_left_out, print_report
from anomagent.cli.options import WorkspaceOption, settings_of
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.cli.scoring import progress_bar
from anomagent.cli.scoring_options import check_together
from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from anomagent.finetune.exports import Format
    from anomagent.finetune.from_files import Pair

SOURCES = "What to learn from"
FAULTS = "What becomes of what does not fit"

Mode = Literal["error", "skip"]


def data(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="DIR|HUB_ID", help="Whose tokenizer counts; embedded is one.")
    ],
    recipe: Annotated[
        Literal["single", "two-turn"],
        typer.Option(help="single: the anomalies. two-turn: is it AI-generated, then the anomalies or a description."),
    ] = "single",
    workspace: WorkspaceOption = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Of this run alone.", rich_help_panel=SOURCES)] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Annotations instead of a workspace, any shape.", rich_help_panel=SOURCES),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR|MANIFEST", help="The images of --annotations.", rich_help_panel=SOURCES),
    ] = None,
    real: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Descriptions of real images, beside either.", rich_help_panel=SOURCES),
    ] = None,
    real_images: Annotated[
        Path | None, typer.Option(metavar="DIR|MANIFEST", help="The images of --real.", rich_help_panel=SOURCES)
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Train, val and test apart.", rich_help_panel=SOURCES),
    ] = None,
    allow: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only images of these names.", rich_help_panel=SOURCES)
    ] = None,
    wordings: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Wordings of the questions.", show_default="all")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Decides orders and wordings.")] = 0,
    empty: Annotated[
        Literal["keep", "skip"],
        typer.Option(help="Images all of whose candidates were rejected, or where there was none."),
    ] = "keep",
    max_tokens: Annotated[
        int, typer.Option(min=64, metavar="N", help="Of an instance, image included; longer ones are split.")
    ] = 4_096,
    min_pixels: Annotated[int, typer.Option(min=784, metavar="N", help="Smaller images are scaled up.")] = 50_176,
    max_pixels: Annotated[int, typer.Option(min=784, metavar="N", help="Larger ones are scaled down.")] = 614_656,
    export: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,...", help="Also for llama-factory, ms-swift, trl, axolotl, llava, or all."),
    ] = None,
    preferences: Annotated[
        bool, typer.Option("--preferences", help="Pairs of what was accepted and rejected, for LLaMA-Factory and TRL.")
    ] = False,
    missing: Annotated[
        Mode, typer.Option(help="Images that are missing or damaged.", rich_help_panel=FAULTS)
    ] = "error",
    bad_entries: Annotated[
        Mode, typer.Option(help="Entries with empty fields or control tokens.", rich_help_panel=FAULTS)
    ] = "error",
    too_long: Annotated[
        Mode, typer.Option(help="An anomaly that alone exceeds --max-tokens.", rich_help_panel=FAULTS)
    ] = "error",
    leakage: Annotated[
        Literal["error", "drop"],
        typer.Option(help="Images that a later part has as well; drop: from the earlier one.", rich_help_panel=FAULTS),
    ] = "error",
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report, OUT/data.json, as one JSON object.")] = False,
) -> None:
    """Make instances for fine-tuning: of a workspace what people accepted, or annotations from files.

    An image's anomalies are in one instance, in random order, and in several only where --max-tokens asks for it; none
    is ever cut. OUT gets train.jsonl (and val.jsonl, test.jsonl), data.json, samples.md and the exports. Equal input
    gives equal bytes. Exit code 3: something was left out that is wrong with the input.

    Example: `anomagent finetune data data --recipe single --split default --model Qwen/Qwen2.5-VL-7B-Instruct`
    """
    check_together(
        ("--images", images, "--annotations", annotations),
        ("--annotations", annotations, "--images", images),
        ("--real-images", real_images, "--real", real),
        ("--real", real, "--real-images", real_images),
    )
    if annotations and (workspace or run):
        raise ConfigurationError("--annotations and --workspace or --run exclude each other; choose one")
    if missing_packages := [name for name in ("numpy", "torch", "transformers") if find_spec(name) is None]:
        raise ConfigurationError(f"finetune data needs {missing_packages[0]}: pip install 'anomagent[local]'")
    from anomagent.finetune.conversations import Choices
    from anomagent.finetune.data import make_data
    from anomagent.finetune.order import Order
    from anomagent.finetune.tokens import TokenCounter
    from anomagent.prompts.anomaly_reporter import WORDINGS
    from anomagent.store import Workspace

    if wordings is not None and wordings > len(WORDINGS):
        raise ConfigurationError(f"--wordings {wordings}: there are {len(WORDINGS)}")
    choices = Choices(recipe, wordings or len(WORDINGS), seed, max_tokens, empty == "keep")
    place = settings_of(workspace=workspace).workspace
    order = Order(
        workspace=None if annotations else Workspace.open(place, create=False),
        run_id=run,
        annotations=_pair(annotations, images),
        real=_pair(real, real_images),
        split=split,
        allow=allow,
        choices=choices,
        min_pixels=min_pixels,
        max_pixels=max_pixels,
        formats=_formats(export),
        preferences=preferences,
        missing=missing,
        bad_entries=bad_entries,
        too_long=too_long,
        leakage=leakage,
    )
    counter = TokenCounter.load(model, min_pixels, max_pixels)
    with _progress() as told:
        report = make_data(out, order, counter, force, told)
    if json:
        print_json(report)
    else:
        print_report(report)
    note(f"wrote {out}: {', '.join(f'{part}.jsonl' for part in report['parts'])}, data.json, samples.md")
    if note_left_out(report):
        raise typer.Exit(SOMETHING_FAILED)


def _pair(said: Path | None, images: Path | None) -> "Pair | None":
    from anomagent.finetune.from_files import Pair

    return Pair(said, images) if said and images else None


def _formats(texts: list[str] | None) -> "tuple[Format, ...]":
    """`trl,llava` as formats, `all` as all of them. Raises `ConfigurationError`."""
    from anomagent.finetune.exports import FORMATS, Format

    names = [name.strip() for text in texts or [] for name in text.split(",")]
    if "all" in names:
        return tuple(FORMATS)
    known = [str(format) for format in FORMATS]
    if strange := [name for name in names if name not in known]:
        raise ConfigurationError(f"--export: no trainer {strange[0]!r}; known: all, {', '.join(known)}")
    return tuple(Format(name) for name in known if name in names)


@contextmanager
def _progress() -> Generator[Callable[[str, int, int], None]]:
    """One bar after the other, as the work comes to what it is called."""
    with ExitStack() as stack:
        task, show = "", None

        def told(what: str, done: int, total: int) -> None:
            nonlocal task, show
            if what != task or show is None:
                stack.close()
                task, show = what, stack.enter_context(progress_bar(what))
            show(done, total)

        yield told
