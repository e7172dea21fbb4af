"""`anomagent dataset dedupe`: near-duplicates, shown in groups, and which one of each stays."""

from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from anomagent.cli.console import note, plain, print_json, stdout
from anomagent.cli.options import WorkspaceOption, settings_of
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.cli.scoring import note_some
from anomagent.errors import ConfigurationError
from anomagent.report.costs import count

if TYPE_CHECKING:
    from anomagent.dataset.dedupe import Deduped
    from anomagent.dataset.stars import Group
    from anomagent.store.duplicates import Candidate

_MOST_MEMBERS = 10
"""Members of a group that are printed; --json has all."""


def dedupe(
    workspace: WorkspaceOption = None,
    keep: Annotated[
        Literal["largest", "first", "best-score"],
        typer.Option(help="Which one of a group stays: by pixels, then bytes; by arrival; by --score. Ties: by name."),
    ] = "largest",
    distance: Annotated[
        int, typer.Option(min=0, max=16, metavar="BITS", help="Bits of 64 in which near-duplicates differ at most.")
    ] = 6,
    embedding: Annotated[
        str | None,
        typer.Option(metavar="MODEL|DIR", help="Compare CLIP embeddings of this model as well, by name or directory."),
    ] = None,
    similarity: Annotated[
        float, typer.Option(min=0.5, max=1.0, metavar="S", help="Cosine similarity of embeddings from which on.")
    ] = 0.96,
    score: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The score that --keep best-score goes by.", show_default="realism"),
    ] = None,
    score_model: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="Whose scores, where several models gave some; `dataset filter` tells it."),
    ] = None,
    show: Annotated[int, typer.Option(min=0, metavar="N", help="Groups to show, the largest first.")] = 10,
    anew: Annotated[bool, typer.Option("--anew", help="Decide about all images afresh, whatever was decided.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Drop those that go; without it nothing is decided.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the groups as one JSON object.")] = False,
) -> None:
    """Find near-duplicates: groups of images, the one that stays, and those that go with --apply.

    Each image that goes resembles the one that stays for it; no two that stay resemble each other. Equal files are
    one image from the start. What was kept by an earlier run stays kept, also when new images arrive, and what was
    dropped stays dropped while something that stays resembles it or it went for; else the best comes back. --anew
    decides afresh. An image with a part of a split goes before one without. Exit code 3: images could not be read;
    they stay and are listed.

    Example: `anomagent dataset dedupe --distance 6 --show 20`
    """
    for option, given in (("--score", score), ("--score-model", score_model)):
        if given and keep != "best-score":
            raise ConfigurationError(f"{option} goes with --keep best-score; add it, or leave {option} out")
    from anomagent.cli.scoring import progress_bar

    check_packages("dedupe")
    from anomagent.dataset.dedupe import Choices
    from anomagent.dataset.dedupe import dedupe as find
    from anomagent.store import Workspace

    store = Workspace.open(settings_of(workspace=workspace).workspace, create=False)
    choices = Choices(keep, distance, score or "realism", embedding, similarity, anew, score_model)
    with progress_bar("fingerprints") as told:
        found = find(store, choices, apply, told)
    if json:
        shown = [_entry(group) for group in found.plan.groups[:show]]
        print_json({**asdict(choices), **found.summary(), "groups_shown": shown})
    else:
        _print_groups(found, show)
        _print_counts(found)
    if found.unreadable:
        raise typer.Exit(SOMETHING_FAILED)


def check_packages(command: str) -> None:
    """Raise `ConfigurationError` where what compares images is not installed."""
    try:
        for name in ("numpy", "scipy"):
            import_module(name)
    except ImportError as error:
        raise ConfigurationError(f"{command} needs more packages: pip install 'anomagent[local]'") from error


def _entry(group: "Group") -> dict[str, Any]:
    def about(image: "Candidate") -> dict[str, Any]:
        return {"sha256": image.sha256, "names": image.names, "pixels": image.pixels, "bytes": image.bytes}

    dropped = [{**about(one.image), "distance": one.distance, "method": one.method} for one in group.dropped]
    return {"kept": about(group.kept), "dropped": dropped}


def _print_groups(found: "Deduped", show: int) -> None:
    console = stdout()
    groups = found.plan.groups
    for number, group in enumerate(groups[:show], start=1):
        console.print(plain(f"group {number}: {count(len(group.dropped) + 1, 'image')}", "bold"))
        console.print(plain(f"  stays  {_called(group.kept)}"), soft_wrap=True)
        for one in group.dropped[:_MOST_MEMBERS]:
            by = "" if one.method == group.dropped[0].method else f" by {one.method}"
            console.print(plain(f"  goes   {_called(one.image)}, distance {one.distance:.4g}{by}"), soft_wrap=True)
        if len(group.dropped) > _MOST_MEMBERS:
            console.print(plain(f"  and {len(group.dropped) - _MOST_MEMBERS:,} more", "dim"))
    if len(groups) > show:
        console.print(plain(f"{count(len(groups) - show, 'more group')}; --show N", "dim"))


def _print_counts(found: "Deduped") -> None:
    plan, counts = found.plan, found.summary()
    goes = "dropped" if found.applied else "would go; --apply drops them"
    near = count(len(plan.dropped), "near-duplicate")
    line = f"{count(plan.images, 'image')}, {count(len(plan.groups), 'group')}, {near} {goes}"
    stdout().print(plain(line), soft_wrap=True)
    equal = counts["equal_files"]
    for number, words in (
        (equal["contents"], f"images that came under several names, {equal['names']:,} in all (equal files are one)"),
        (plan.turned, "of those that go, stayed before (the distance is greater now, or all is decided anew)"),
        (
            plan.revived,
            "dropped before and staying now, for nothing that stays resembles them or they are the best now",
        ),
        (len(plan.settled), "dropped before and staying out"),
        (plan.orphans, "of these, do not resemble the image that they went for now (--anew decides about them afresh)"),
        (found.flat, "images without a structure to compare (one colour, or very faint), which stay"),
        (len(found.unreadable), "images that could not be read and were not compared, which stay"),
    ):
        if number:
            note(f"{words}: {number:,}")
    note_some("not compared", [f"{name}: {reason}" for name, reason in found.unreadable.items()])


def _called(image: "Candidate") -> str:
    first, *others = image.names
    same = f" (= {', '.join(others[:3])}{' ...' if len(others) > 3 else ''})" if others else ""
    return f"{first}{same}  {image.pixels / 1e6:.2f} MP, {image.bytes:,} bytes"
