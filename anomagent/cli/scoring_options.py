"""The options of `evaluate` and `compare`, and which of them belong together."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from anomagent.cli.sides import BadEntries
from anomagent.errors import ConfigurationError

MOST_RESAMPLES = 1_000_000
"""More change no digit that is shown, and take memory without end."""
SCORING, SIMILARITY, BESIDE, OUTPUT = "Scoring", "Similarity", "Beside the figures", "Output"


def check_together(*rules: tuple[str, object, str, object]) -> None:
    """Options that mean nothing alone: each, whether it is given, what it belongs to, and whether that is there.

    Raises `ConfigurationError`.
    """
    for option, given, needed, there in rules:
        if given and not there:
            raise ConfigurationError(f"{option} belongs to {needed}; add it, or leave {option} out")


def is_given(context: typer.Context, *names: str) -> bool:
    """Whether the user wrote one of these options, be it with the default's value."""
    sources = (context.get_parameter_source(name) for name in names)
    return any(source is not None and source.name == "COMMANDLINE" for source in sources)


ProtocolOption = Annotated[
    Literal["released", "paper"],
    typer.Option(help="released: the authors' evaluator; paper: its Appendix C.", rich_help_panel=SCORING),
]
RankByOption = Annotated[
    Literal["implausibility", "listed"],
    typer.Option(help="Confidence under paper: 100 - severity, or the order in the file.", rich_help_panel=SCORING),
]
EmptyOption = Annotated[
    Literal["score", "zero", "skip"] | None,
    typer.Option(
        help="An image with nothing on both sides: 1, 0, or left out.",
        show_default="score under paper, zero under released",
        rich_help_panel=SCORING,
    ),
]
MissingOption = Annotated[
    Literal["error", "empty", "skip"],
    typer.Option(help="Images in only one file: refuse, score as empty, leave out.", rich_help_panel=SCORING),
]
BadEntriesOption = Annotated[
    BadEntries,
    typer.Option(help="Entries that cannot be read: refuse the file, or leave them out.", rich_help_panel=SCORING),
]
SplitOption = Annotated[
    Path | None,
    typer.Option("--split", metavar="FILE", help="Only the images of a split's part.", rich_help_panel=SCORING),
]
PartOption = Annotated[str, typer.Option(help="The part of --split.", rich_help_panel=SCORING)]
BackboneOption = Annotated[
    str,
    typer.Option(help="BERTScore's model: a published name or a local directory.", rich_help_panel=SIMILARITY),
]
LayerOption = Annotated[
    int | None,
    typer.Option(help="Its layer; needed for a local directory.", rich_help_panel=SIMILARITY, show_default="published"),
]
PrecisionOption = Annotated[
    Literal["fp32", "bf16"],
    typer.Option(help="bf16 is faster where it is supported; its effect is printed.", rich_help_panel=SIMILARITY),
]
DeviceOption = Annotated[
    str, typer.Option(help="cpu, cuda, mps; auto takes a CUDA GPU where there is one.", rich_help_panel=SIMILARITY)
]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="Processor threads.", rich_help_panel=SIMILARITY)]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="Where embeddings of ground truths are kept for the next system.",
        show_default="~/.cache/anomagent/embeddings",
        rich_help_panel=SIMILARITY,
    ),
]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Keep no embeddings on disk.", rich_help_panel=SIMILARITY)
]

DeepfakeOption = Annotated[
    Path | None,
    typer.Option(metavar="LABELS", help="Also Acc, CSemAP, CSemF1; LABELS: a file or folder.", rich_help_panel=BESIDE),
]
AnswersOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="The yes/no answers, where PRED has none; CSV: image, answer.", rich_help_panel=BESIDE
    ),
]
PublishedOption = Annotated[
    bool, typer.Option("--published", help="Show the published systems beside.", rich_help_panel=BESIDE)
]
CurveOption = Annotated[bool, typer.Option("--curve", help="Thresholds 0.5 to 0.95.", rich_help_panel=BESIDE)]
BootstrapOption = Annotated[
    int | None,
    typer.Option(
        min=100,
        max=MOST_RESAMPLES,
        metavar="N",
        help="95 % intervals from N resamples, 100 or more.",
        rich_help_panel=BESIDE,
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the resamples.", rich_help_panel=BESIDE)]


class Group(StrEnum):
    """What scores can be shown by."""

    SOURCE = "source"
    KIND = "kind"


ByOption = Annotated[list[Group] | None, typer.Option(help="Scores by group.", rich_help_panel=BESIDE)]
SourcesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A table of image and source, for --by source.",
        rich_help_panel=BESIDE,
        show_default="folders in GT",
    ),
]
JudgeOption = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="A model says which anomalies are the same.", rich_help_panel=BESIDE),
]
HumanPairsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Pairs that people judged, for --judge: image, prediction, ground_truth, same.",
        rich_help_panel=BESIDE,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel=OUTPUT)]
OutOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write result.json and every table behind it there.", rich_help_panel=OUTPUT),
]
TableOption = Annotated[
    Literal["csv", "parquet"], typer.Option(help="Form of the tables in --out.", rich_help_panel=OUTPUT)
]
HtmlOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write a self-contained page.", rich_help_panel=OUTPUT)
]
ImagesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where the page's example images lie.",
        rich_help_panel=OUTPUT,
        show_default="the workspace",
    ),
]
