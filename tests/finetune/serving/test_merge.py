"""Merging on tiny models: the folder is whole, says what base and adapter say, and is there only if all went well."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anomagent.finetune.serving import merge as merging
from anomagent.finetune.serving.bounds import Bounds, pixel_bounds
from anomagent.finetune.serving.merge import merge
from anomagent.models.qwen_engine import QwenSource
from anomagent.models.qwen_vl import QwenVLClient
from anomagent.models.types import Request
from anomagent.prompts.anomaly_reporter import render_report
from tests.finetune.serving.made import make_adapter, rewrite_json
from tests.models.tiny import save_tiny


def _left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _tensors(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def test_the_merged_model_is_base_and_adapter(adapter: Path, base: Path, tmp_path: Path) -> None:
    merged = merge(adapter, str(base), tmp_path / "out")
    assert merged.parity.ok, merged.parity.reason
    assert merged.report["tokens_equal"]
    # Sums in another order: float32 has 24 bits, so a few 1e-7 of the largest logit.
    assert merged.report["max_difference"] < 1e-5 * merged.report["largest_logit"]
    assert merged.report["adapter_effect"] > 100 * merged.report["max_difference"]
    before, after = _tensors(base), _tensors(tmp_path / "out")
    changed = {name for name in before if not before[name].equal(after[name])}
    assert before.keys() == after.keys()
    assert changed == {f"model.layers.{n}.self_attn.{m}_proj.weight" for n in (0, 1) for m in "qkv"}


def test_every_file_is_there(adapter: Path, base: Path, tmp_path: Path) -> None:
    (base / "LICENSE").write_text("of the base")
    (base / "README.md").write_text("about the base")
    merge(adapter, str(base), tmp_path / "out")
    out = tmp_path / "out"
    assert _left(out) == _left(base) | {"parity.json", "ADAPTER.md"}
    assert (out / "ADAPTER.md").read_text() == (adapter / "README.md").read_text()
    for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "LICENSE"):
        assert (out / name).read_bytes() == (base / name).read_bytes(), name
    assert "about the base" not in (out / "README.md").read_text()
    assert f'base_model: "{base}"' in (out / "README.md").read_text()
    report = json.loads((out / "parity.json").read_text())
    assert (report["ok"], report["stored"], len(report["probes"])) == (True, "float32", 3)
    assert report["adapter"]["trainable_parameters"] == 2560
    modes = {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir() if path.name != "LICENSE"}
    assert stat.S_IMODE((out / "model.safetensors").stat().st_mode) in modes
    assert _left(tmp_path) >= {"out"}
    assert not [name for name in _left(tmp_path) if name.endswith((".part", ".old"))]


def test_the_bounds_are_the_adapters(base: Path, tmp_path: Path) -> None:
    made = make_adapter(base, tmp_path / "made", bounds=(3136, 25_088))
    # A base as on the hub: old names, and a processor_config.json that newer transformers prefer.
    images = json.loads((base / "preprocessor_config.json").read_text())
    (base / "processor_config.json").write_text(json.dumps({"image_processor": images, "processor_class": "X"}))
    rewrite_json(base / "preprocessor_config.json", min_pixels=784, max_pixels=784 * 9)
    merged = merge(made, str(base), tmp_path / "out")
    assert (merged.own_bounds, merged.bounds) == (True, Bounds(3136, 25_088))
    assert pixel_bounds(tmp_path / "out") == Bounds(3136, 25_088)
    for name in ("preprocessor_config.json", "processor_config.json"):
        values = json.loads((tmp_path / "out" / name).read_text())
        values = values.get("image_processor", values)
        assert values["size"] == {"shortest_edge": 3136, "longest_edge": 25_088}, name
        assert (values["min_pixels"], values["max_pixels"]) == (3136, 25_088), name
    assert merged.parity.ok


def test_an_adapter_without_bounds_keeps_the_bases(adapter: Path, base: Path, tmp_path: Path) -> None:
    (adapter / "preprocessor_config.json").unlink()
    merged = merge(adapter, str(base), tmp_path / "out")
    assert (merged.own_bounds, merged.bounds) == (False, Bounds(12_544, 12_544))


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen3_vl"])
def test_other_families(family: str, tmp_path: Path) -> None:
    base = save_tiny(family, tmp_path / "base")
    made = make_adapter(base, tmp_path / "adapter")
    merged = merge(made, str(base), tmp_path / "out")
    assert merged.parity.ok, merged.parity.reason
    assert _tensors(base).keys() == _tensors(tmp_path / "out").keys()


async def test_the_embedded_model_predicts_the_same_merged(embedded_adapter: Path, tmp_path: Path) -> None:
    """Stored in bfloat16, through prediction's own client: the words are those of base and adapter."""
    from anomagent.models.embedded import DIRECTORY

    merged = await asyncio.to_thread(merge, embedded_adapter, "embedded", tmp_path / "out")
    assert (merged.parity.ok, merged.parity.stored, merged.parity.computed) == (True, "bfloat16", "float32")
    Image.linear_gradient("L").save(tmp_path / "a.png")
    request = Request(render_report(), str(tmp_path / "a.png"), "a", 10**6, 24, None)
    texts: list[str] = []
    for source in (QwenSource(str(DIRECTORY), adapter=str(embedded_adapter)), QwenSource(str(tmp_path / "out"))):
        client = QwenVLClient(source)
        texts.append((await client.complete(request)).text)
        await client.aclose()
    assert texts[0] == texts[1] != ""


def test_another_number_format(adapter: Path, base: Path, tmp_path: Path) -> None:
    merged = merge(adapter, str(base), tmp_path / "out", dtype="bfloat16")
    assert {str(tensor.dtype) for tensor in _tensors(tmp_path / "out").values()} == {"torch.bfloat16"}
    assert json.loads((tmp_path / "out/config.json").read_text())["dtype"] == "bfloat16"
    assert merged.parity.stored == "bfloat16"


def test_weights_in_several_files(adapter: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "SHARD", "100KB")
    assert merge(adapter, str(base), tmp_path / "out").parity.ok
    index = json.loads((tmp_path / "out/model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    assert index["weight_map"].keys() == _tensors(base).keys()
