"""`anomagent dataset build`: the whole chain, from a recipe file."""

import hashlib
import io
import json as json_
from collections.abc import Generator
from contextlib import chdir, contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from anomagent.cli.console import complain, note, print_json
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.errors import UsageError
from anomagent.report.costs import count

if TYPE_CHECKING:
    from anomagent.cli.dataset_recipe import Recipe, Step
    from anomagent.store import Workspace

_ENDS_THE_CHAIN: Final = (1, 130)
"""Exit codes of a step after which nothing else is done: a fault of ours, interrupted."""


def build(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.toml", help="A TOML file of steps.")],
    check: Annotated[bool, typer.Option("--check", help="Only check the recipe, and print its commands.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what each step came to as one JSON object.")] = False,
) -> None:
    """Make a data set as a recipe says: each step is a command, its keys are that command's arguments and options.

    `workspace = "..."`, then for each step `[[step]]` with `do` (ingest, filter, dedupe, import, annotate, split,
    leakage, stats, manifest, export) and, for instance, `paths = ["raw/list.csv"]` or `force = true`. `annotate` is
    `anomagent batch`, without paths over all images that are kept. `reviewed` waits until every candidate is accepted
    or rejected: review, then run the same recipe again. Paths count from the recipe's folder. All steps are checked
    before the first begins; what is done already is not done again, and no call is paid twice.

    Exit code 3: a step left something out, or is not finished; 2: a step cannot be done as it is written.

    Example: `anomagent dataset build recipe.toml`
    """
    from anomagent.cli.dataset_recipe import read_recipe
    from anomagent.store import Workspace
    from anomagent.store.steps import dataset_step

    read = read_recipe(recipe)
    if check:
        _print_commands(read, json)
        return
    workspace = Workspace.open(read.workspace)
    with _alone(workspace), chdir(read.folder), dataset_step(workspace, "build", {"recipe": read.content}) as record:
        done = _do_all(read, workspace, json)
        told = {"do": [step.name for step in read.steps], "exit": [one["exit"] for one in done]}
        record.result = {**told, "left": len(read.steps) - len(done)}
    if json:
        print_json({"workspace": str(workspace.path), "steps": done, "left": len(read.steps) - len(done)})
    ended = next((one["exit"] for one in done if one["exit"] in _ENDS_THE_CHAIN), None)
    if any(one["exit"] for one in done):
        raise typer.Exit(ended or SOMETHING_FAILED)


def _print_commands(recipe: "Recipe", json: bool) -> None:
    lines = [f"anomagent {step}" if step.name != "reviewed" else str(step) for step in recipe.steps]
    if json:
        print_json({"workspace": str(recipe.workspace), "steps": lines})
    else:
        print("\n".join(lines))


def _do_all(recipe: "Recipe", workspace: "Workspace", json: bool) -> list[dict[str, Any]]:
    """One step after the other, until one is not finished. Errors rise: what comes after would build on nothing."""
    done: list[dict[str, Any]] = []
    for number, step in enumerate(recipe.steps, 1):
        note(f"step {number} of {len(recipe.steps)}: {step}")
        said = io.StringIO()
        if json:
            with redirect_stdout(said):
                code = _do(step, workspace, "--json")
        else:
            code = _do(step, workspace)
        left = None if code in _ENDS_THE_CHAIN else _unfinished(step, workspace)
        text = said.getvalue().strip()
        result = json_.loads(text) if text else None
        done.append({"do": step.name, "exit": SOMETHING_FAILED if left else code, "result": result})
        if left:
            complain(left)
        if left or code in _ENDS_THE_CHAIN:
            break
    return done


def _do(step: "Step", workspace: "Workspace", *more: str) -> int:
    """Do it, and return its exit code."""
    from anomagent.cli.dataset_recipe import REVIEWED, command_of

    if step.name == REVIEWED:
        return 0
    options = [*step.options, *more, "--workspace", str(workspace.path), "--"]
    with _kept(workspace) if step.is_about_the_kept else _named(step) as behind:
        code = command_of(step.name).main([*options, *behind], prog_name="anomagent", standalone_mode=False)
    return code or 0


@contextmanager
def _alone(workspace: "Workspace") -> Generator[None]:
    """Raises `UsageError` while another build is at work on the workspace; the lock of one that was killed is free."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(workspace.locks / "build.lock", timeout=0):
            yield
    except Timeout as error:
        raise UsageError(f"workspace {workspace.path}: another build is at work on it; wait for that") from error


@contextmanager
def _named(step: "Step") -> Generator[tuple[str, ...]]:
    yield step.behind


@contextmanager
def _kept(workspace: "Workspace") -> Generator[tuple[str, ...]]:
    """A manifest of the images that are kept, as long as it is needed.

    It lies in the recipe's folder, where images were ingested: so they are analysed under the names that they have.
    """
    from anomagent.cli.dataset_manifest import warn_of_copies
    from anomagent.dataset.manifest import write_manifest

    mark = hashlib.sha256(str(workspace.path).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    file = Path(f".kept-{mark}.jsonl")
    try:
        warn_of_copies(write_manifest(workspace, file, overwrite=True).copies)
        yield (str(file),)
    finally:
        file.unlink(missing_ok=True)


def _unfinished(step: "Step", workspace: "Workspace") -> str | None:
    """What is left of a step that others wait for, and what to do about it."""
    from anomagent.cli.dataset_recipe import REVIEWED

    if step.is_about_the_kept and not step.keys & {"limit", "dry-run"}:
        return _unanalysed(workspace)
    return _undecided(workspace) if step.name == REVIEWED else None


def _unanalysed(workspace: "Workspace") -> str | None:
    """Single images that failed do not hold up the others: exports count them."""
    from anomagent.store.kept import count_analysed

    known = count_analysed(workspace)
    if left := known.images - known.ended:
        return f"annotate is not finished, {left:,} images are left; run the same recipe again"
    if not known.with_result:
        return "annotate has no result, all images failed; mend what is said above, and add retry = true"
    return None


def _undecided(workspace: "Workspace") -> str | None:
    from anomagent.store.kept import count_undecided

    left = count_undecided(workspace)
    if not left.candidates:
        return None
    undecided = f"{count(left.candidates, 'candidate')} of {count(left.images, 'image')} undecided"
    return (
        f"the review is not finished: {undecided}, {left.unsure:,} of them unsure; "
        f"run `anomagent review --workspace {workspace.path}`, then the same recipe again"
    )
