"""`anomagent finetune train`: a LoRA adapter from a configuration and instances."""

from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomagent.cli.console import flat, note, print_json
from anomagent.cli.scoring import progress_bar
from anomagent.errors import ConfigurationError
from anomagent.report.plain import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from anomagent.finetune.config import TrainConfig
    from anomagent.finetune.data_check import Advance
    from anomagent.finetune.dry_run import DryRun
    from anomagent.finetune.train import Trained


def train(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A TOML file, or the name of a shipped recipe (see --list).")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A value on top, e.g. data.train=DATA/train.jsonl."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="RUN", help="Folder of the run.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show mask, memory and time, and stop.")
    ] = False,
    meta: Annotated[bool, typer.Option("--meta", help="With --dry-run: without the weights.")] = False,
    recipes: Annotated[bool, typer.Option("--list", help="List the shipped recipes.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Train a LoRA adapter on instances made by `anomagent finetune data`.

    The base model, every image and every length are checked before the first step; nothing is ever truncated. The
    adapter lies in RUN/adapter when training reached its end, with the pixel bounds it was trained under. On several
    GPUs: torchrun --nproc_per_node N -m anomagent finetune train ... Exit code 3: training stopped early.

    Example: `anomagent finetune train anomreasonor-7b --set data.train=data/train.jsonl --out run --dry-run`
    """
    if meta and not dry_run:
        raise ConfigurationError("--meta goes with --dry-run: without weights nothing can be trained")
    from anomagent.finetune.config import load_config, recipe_names

    if recipes:
        typer.echo("\n".join(recipe_names()))
        return
    if not config:
        raise ConfigurationError(f"no CONFIG given; a TOML file, or one of {', '.join(recipe_names())}")
    loaded = load_config(config, settings or [], out)
    _check_packages()
    if dry_run:
        _print_dry_run(_dry_run(loaded, meta), json)
    else:
        _print_trained(_train(loaded, resume), json)


def _check_packages() -> None:
    try:
        for name in ("accelerate", "peft", "torch", "transformers"):
            import_module(name)
    except ImportError as error:
        raise ConfigurationError(f"training needs more packages: pip install 'anomagent[train]' ({error})") from error


def _dry_run(config: "TrainConfig", meta: bool) -> "DryRun":
    from anomagent.finetune.dry_run import dry_run

    with ExitStack() as bars:
        return dry_run(config, meta=meta, advance=_bars(bars))


def _train(config: "TrainConfig", resume: bool) -> "Trained":
    from anomagent.cli.finetune_scores import sample_score
    from anomagent.finetune.train import train as run_training

    score = sample_score(config)
    with ExitStack() as bars:
        try:
            return run_training(config, resume=resume, score=score, say=note, advance=_bars(bars))
        except KeyboardInterrupt:
            note(f"what was saved in {config.out} is kept; go on with --resume")
            raise


def _bars(bars: ExitStack) -> "Callable[[str], Advance]":
    """Shows a bar for each task, until `bars` are closed."""
    return lambda task: bars.enter_context(progress_bar(task))


def _print_dry_run(run: "DryRun", json: bool) -> None:
    from anomagent.finetune.dry_run import describe, mask_text

    if json:
        print_json(run.as_dict())
        return
    print("\n".join(map(flat, describe(run))))
    print(printable(mask_text(run.mask)), flush=True)


def _print_trained(trained: "Trained", json: bool) -> None:
    from anomagent.finetune.processes import is_main

    if not is_main():
        return
    if json:
        places = {"run": str(trained.run), "adapter": str(trained.adapter)}
        print_json({**places, "steps": trained.steps, "metrics": trained.metrics})
        return
    print(f"{flat(str(trained.adapter))}: {trained.steps} steps, loss {trained.metrics['train_loss']:.4f}", flush=True)
    note(f"predict with it: anomagent predict IMAGE --model {trained.model} --adapter {trained.adapter}")
