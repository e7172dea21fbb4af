# pyright: basic
"""Merging: one model directory out of base and adapter, with proof that it says the same."""

import gc
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anomagent.errors import UsageError
from anomagent.finetune.serving import parity
from anomagent.finetune.serving.adapters import Adapter, check_keys, read_adapter, weight_problem
from anomagent.finetune.serving.bases import Base, adapted, enough_memory, find_base, known_device
from anomagent.finetune.serving.bounds import Bounds, image_processor, pixel_bounds
from anomagent.finetune.serving.libraries import need_packages, quiet, undamaged
from anomagent.finetune.serving.merged_card import merged_card
from anomagent.finetune.serving.merged_folder import check_place, check_room, merged_folder
from anomagent.finetune.serving.parity import Parity, Reference
from anomagent.finetune.serving.probes import Local, Probe, answer_probes, inputs_of
from anomagent.models.files import directory_hash

SHARD: Final = "5GB"
_LEFT = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".onnx", ".msgpack", ".h5", ".md", ".index.json")
"""Endings of the base's files that are not copied: weights, and pages about another model."""
_FORMATS = {"bfloat16": 2, "float16": 2, "float32": 4}
"""Number formats and their bytes."""


@dataclass(frozen=True)
class Merged:
    """A finished merge."""

    out: Path
    parity: Parity
    bounds: Bounds
    own_bounds: bool
    """Whether the adapter brought the pixel bounds; otherwise they are the base's."""
    report: dict[str, Any]
    """What parity.json holds."""


def merge(
    adapter_directory: Path,
    base_name: str,
    out: Path,
    *,
    force: bool = False,
    device: str = "cpu",
    dtype: str | None = None,
    tolerance: float | None = None,
    note: Callable[[str], None] = lambda line: None,
) -> Merged:
    """Write the merged model to `out`, whole or not at all, and compare it with base and adapter.

    `dtype` is the number format of the merged weights, by default the base's own; `tolerance` see `parity.judge`.
    A merged model that fails the comparison is written all the same, and says so. Raises `UsageError` for everything
    that cannot work, before any weight is loaded where that can be known.
    """
    need_packages()
    device = known_device(device)
    place = check_place(out, force)
    sources = _sources(adapter_directory, base_name, dtype)
    base, adapter = sources.base, sources.adapter
    _check(sources, place, out)
    if adapter.config.base and not base.is_called(adapter.config.base):
        note(f"the adapter names another base, {adapter.config.base}; its tensors fit {base.name}")
    with (
        enough_memory(base),
        tempfile.TemporaryDirectory(prefix="anomagent-merge-") as pictures,
        merged_folder(place, out) as folder,
    ):
        probes = answer_probes(Path(pictures))
        note("loading base and adapter")
        inputs = inputs_of(base, sources.images)
        model = adapted(base.load(device, sources.stored), adapter.directory)
        references = parity.reference(Local(model, inputs), probes)
        note("merging and saving")
        _save(model.merge_and_unload(), base, sources.bounds, sources.stored, folder)
        del model
        gc.collect()
        note("comparing the merged model with base and adapter")
        verdict = _compare(folder, device, sources.stored, probes, references, tolerance)
        report = verdict.report() | _origin(sources)
        _describe(folder, sources, report)
    return Merged(place, verdict, sources.bounds, sources.own_bounds, report)


@dataclass(frozen=True)
class _Sources:
    """What is merged, and how."""

    base: Base
    adapter: Adapter
    bounds: Bounds
    own_bounds: bool
    stored: str
    """The number format of the merged weights."""

    @property
    def images(self) -> Path:
        """The directory whose image processor the adapter was trained with."""
        return self.adapter.directory if self.own_bounds else self.base.directory


def _sources(adapter_directory: Path, base_name: str, dtype: str | None) -> _Sources:
    adapter = read_adapter(adapter_directory)
    base = find_base(base_name, weights=True)
    own = adapter.bounds
    return _Sources(base, adapter, own or pixel_bounds(base.directory), own is not None, dtype or _stored(base))


def _check(sources: _Sources, place: Path, out: Path) -> None:
    """Raises `UsageError` for what cannot be merged truthfully, and where there is no room."""
    base, adapter = sources.base, sources.adapter
    for source in (base.directory.resolve(), adapter.directory.resolve()):
        if place in (source, *source.parents):
            raise UsageError(f"{out}: holds the base or the adapter, and is not replaced; choose another --out")
    if base.quantised:
        raise UsageError(
            f"{base.name}: is quantised ({base.quantised}), and merging would round twice; give the model in bfloat16"
            " that it was made from"
        )
    if problem := weight_problem(adapter):
        raise UsageError(f"{adapter.directory}: {problem}")
    check_keys(base, adapter)
    tied = base.config.get("tie_word_embeddings")
    if tied and (
        shared := next((name for name in adapter.modules if name.endswith(("lm_head", "embed_tokens"))), None)
    ):
        raise UsageError(
            f"{adapter.directory}: adapts {shared}, whose weights the base uses twice; merged, both would change"
        )

    weights = sum(file.stat().st_size for file in base.directory.glob("*.safetensors"))
    check_room(place, out, weights * _FORMATS[sources.stored] // _FORMATS[_stored(base)])


def _stored(base: Base) -> str:
    """The number format of the base's weights. Raises `UsageError` for one that nothing can be merged into."""
    nested = base.config.get("text_config") or {}
    found = next((c.get(name) for c in (base.config, nested) for name in ("dtype", "torch_dtype") if c.get(name)), None)
    if found is None:
        return "float32"
    if found not in _FORMATS:
        raise UsageError(f"{base.name}: its weights are {found}; give a base in {', '.join(_FORMATS)}")
    return str(found)


def _save(model: Any, base: Base, bounds: Bounds, stored: str, folder: Path) -> None:
    """Weights under the base's tensor names, and every other file of the base as it is but for the pixel bounds."""
    import torch

    with quiet():
        model.to(getattr(torch, stored)).save_pretrained(folder, max_shard_size=SHARD)
    same = _tensors(folder) == _tensors(base.directory)
    for file in sorted(path for path in base.directory.iterdir() if path.is_file()):
        if file.name.startswith(".") or file.name.endswith(_LEFT):
            continue
        if file.name == "config.json" and not (same and stored == _stored(base)):
            continue  # transformers' own says what was written
        shutil.copyfile(file, folder / file.name)
    _write_bounds(folder, bounds)


def _write_bounds(folder: Path, bounds: Bounds) -> None:
    """The bounds under every name that some version of a server reads, then proven by reading them back."""
    image_processor(folder, bounds).save_pretrained(folder)
    for name in ("preprocessor_config.json", "processor_config.json"):
        path = folder / name
        if path.is_file():
            values = json.loads(path.read_text(encoding="utf-8"))
            images = values if name.startswith("pre") else values.get("image_processor")
            if isinstance(images, dict):
                images["size"] = {"shortest_edge": bounds.least, "longest_edge": bounds.most}
                images |= bounds.options()
                path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    if (found := pixel_bounds(folder)) != bounds:
        raise UsageError(f"{folder}: the pixel bounds became {found} instead of {bounds}; report this")


def _tensors(directory: Path) -> set[str]:
    names: set[str] = set()
    for file in directory.glob("*.safetensors"):
        with undamaged(file) as tensors:
            names.update(tensors.keys())
    return names


def _compare(
    folder: Path,
    device: str,
    stored: str,
    probes: Sequence[Probe],
    references: Sequence[Reference],
    tolerance: float | None,
) -> Parity:
    """The verdict about the folder as somebody else would load it."""
    written = find_base(str(folder), weights=True)
    model = Local(written.load(device), inputs_of(written, folder))
    computed = str(model.model.dtype).removeprefix("torch.")
    return parity.judge(parity.compare(model, probes, references), stored, computed, tolerance)


def _describe(folder: Path, sources: _Sources, report: dict[str, Any]) -> None:
    """Write parity.json and README.md, and keep the adapter's own card beside them."""
    (folder / "parity.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    readme = folder / "README.md"
    readme.write_text(merged_card(sources.base, sources.adapter, sources.bounds, report), encoding="utf-8")
    if (card := sources.adapter.directory / "README.md").is_file():
        shutil.copyfile(card, folder / "ADAPTER.md")
    for file in folder.glob("*.safetensors"):
        file.chmod(readme.stat().st_mode)  # safetensors lets nobody else read what it writes


def _origin(sources: _Sources) -> dict[str, Any]:
    """What was merged, for the record."""
    import peft
    import torch
    import transformers

    packages = {module.__name__: str(module.__version__) for module in (torch, transformers, peft)}
    return {
        "base": {"name": sources.base.name, "hash": directory_hash(sources.base.directory)},
        "adapter": sources.adapter.facts() | {"hash": directory_hash(sources.adapter.directory)},
        "pixel_bounds": sources.bounds.options(),
        "packages": packages,
    }
