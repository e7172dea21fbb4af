# pyright: basic
"""A run up to its first step: what would be trained, on what, how much memory and how long; nothing is written."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from anomagent.finetune.base_model import check_loadable
from anomagent.finetune.callbacks import duration
from anomagent.finetune.config import TrainConfig
from anomagent.finetune.data_check import Advance, Measured
from anomagent.finetune.examples import Example, Examples
from anomagent.finetune.lora import trainable_parameters, with_lora
from anomagent.finetune.masking import IGNORED
from anomagent.finetune.memory import Load, Numbers, estimate
from anomagent.finetune.prepare import Prepared, prepare
from anomagent.finetune.processes import world_size
from anomagent.finetune.timing import Timing, measure
from anomagent.finetune.train import build
from anomagent.models.qwen_inputs import IMAGE_TOKEN


@dataclass(frozen=True)
class Span:
    """A stretch of a conversation."""

    text: str
    learned: bool


@dataclass(frozen=True)
class DryRun:
    """What is known before the first step."""

    prepared: Prepared
    trainable: int
    parameters: int
    sample: str
    """Id of the instance whose mask is shown."""
    mask: list[Span]
    longest: list[int]
    """Numbers of the rows that make the longest batch."""
    memory: dict[str, int]
    timing: Timing | None
    """None: no weights, so no step was measured."""

    @property
    def longest_rows(self) -> list[tuple[str, Measured]]:
        """Id and measures of the instances of the longest batch."""
        return [(self.prepared.train[n].instance.id, self.prepared.measured[n]) for n in self.longest]

    @property
    def seconds(self) -> float | None:
        """How long the run would take, without evaluations."""
        if self.timing is None:
            return None
        return self.prepared.steps * self.prepared.config.training.accumulation * self.timing.seconds

    def as_dict(self) -> dict[str, Any]:
        """All figures, for a script."""
        tokens = [one.tokens for one in self.prepared.measured]
        return {
            "base": self.prepared.base.name,
            "revision": self.prepared.base.revision,
            "weights": self.timing is not None,
            "trainable_parameters": self.trainable,
            "parameters": self.parameters,
            "modules": self.prepared.modules,
            "instances": len(self.prepared.train),
            "steps": self.prepared.steps,
            "tokens": {"median": median(tokens), "longest": max(tokens), "all": sum(tokens)},
            "probe_image_tokens": self.prepared.probes,
            "longest_batch": [{"id": name, **vars(one)} for name, one in self.longest_rows],
            "memory": self.memory,
            "measured_peak": self.timing.peak if self.timing else None,
            "seconds_a_pass": self.timing.seconds if self.timing else None,
            "seconds": self.seconds,
            "mask": {"id": self.sample, "spans": [vars(span) for span in self.mask]},
        }


def dry_run(config: TrainConfig, *, meta: bool = False, advance: Callable[[str], Advance] | None = None) -> DryRun:
    """Do all but train. `meta`, or a directory without weights: on the meta device, without any measured step."""
    prepared = prepare(config, advance, weightless=True)
    weightless = meta or not prepared.base.has_weights
    if not weightless:
        check_loadable(prepared.base, config)
    model = with_lora(prepared.shapes, config.lora)[0] if weightless else build(prepared)[0]
    trainable, parameters = trainable_parameters(model)
    examples = Examples(prepared.train, prepared.inputs, config.training.train_newline)
    by_length = sorted(range(len(examples)), key=lambda n: -prepared.measured[n].tokens)
    longest = by_length[: config.training.batch]
    first = examples[by_length[len(by_length) // 2]]
    timing = None if weightless else measure(model, prepared.inputs, examples, by_length, config)
    load = _load(prepared, longest)
    memory = estimate(prepared.base.config, _numbers(config, model, trainable, parameters), load)
    name = examples.ids([first.number])[0]
    return DryRun(prepared, trainable, parameters, name, mask_of(prepared, first), longest, memory, timing)


def mask_of(prepared: Prepared, example: Example) -> list[Span]:
    """An example's conversation as text, cut where learning begins and ends; the image's tokens are counted."""
    spans: list[Span] = []
    start, labels = 0, example.labels
    for place in range(1, len(labels) + 1):
        if place == len(labels) or (labels[place] == IGNORED) != (labels[start] == IGNORED):
            text = prepared.inputs.spell(example.inputs.ids[start:place])
            count = text.count(IMAGE_TOKEN)
            text = text.replace(IMAGE_TOKEN * count, f"{IMAGE_TOKEN} x {count}") if count else text
            spans.append(Span(text, labels[start] != IGNORED))
            start = place
    return spans


def describe(run: DryRun) -> list[str]:
    """The dry run in lines."""
    config, prepared = run.prepared.config, run.prepared
    update = config.training.batch * config.training.accumulation * world_size()
    longest = run.longest_rows
    name, top = longest[0]
    lines = [
        f"base: {prepared.base.name}, revision {prepared.base.revision}",
        f"trained: {run.trainable:,} of {run.parameters:,} parameters ({run.trainable / run.parameters:.4%}),"
        f" in {len(prepared.modules)} modules: {_short(prepared.modules)}",
        f"data: {len(prepared.train):,} instances, {sum(m.tokens for m in prepared.measured):,} tokens, of them"
        f" {sum(m.learned for m in prepared.measured):,} learned",
        f"length: {prepared.steps:,} updates of {update} instances",
        "image tokens of probes: " + ", ".join(f"{size} {count}" for size, count in prepared.probes.items()),
        f"longest instance: {name}, {top.tokens:,} tokens, {top.cells:,} of them for an image of"
        f" {top.width} x {top.height}",
        f"longest batch: {len(longest)} x {top.tokens:,} tokens",
        f"memory, estimated: {_gib(run.memory['total'])} ("
        + ", ".join(f"{part} {_gib(size)}" for part, size in run.memory.items() if part != "total" and size)
        + ")",
    ]
    if run.timing and run.timing.peak:
        lines.append(f"memory, measured on the longest batch: {_gib(run.timing.peak)}")
    if run.timing and run.seconds is not None:
        lines.append(
            f"time, from {run.timing.passes} measured passes of {run.timing.seconds:.2f} s: "
            f"about {duration(run.seconds)} without evaluations"
        )
    else:
        lines.append("time: unknown, the weights are not there (or --meta was given)")
    return [*lines, f"mask of {run.sample}, what is learned between ⟦ and ⟧:"]


def mask_text(spans: list[Span]) -> str:
    """The conversation with what is learned marked."""
    return "".join(f"⟦{span.text}⟧" if span.learned else span.text for span in spans)


def _load(prepared: Prepared, longest: list[int]) -> Load:
    rows = [prepared.measured[n] for n in longest]
    merged = prepared.inputs.image_processor.merge_size**2
    tokens = max(row.tokens for row in rows)
    # The first answer begins behind the image and the question; between two answers there may be a question more.
    columns = max(row.tokens - row.cells for row in rows)
    return Load(len(rows), tokens, columns, sum(row.cells for row in rows) * merged)


def _numbers(config: TrainConfig, model: Any, trainable: int, parameters: int) -> Numbers:
    layers = sum(p.numel() for name, p in model.named_parameters() if ".language_model.layers." in name)
    return Numbers(
        parameters,
        trainable,
        layers - trainable,
        2 if config.training.precision == "bf16" else 4,
        four_bits=config.quantise is not None,
        checkpointing=config.training.gradient_checkpointing,
        eager=config.attention == "eager",
    )


def _short(modules: list[str]) -> str:
    return modules[0] if len(modules) == 1 else f"{modules[0]} ... {modules[-1]}"


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
