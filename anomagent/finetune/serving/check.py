"""Checking an adapter on the disk: whole, made for its base, ready to be served, and doing something."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from anomagent.errors import UsageError
from anomagent.finetune.serving.adapters import Adapter, check_keys, read_adapter, weight_problem
from anomagent.finetune.serving.bases import Base, adapted, enough_memory, find_base, known_device
from anomagent.finetune.serving.bounds import Bounds
from anomagent.finetune.serving.checklist import Checklist, NotChecked
from anomagent.finetune.serving.commands import serving_problem
from anomagent.finetune.serving.libraries import need_packages
from anomagent.finetune.serving.probes import Local, answer_probes, inputs_of

Note = Callable[[str], None]
"""Told one line of news."""


@dataclass
class Checked:
    """What the checks of an adapter found, and what further checks need of it."""

    checklist: Checklist = field(default_factory=Checklist)
    adapter: Adapter | None = None
    base: Base | None = None
    bounds: Bounds | None = None
    """Of the training; None where the adapter stores none."""
    model: Local | None = None
    """Base and adapter in memory, where weights are here and were wanted."""

    @property
    def images(self) -> Path | None:
        """The directory whose image processor prediction uses."""
        if self.adapter is None or self.base is None:
            return None
        return self.adapter.directory if self.bounds else self.base.directory


def check_adapter(
    directory: Path, base_name: str | None, *, load: bool = True, device: str = "auto", note: Note = lambda line: None
) -> Checked:
    """Check the adapter in `directory` against its base, by default the one that it names.

    `load` also asks base and adapter a few probes, which takes the memory of the base's weights; `note` hears when that
    begins. Raises `ConfigurationError` for missing packages and devices, and nothing that a check can say.
    """
    need_packages()
    device = known_device(device)
    found = Checked()
    look = found.checklist.look
    found.adapter = adapter = look("files", _files, directory)
    sound = look("weights", _weights, adapter)
    found.bounds = look("pixel bounds", _bounds, adapter)
    look("servable", _servable, adapter)
    named = adapter.config.base if adapter else None
    found.base = base = look("base", partial(_base, name=base_name), adapter) or _another(base_name or named)
    fits = look("keys", _keys, base, adapter)
    effect = partial(_effect, load=load, device=device, note=note)
    found.model = look("effect", effect, adapter, base, found.images, after=(sound, fits))
    return found


def _files(directory: Path) -> tuple[Adapter, str]:
    adapter = read_adapter(directory)
    config = adapter.config
    return adapter, (
        f"LoRA of rank {adapter.rank}, alpha {config.alpha:g}, on {', '.join(adapter.kinds)} of layers"
        f" {_numbers(adapter.layers)}: {len(adapter.modules)} modules, {adapter.parameters:,} trainable parameters"
    )


def _weights(adapter: Adapter) -> tuple[bool, str]:
    if problem := weight_problem(adapter):
        raise UsageError(problem)
    return True, f"{len(adapter.shapes)} tensors, all numbers finite"


def _bounds(adapter: Adapter) -> tuple[Bounds, str]:
    if bounds := adapter.bounds:
        return bounds, f"{bounds}, stored with the adapter"
    raise UsageError(
        "no preprocessor_config.json beside the adapter: nobody can know its pixel bounds; copy the one of the run"
        " or save it with the min_pixels and max_pixels of the training"
    )


def _servable(adapter: Adapter) -> tuple[bool, str]:
    if problem := serving_problem(adapter):
        raise UsageError(f"{problem}; serve a merged model: anomagent finetune merge")
    return True, "plain LoRA on the language model, which vLLM serves"


def _base(adapter: Adapter, *, name: str | None) -> tuple[Base, str]:
    named = adapter.config.base
    chosen = name or named
    if chosen is None:
        raise UsageError("adapter_config.json names no base; give --base")
    base = find_base(chosen, weights=False)
    if base.quantised:
        raise UsageError(f"{chosen} is quantised ({base.quantised}); give the model that it was made from as --base")
    if named is None:
        raise NotChecked(f"adapter_config.json names no base; {chosen} was given")
    if not base.is_called(named):
        raise UsageError(
            f"the adapter was trained on {named}, but --base is {chosen}; give that one, or correct"
            " base_model_name_or_path in adapter_config.json if it is the same model"
        )
    return base, f"{named}, as adapter_config.json says"


def _another(name: str | None) -> Base | None:
    """A base of another name than the adapter's, so that keys and answers can be looked at."""
    try:
        base = find_base(name, weights=False) if name else None
    except UsageError:
        return None
    return base if base and not base.quantised else None


def _keys(base: Base, adapter: Adapter) -> tuple[bool, str]:
    check_keys(base, adapter)
    return True, f"{len(adapter.shapes)} tensors, exactly those of the base's modules"


def _effect(adapter: Adapter, base: Base, images: Path, *, load: bool, device: str, note: Note) -> tuple[Local, str]:
    if not load:
        raise NotChecked("weights were not to be loaded")
    if not base.has_weights:
        raise NotChecked(f"the weights of {base.name} are not here; give --base DIRECTORY of a downloaded model")
    note(f"loading {base.name} and the adapter")
    with enough_memory(base):
        model = Local(adapted(base.load(device), adapter.directory), inputs_of(base, images))
        return model, f"logits of the probes change by up to {_change(model):.3g}"


def _change(model: Local) -> float:
    """The largest change of a logit by the adapter. Raises `UsageError` where there is none, or no number."""
    import torch

    largest = 0.0
    with tempfile.TemporaryDirectory(prefix="anomagent-check-") as folder:
        for probe in answer_probes(Path(folder)):
            answer = model.answer(probe.request)
            ours: Any = model.logits(probe.request, answer)
            with model.model.disable_adapter():
                plain: Any = model.logits(probe.request, answer)
            if not bool(torch.isfinite(ours).all()):
                raise UsageError(f"the answer to probe {probe.name} is not a number (NaN or infinite); train it again")
            largest = max(largest, float((ours - plain).abs().max()))
    if not largest:
        raise UsageError("logits are those of the base to the last bit: the adapter changes nothing; train it")
    return largest


def _numbers(layers: list[int]) -> str:
    return ", ".join(map(str, layers)) or "none"
