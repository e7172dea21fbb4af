"""Adapters on the disk: what is read of them, and every way in which they are no good."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anomagent.errors import UsageError
from anomagent.finetune.serving.adapters import check_keys, expected_shapes, read_adapter, weight_problem
from anomagent.finetune.serving.bases import find_base
from anomagent.finetune.serving.bounds import Bounds
from tests.finetune.serving.made import make_adapter, rewrite_json, rewrite_tensors
from tests.models.tiny import save_tiny


def test_what_an_adapter_is(adapter: Path, base: Path) -> None:
    read = read_adapter(adapter)
    assert (read.rank, read.config.alpha, read.config.dropout, read.config.base) == (8, 16.0, 0.5, str(base))
    assert (read.layers, read.kinds) == ([0, 1], ["k_proj", "q_proj", "v_proj"])
    assert read.modules[0] == "model.language_model.layers.0.self_attn.k_proj"
    # Hidden size 32; q gives 2 heads x 16, k and v one: 8 x 32 + 32 x 8 and twice 8 x 32 + 16 x 8, in two layers.
    assert read.parameters == 2 * (512 + 384 + 384)
    assert read.bounds == Bounds(12_544, 12_544)
    assert weight_problem(read) is None
    check_keys(find_base(str(base), weights=False), read)


def test_keys_need_no_weights(adapter: Path, base: Path) -> None:
    (base / "model.safetensors").unlink()
    assert expected_shapes(find_base(str(base), weights=False), read_adapter(adapter)) == read_adapter(adapter).shapes
    with pytest.raises(UsageError, match="has no weights as safetensors"):
        find_base(str(base), weights=True)


def test_the_recipe_of_the_paper_has_860160_parameters(adapter: Path, tmp_path: Path) -> None:
    """7 of 28 layers, q, k and v at rank 8 (SPEC 5): 8 x (3584 + 3584) + 2 x 8 x (3584 + 512) = 122,880 a layer."""
    config: dict[str, Any] = {"model_type": "qwen2_5_vl", "architectures": ["Qwen2_5_VLForConditionalGeneration"]}
    config["text_config"] = {
        "hidden_size": 3584,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "intermediate_size": 18944,
        "vocab_size": 152_064,
        "model_type": "qwen2_5_vl_text",
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
    }
    big = tmp_path / "big"
    big.mkdir()
    (big / "config.json").write_text(json.dumps(config))
    targets = r".*language_model\.layers\.(0|4|8|12|16|20|24)\.self_attn\.(q_proj|k_proj|v_proj)"
    rewrite_json(adapter / "adapter_config.json", target_modules=targets)
    shapes = expected_shapes(find_base(str(big), weights=False), read_adapter(adapter))
    assert sum(rows * columns for rows, columns in shapes.values()) == 7 * 122_880 == 860_160


@dataclass(frozen=True)
class Case:
    id: str
    damage: Callable[[Path], object]
    says: str


def _keep(adapter: Path, wanted: Callable[[str], bool]) -> None:
    rewrite_tensors(adapter, lambda tensors: {name: tensor for name, tensor in tensors.items() if wanted(name)})


def _cut(adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _pickle(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")


def _config(**values: Any) -> Callable[[Path], None]:
    return lambda adapter: rewrite_json(adapter / "adapter_config.json", **values)


def _write(name: str, content: str) -> Callable[[Path], object]:
    return lambda adapter: (adapter / name).write_text(content)


UNREADABLE = (
    Case("no directory", shutil.rmtree, "there is no such directory"),
    Case("no configuration", lambda a: (a / "adapter_config.json").unlink(), "is no adapter, it has no adapter_config"),
    Case("no json", _write("adapter_config.json", "{"), "cannot be read"),
    Case("a list", _write("adapter_config.json", "[]"), "is no LoRA adapter's"),
    Case("nested deeply", _write("adapter_config.json", "[" * 100_000), "cannot be read"),
    Case("huge", _write("adapter_config.json", " " * 2**21), "larger than any adapter's"),
    Case("another method", _config(peft_type="IA3"), "is no LoRA adapter's (peft_type"),
    Case("rank 0", _config(r=0), "is no LoRA adapter's (r"),
    Case("foreign code", _config(megatron_config={"a": 1}), "megatron_config is set"),
    Case("no weights", lambda a: (a / "adapter_model.safetensors").unlink(), "the weights are missing"),
    Case("a pickle", _pickle, "is a pickle"),
    Case("cut off", _cut, "is damaged or cut off"),
    Case("empty file", _write("adapter_model.safetensors", ""), "is damaged or cut off"),
    Case("no tensor", lambda a: _keep(a, lambda name: False), "holds no tensor"),
)


@pytest.mark.parametrize("case", UNREADABLE, ids=lambda case: case.id)
def test_what_is_no_adapter(adapter: Path, case: Case) -> None:
    case.damage(adapter)
    with pytest.raises(UsageError) as error:
        read_adapter(adapter)
    assert case.says in str(error.value)
    assert str(adapter) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_run_and_a_whole_model_are_named(adapter: Path, base: Path) -> None:
    with pytest.raises(UsageError, match=f"perhaps {adapter}"):
        read_adapter(adapter.parent)
    with pytest.raises(UsageError, match="this is a whole model"):
        read_adapter(base)


def _old(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("model.language_model.layers", "model.layers"): tensor for name, tensor in tensors.items()}


def _wider(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.repeat(1, 2) for name, tensor in tensors.items()}


FOREIGN = (
    Case("old layout", lambda a: rewrite_tensors(a, _old), "is a name of the old layout"),
    Case("missing", lambda a: _keep(a, lambda name: "layers.1.self_attn.v_proj" not in name), "2 of 12 tensors"),
    Case("extra", _config(target_modules=r".*language_model\.layers\.0\.self_attn\.q_proj"), "10 tensors are of"),
    Case("shape", lambda a: rewrite_tensors(a, _wider), "the base wants"),
    Case("no module", _config(target_modules=r"model\.layers\.0\.q_proj"), "has not the modules of this adapter"),
    Case("no regex", _config(target_modules="("), "has not the modules of this adapter"),
)


@pytest.mark.parametrize("case", FOREIGN, ids=lambda case: case.id)
def test_an_adapter_that_does_not_fit(adapter: Path, base: Path, case: Case) -> None:
    case.damage(adapter)
    with pytest.raises(UsageError) as error:
        check_keys(find_base(str(base), weights=False), read_adapter(adapter))
    assert case.says in str(error.value)
    assert "\n" not in str(error.value)


def test_an_adapter_of_another_base(adapter: Path, tmp_path: Path) -> None:
    other = save_tiny("qwen3_vl", tmp_path / "other")
    read = read_adapter(adapter)
    # Two families with the same modules and sizes cannot be told apart by keys; the name of the base tells them.
    check_keys(find_base(str(other), weights=False), read)
    config = json.loads((other / "config.json").read_text())["text_config"]
    fewer = {"num_hidden_layers": 1, "layer_types": ["full_attention"]}
    rewrite_json(other / "config.json", text_config=config | fewer)
    with pytest.raises(UsageError, match="6 tensors are of no module of the base"):
        check_keys(find_base(str(other), weights=False), read)


def test_a_configuration_that_contradicts_itself(adapter: Path, base: Path) -> None:
    config = json.loads((base / "config.json").read_text())["text_config"]
    rewrite_json(base / "config.json", text_config=config | {"num_hidden_layers": 1})
    with pytest.raises(UsageError, match=r"its config\.json makes no model .*must be equal"):
        check_keys(find_base(str(base), weights=False), read_adapter(adapter))


def test_numbers_that_are_none(adapter: Path) -> None:
    rewrite_tensors(adapter, lambda tensors: {name: tensor / 0 for name, tensor in tensors.items()})
    assert "not finite" in str(weight_problem(read_adapter(adapter)))


def test_an_untrained_adapter(adapter: Path) -> None:
    rewrite_tensors(adapter, lambda t: {name: tensor * ("lora_A" in name) for name, tensor in t.items()})
    assert "nothing was trained" in str(weight_problem(read_adapter(adapter)))


@pytest.mark.parametrize(("least", "most"), [(0, 10), (10, 5), ("a", 5), (None, None)])
def test_pixel_bounds_that_are_none(adapter: Path, least: object, most: object) -> None:
    rewrite_json(adapter / "preprocessor_config.json", size={"shortest_edge": least, "longest_edge": most})
    with pytest.raises(UsageError, match=r"preprocessor_config|image processor"):
        _ = read_adapter(adapter).bounds


def test_bounds_under_their_old_names(adapter: Path) -> None:
    rewrite_json(adapter / "preprocessor_config.json", min_pixels=50_176, max_pixels=614_656)
    assert read_adapter(adapter).bounds == Bounds(50_176, 614_656)


@pytest.mark.parametrize(
    ("content", "says"),
    [('{"model_type": "bert"}', "of type bert"), ("[]", "of type None"), ("{", "no readable configuration")],
)
def test_a_base_of_no_use(base: Path, content: str, says: str) -> None:
    (base / "config.json").write_text(content)
    with pytest.raises(UsageError, match=says):
        find_base(str(base), weights=False)


def test_a_base_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such directory"):
        find_base(str(tmp_path / "none"), weights=False)


def test_names_of_a_base(base: Path) -> None:
    found = find_base(str(base), weights=False)
    assert found.is_called(str(base))
    assert found.is_called("owner/base")
    assert not found.is_called("owner/other")
    assert not found.is_called(str(base.parent))


def test_an_adapter_for_the_perceptron_is_read(base: Path, tmp_path: Path) -> None:
    made = make_adapter(base, tmp_path / "mlp", modules="up_proj|down_proj", rank_pattern={"up_proj": 16})
    read = read_adapter(made)
    assert (read.kinds, read.rank) == (["down_proj", "up_proj"], 16)
    check_keys(find_base(str(base), weights=False), read)
