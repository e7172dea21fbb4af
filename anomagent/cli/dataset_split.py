"""`anomagent dataset split` and `leakage`: parts that stay, and what they have in common that they should not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from anomagent.cli.console import complain, note, plain, print_json, stdout
from anomagent.cli.dataset_dedupe import check_packages
from anomagent.cli.leakage_shown import print_leakage
from anomagent.cli.options import WorkspaceOption, settings_of
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.cli.scoring import progress_bar
from anomagent.errors import ConfigurationError
from anomagent.report.costs import count

if TYPE_CHECKING:
    from collections.abc import Collection

    from anomagent.dataset.leakage import Kind
    from anomagent.dataset.leakage_sources import Source
    from anomagent.dataset.split import Split

_GROUPS = ("near-duplicates", "prompts")

NameOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Which split; any number may stand side by side.", show_default="default"),
]
DistanceOption = Annotated[
    int | None,
    typer.Option(
        min=0, max=16, metavar="BITS", help="Bits of 64 in which near-duplicates differ at most.", show_default="6"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def split(
    workspace: WorkspaceOption = None,
    name: NameOption = None,
    ratio: Annotated[
        str | None,
        typer.Option(
            metavar="PART=X,...",
            help="Shares of train, test, val, validation or dev.",
            show_default="train=0.5,test=0.5",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Another seed, another split.", show_default="0")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="KIND,...", help="What stays on one side, or none.", show_default="near-duplicates,prompts"
        ),
    ] = None,
    distance: DistanceOption = None,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help='An official split, {"train": [names], "test": [names]}; whole or base names.'
        ),
    ] = None,
    unknown: Annotated[
        Literal["error", "skip"], typer.Option(help="Names in --file that no image of the workspace has.")
    ] = "error",
    unlisted: Annotated[
        Literal["error", "leave", "place"],
        typer.Option(help="Images that --file does not name: leave them without a part, or place them like new ones."),
    ] = "error",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the split as the benchmark's file.")] = None,
    keys: Annotated[
        Literal["base", "path", "sha256"],
        typer.Option(help="What --out calls images: base names as the benchmark, whole names, or content hashes."),
    ] = "base",
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --out if it exists.")] = False,
    json: JsonOption = False,
) -> None:
    """Give every image a part, by its content and a seed. It keeps that part, whatever comes to the data set later.

    Near-duplicates and equal prompts are on one side; a new image joins the side of its group. One that joins groups
    of two sides is reported as a clash. Exit code 3: there are clashes, or images could not be read.

    Example: `anomagent dataset split --ratio train=0.8,test=0.2 --out split.json`
    """
    if not file and (unknown, unlisted) != ("error", "error"):
        raise ConfigurationError("--unknown and --unlisted go with --file; add it, or leave them out")
    for option, given in (("--force", force), ("--keys", keys != "base")):
        if given and not out:
            raise ConfigurationError(f"{option} goes with --out; add it, or leave {option} out")
    check_packages("split")
    from anomagent.dataset.split import Choices
    from anomagent.dataset.split import split as place
    from anomagent.store import Workspace

    kinds = None if group is None else _kinds("--group", group, _GROUPS)
    choices = Choices(name or "default", ratio, seed, kinds, distance, file, unknown, unlisted)
    store = Workspace.open(settings_of(workspace=workspace).workspace, create=False)
    with progress_bar("fingerprints") as told:
        made = place(store, choices, out, keys=keys, overwrite=force, progress=told)
    summary = made.summary()
    if json:
        print_json(summary | {"file": str(out) if out else None})
    else:
        _print_split(made, summary, out)
    if summary["clashes"] or made.unreadable:
        raise typer.Exit(SOMETHING_FAILED)


def leakage(
    workspace: WorkspaceOption = None,
    name: NameOption = None,
    split: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A split file instead of a workspace's; with what it is about:")
    ] = None,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder of its images.")] = None,
    annotations: Annotated[Path | None, typer.Option(metavar="FILE", help="Its annotations.")] = None,
    prompts: Annotated[Path | None, typer.Option(metavar="MANIFEST", help="A table of images and prompts.")] = None,
    kinds: Annotated[
        str | None, typer.Option("--kind", metavar="KIND,...", help="What to look for.", show_default="all")
    ] = None,
    distance: DistanceOption = None,
    common: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="X", help="A name in more than this share of the images, and 50, identifies nothing."
        ),
    ] = 0.01,
    show: Annotated[int, typer.Option(min=0, metavar="N", help="Findings to show of each kind.")] = 10,
    json: JsonOption = False,
) -> None:
    """Find what the parts of a split have in common: what a test should not have seen in training.

    Kinds: equal-files, near-duplicates, prompts (equal), entities (proper names and quoted texts that prompts share,
    found by their capitals and quotes: a rule that misses some and finds others too many), annotations (equal texts; of
    a workspace the candidates of each image's newest analysis, reviewed or not).
    Exit code 0: none was found; 3: some was, or images could not be read. What was not checked is counted.

    Example: `anomagent dataset leakage --split split.json --images images --prompts manifest.csv`
    """
    check_packages("leakage")
    from anomagent.dataset.leakage import KINDS, find_leakage

    wanted = KINDS if kinds is None else cast("tuple[Kind, ...]", _kinds("--kind", kinds, KINDS))
    source = _source(workspace, name, split, images, annotations, prompts, wanted)
    found = find_leakage(source.items, wanted, 6 if distance is None else distance, common)
    if not any(found.checked.values()):
        raise ConfigurationError(
            "nothing could be checked: no image has a file, a prompt or annotations; give --images, --prompts or "
            "--annotations"
        )
    if json:
        print_json(
            found.summary()
            | {"unreadable": dict(source.unreadable), "without_part": source.without_part}
            | {"findings": [one._asdict() for one in found.findings]}
        )
    else:
        print_leakage(found, source, show)
    if found.findings or source.unreadable:
        raise typer.Exit(SOMETHING_FAILED)


def _source(
    workspace: Path | None,
    name: str | None,
    split: Path | None,
    images: Path | None,
    annotations: Path | None,
    prompts: Path | None,
    kinds: "Collection[Kind]",
) -> "Source":
    from anomagent.dataset.leakage_sources import file_source, workspace_source
    from anomagent.store import Workspace

    others = [given for given in (images, annotations, prompts) if given]
    if split is None and others:
        raise ConfigurationError("--images, --annotations and --prompts go with --split FILE; add it")
    if split and name:
        raise ConfigurationError("--split FILE and a workspace's --name exclude each other; choose one")
    if split and not others:
        raise ConfigurationError(
            f"--split {split}: give --images, --annotations or --prompts as well: nothing to compare"
        )
    with progress_bar("fingerprints") as told:
        if split:
            return file_source(split, images, annotations, prompts, kinds, told)
        store = Workspace.open(settings_of(workspace=workspace).workspace, create=False)
        return workspace_source(store, name or "default", kinds, told)


def _kinds(option: str, text: str, known: "Collection[str]") -> tuple[str, ...]:
    """`a,b` as kinds, in the order of `known`; `none` is none of them. Raises `ConfigurationError`."""
    if text.strip() == "none" and option == "--group":
        return ()
    names = [name.strip() for name in text.split(",")]
    if strange := [name for name in names if name not in known]:
        raise ConfigurationError(f"{option} {text}: no kind {strange[0]!r}; known: {', '.join(known)}")
    return tuple(kind for kind in known if kind in names)


def _print_split(made: "Split", summary: dict[str, Any], out: Path | None) -> None:
    console = stdout()
    for part, said in summary["parts"].items():
        asked = "" if said["asked"] is None else f", asked for {said['asked']:.2%}"
        share = "" if said["share"] is None else f"  {said['share']:.2%}{asked}"
        console.print(plain(f"{part:<10} {said['images']:>9,}{share}"), soft_wrap=True)
    groups = f"{count(summary['groups'], 'group')} kept together, the largest of {summary['largest_group']:,}"
    line = f"split {made.choices.name}: {count(summary['placed'], 'image')} placed now; {groups}"
    console.print(plain(line), soft_wrap=True)
    for number, words in (
        (summary["without_part"], "images without a part"),
        (summary["unknown_names"], "names in the file that no image has"),
        (summary["unlisted_images"], "images that the file does not name"),
        (summary["without_prompt"], "images without a prompt, by which none of them was kept together"),
        (summary["flat"], "images without a structure to compare (one colour, or very faint)"),
        (summary["unreadable"], "images that could not be read, of which no near-duplicates were found"),
    ):
        if number:
            note(f"{words}: {number:,}")
    for clash in summary["clashes_shown"]:
        names = ", ".join(f"{one['image']} ({one['part'] or 'new'})" for one in clash["images"][:5])
        complain(f"clash: {names} belong together; new ones went to {clash['new_ones_go_to']}")
    if out:
        note(f"wrote {out}")
