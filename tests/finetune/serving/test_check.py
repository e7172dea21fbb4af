"""The checks of an adapter: each failure is one line of its own, and what could not be looked at is never ok."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anomagent.errors import UsageError
from anomagent.finetune.serving.adapters import read_adapter
from anomagent.finetune.serving.bounds import Bounds
from anomagent.finetune.serving.check import Checked, check_adapter
from anomagent.finetune.serving.checklist import Checklist, NotChecked
from anomagent.finetune.serving.commands import serve_command, served_name, serving_problem
from tests.finetune.serving.made import make_adapter, rewrite_json, rewrite_tensors

NAMES = ["files", "weights", "pixel bounds", "servable", "base", "keys", "effect"]


def _outcomes(checked: Checked) -> dict[str, str]:
    return {check.name: check.status for check in checked.checklist.checks}


def _detail(checked: Checked, name: str) -> str:
    return next(check.detail for check in checked.checklist.checks if check.name == name)


def test_a_good_adapter(adapter: Path, base: Path) -> None:
    checked = check_adapter(adapter, str(base))
    assert _outcomes(checked) == dict.fromkeys(NAMES, "ok")
    assert not checked.checklist.failed
    assert "rank 8, alpha 16, on k_proj, q_proj, v_proj of layers 0, 1: 6 modules, 2,560" in _detail(checked, "files")
    assert checked.model is not None
    # The base that it names is what it is checked against by default.
    assert _outcomes(check_adapter(adapter, None, load=False))["keys"] == "ok"


def test_what_is_not_loaded_is_not_ok(adapter: Path, base: Path) -> None:
    checked = check_adapter(adapter, str(base), load=False)
    assert _outcomes(checked) == dict.fromkeys(NAMES[:-1], "ok") | {"effect": "not checked"}
    assert not checked.checklist.failed


def test_without_the_weights_of_the_base_keys_are_checked_all_the_same(adapter: Path, base: Path) -> None:
    (base / "model.safetensors").unlink()
    checked = check_adapter(adapter, str(base))
    assert _outcomes(checked) == dict.fromkeys(NAMES[:-1], "ok") | {"effect": "not checked"}
    assert "the weights of" in _detail(checked, "effect")


@dataclass(frozen=True)
class Case:
    id: str
    damage: Callable[[Path], object]
    failed: set[str]
    not_checked: set[str]
    says: str


def _config(**values: Any) -> Callable[[Path], None]:
    return lambda adapter: rewrite_json(adapter / "adapter_config.json", **values)


def _tensors(change: Callable[[str, Any], tuple[str, Any]]) -> Callable[[Path], None]:
    return lambda adapter: rewrite_tensors(adapter, lambda t: dict(change(*item) for item in t.items()))


def _cut(adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


CASES = (
    Case("cut off", _cut, {"files"}, set(NAMES[1:]), "copy or save it again"),
    Case("no numbers", _tensors(lambda n, t: (n, t / 0)), {"weights"}, {"effect"}, "not finite"),
    Case("untrained", _tensors(lambda n, t: (n, t * ("lora_A" in n))), {"weights"}, {"effect"}, "train it"),
    Case("no bounds", lambda a: (a / "preprocessor_config.json").unlink(), {"pixel bounds"}, set(), "copy the one of"),
    Case("another base", _config(base_model_name_or_path="Owner/Other"), {"base"}, set(), "was trained on Owner/Other"),
    Case("no base", _config(base_model_name_or_path=None), set(), {"base"}, "names no base"),
    Case("old keys", _tensors(lambda n, t: (n.replace("language_model.", ""), t)), {"keys"}, {"effect"}, "old layout"),
    Case("DoRA", _config(use_dora=True), {"servable", "keys"}, {"effect"}, "vLLM takes no DoRA"),
    Case("whole modules", _config(modules_to_save=["lm_head"]), {"servable", "keys"}, {"effect"}, "no whole modules"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_wrong_with_it(adapter: Path, base: Path, case: Case) -> None:
    case.damage(adapter)
    checked = check_adapter(adapter, str(base))
    outcomes = _outcomes(checked)
    assert {name for name, status in outcomes.items() if status == "failed"} == case.failed
    assert {name for name, status in outcomes.items() if status == "not checked"} == case.not_checked
    assert list(outcomes) == NAMES
    assert any(case.says in check.detail for check in checked.checklist.checks if check.status != "ok")
    assert not any("\n" in check.detail for check in checked.checklist.checks)


def test_a_base_that_is_not_there(adapter: Path, tmp_path: Path) -> None:
    outcomes = _outcomes(check_adapter(adapter, str(tmp_path / "none")))
    assert (outcomes["base"], outcomes["keys"], outcomes["effect"]) == ("failed", "not checked", "not checked")
    assert outcomes["servable"] == "ok"


def test_a_quantised_base(adapter: Path, base: Path) -> None:
    rewrite_json(base / "config.json", quantization_config={"quant_method": "gptq"})
    checked = check_adapter(adapter, str(base))
    assert _outcomes(checked)["base"] == "failed"
    assert "gptq" in _detail(checked, "base")


def test_an_adapter_that_does_nothing_here(adapter: Path, base: Path) -> None:
    """B is not zero, but A is: every product is zero."""
    rewrite_tensors(adapter, lambda t: {name: tensor * ("lora_B" in name) for name, tensor in t.items()})
    checked = check_adapter(adapter, str(base))
    assert (_outcomes(checked)["weights"], _outcomes(checked)["effect"]) == ("ok", "failed")
    assert "changes nothing" in _detail(checked, "effect")


def test_an_adapter_whose_answers_are_no_numbers(adapter: Path, base: Path) -> None:
    rewrite_tensors(adapter, lambda t: {name: tensor * 0 + 3e38 for name, tensor in t.items()})
    checked = check_adapter(adapter, str(base))
    assert (_outcomes(checked)["weights"], _outcomes(checked)["effect"]) == ("ok", "failed")
    assert "is not a number" in _detail(checked, "effect")


def test_lora_on_the_vision_tower_is_not_served(base: Path, tmp_path: Path) -> None:
    made = make_adapter(base, tmp_path / "vision", target_modules=r".*visual\.blocks\.0\.attn\.qkv")
    problem = serving_problem(read_adapter(made))
    assert problem == "vLLM ignores LoRA outside of the language model's layers, as on model.visual.blocks.0.attn.qkv"


def test_the_command_that_serves(adapter: Path) -> None:
    assert serve_command(
        read_adapter(adapter), "Qwen/Qwen2.5-VL-7B-Instruct", "anomreasonor", Bounds(50_176, 614_656)
    ) == (
        "vllm serve Qwen/Qwen2.5-VL-7B-Instruct --enable-lora --max-lora-rank 8"
        f" --lora-modules anomreasonor={adapter} --limit-mm-per-prompt '{{\"image\":1}}'"
        ' --mm-processor-kwargs \'{"min_pixels":50176,"max_pixels":614656}\''
    )


@pytest.mark.parametrize(("rank", "most"), [(1, 8), (8, 8), (9, 16), (64, 64), (300, 320)])
def test_the_rank_is_one_that_vllm_takes(adapter: Path, rank: int, most: int) -> None:
    rewrite_json(adapter / "adapter_config.json", r=rank)
    assert f"--max-lora-rank {most} " in serve_command(read_adapter(adapter), "b", "n", None)


def test_a_hostile_folder_cannot_break_out_of_the_command(adapter: Path) -> None:
    evil = adapter.rename(adapter.with_name("a; rm -rf $HOME '"))
    command = serve_command(read_adapter(evil), "b; reboot", served_name(read_adapter(evil)), None)
    import shlex

    words = shlex.split(command)
    assert words[2] == "b; reboot"
    assert words[words.index("--lora-modules") + 1] == f"a-rm-rf-HOME={evil}"


def test_names_at_a_server(adapter: Path) -> None:
    assert served_name(read_adapter(adapter)) == "run"
    other = adapter.rename(adapter.with_name("anomreasonor-7b"))
    assert served_name(read_adapter(other)) == "anomreasonor-7b"


def test_a_check_that_needs_another() -> None:
    checklist = Checklist()

    def fail() -> tuple[int, str]:
        raise UsageError("no\nway")

    def skip(_: int) -> tuple[int, str]:
        raise NotChecked("why not")

    assert checklist.look("a", lambda: (1, "fine")) == 1
    assert checklist.look("b", fail) is None
    assert checklist.look("c", skip, 1) is None
    assert checklist.look("d", skip, None) is None
    assert checklist.look("e", lambda: (1, "x"), after=(None,)) is None
    assert [check.status for check in checklist.checks] == ["ok", "failed", *["not checked"] * 3]
    assert checklist.checks[1].detail == "no way"
    assert checklist.failed
