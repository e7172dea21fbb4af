"""`anomagent finetune merge`: base and adapter as one model directory, compared with both."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomagent.cli.console import complain, note, plain, print_json, stdout
from anomagent.cli.run import SOMETHING_FAILED
from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from anomagent.finetune.serving.merge import Merged


class Format(StrEnum):
    """Number formats of merged weights."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"


def merge(
    adapter: Annotated[Path, typer.Argument(metavar="ADAPTER", help="The folder with adapter_config.json.")],
    base: Annotated[
        str, typer.Option(metavar="DIR_OR_HUB_ID", help="The base model, not quantised: the bfloat16 one.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace DIR if a merge wrote it.")] = False,
    device: Annotated[str, typer.Option(help="Where to load the models: cpu, auto, cuda, cuda:1.")] = "cpu",
    dtype: Annotated[
        Format | None, typer.Option(help="Number format of the merged weights.", show_default="the base's")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="How far logits may differ, as a part of the largest.",
            show_default="0.05 for bfloat16, 0.01 for float16, 0.001 for float32",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as one JSON object.")] = False,
) -> None:
    """Merge an adapter into its base: weights, configuration, tokenizer, chat template, the adapter's pixel bounds.

    The folder appears whole or not at all. Before that it is loaded again and compared with base and adapter on
    probes: greedy tokens and logits, in parity.json. Needs the memory of the base's weights once. Exit code 3: the
    merged model differs; it is written, and its README.md says so.

    Example: `anomagent finetune merge runs/7b/adapter --base Qwen/Qwen2.5-VL-7B-Instruct --out merged`
    """
    from anomagent.finetune.serving.merge import merge as write

    if tolerance is not None and not 0 < tolerance < 1:
        raise ConfigurationError(f"--tolerance {tolerance}: give a part of the largest logit, between 0 and 1")
    made = write(adapter, base, out, force=force, device=device, dtype=dtype, tolerance=tolerance, note=note)
    if not made.own_bounds:
        note(f"the adapter stores no pixel bounds; the base's are kept ({made.bounds})")
    _print(made, json)
    if not made.parity.ok:
        complain(f"{out}: differs from base and adapter: {made.parity.reason}")
        raise typer.Exit(SOMETHING_FAILED)


def _print(made: "Merged", json: bool) -> None:
    from anomagent.finetune.serving.parity import figure

    if json:
        print_json({"out": str(made.out)} | made.report)
        return
    report = made.report
    tokens = "equal" if report["tokens_equal"] else "not all equal"
    lines = (
        f"wrote {made.out} in {made.parity.stored}, for images of {made.bounds}",
        f"greedy answers to {len(made.parity.probes)} probes: {tokens}",
        f"logits: differ by up to {figure(report['max_difference'])} (the largest is {figure(report['largest_logit'])};"
        f" the adapter changes {figure(report['adapter_effect'])})",
    )
    for line in lines:
        stdout().print(plain(line), soft_wrap=True)
