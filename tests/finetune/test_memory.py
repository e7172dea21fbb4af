"""The memory estimate is its formula, and for the published recipe it lies where such runs do."""

from __future__ import annotations

from anomagent.finetune.memory import Load, Numbers, estimate
from tests.finetune.sizes import qwen2_5_vl_7b

TOTAL, TRAINED, LAYERS = 8_293_026_816, 860_160, 6_525_288_448


def seven_billion(load: Load, **numbers: bool) -> dict[str, int]:
    return estimate(qwen2_5_vl_7b(), Numbers(TOTAL, TRAINED, LAYERS, 2, **numbers), load)


def test_parts_by_hand() -> None:
    parts = seven_billion(Load(batch=4, tokens=1_000, columns=200, patches=4 * 3_136))
    assert parts["weights"] == 2 * TOTAL
    assert parts["adapter"] == 16 * 860_160
    # 28 layers x 4000 places x 3584 x 2 bytes.
    assert parts["checkpoints"] == 802_816_000
    # 2 x 4000 x (27 x 3584 + 4 x 512 + 6 x 18944) = 8000 x 212480.
    assert parts["layer"] == 1_699_840_000
    # 4 x 200 x 152064 x (2 x 2 + 8).
    assert parts["logits"] == 1_459_814_400
    assert parts["attention"] == 0
    # 12544 patches x (4 x 14 x 14 x 2 x 3 + 16 x 1280).
    assert parts["image"] == 12_544 * 25_184
    assert parts["total"] == sum(size for name, size in parts.items() if name != "total")


def test_the_recipe_fits_a_gpu_of_48_gb_only_with_recomputation() -> None:
    load = Load(batch=4, tokens=1_600, columns=500, patches=4 * 3_136)
    assert 20 * 2**30 < seven_billion(load)["total"] < 31 * 2**30
    assert seven_billion(load, checkpointing=False)["total"] > 48 * 2**30


def test_four_bits_shrink_the_layers_alone() -> None:
    load = Load(1, 1_600, 500, 3_136)
    saved = seven_billion(load)["weights"] - seven_billion(load, four_bits=True)["weights"]
    assert saved == round(LAYERS * (2 - 0.56))
