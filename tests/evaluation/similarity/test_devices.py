from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from anomagent.errors import ConfigurationError
from anomagent.evaluation.pairs import Pair
from anomagent.evaluation.similarity import Backbone, Scorer, devices, measure_precision
from anomagent.evaluation.similarity.devices import check_device, find_device, why_bf16_is_slow
from tests.evaluation.similarity.tiny import LAYER

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)


@pytest.fixture
def old_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_facts(monkeypatch, tmp_path, "flags : fpu avx2 avx512f")


def write_facts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, facts: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"model name : of wood\n{facts}\n")
    monkeypatch.setattr(devices, "_CPU_FACTS", tmp_path / "cpuinfo")


@pytest.mark.parametrize("name", ["auto", "cpu", "mps", "cuda", "cuda:0", "cuda:15"])
def test_devices_that_may_be_there(name: str) -> None:
    check_device(name)


@pytest.mark.parametrize(
    "name", ["meta", "", "CPU", "cpu:0", "cuda:", "cuda:-1", "cuda:1000", "cuda:0\n", "xla", "cuda:٣", "auto cpu"]
)
def test_what_is_no_device_is_refused_before_anything_is_loaded(name: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        Backbone(device=name)
    assert str(error.value) == f"device {name!r} is unknown; choose one of auto, cpu, cuda, cuda:N, mps"


def test_auto_is_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert find_device("auto") == expected
    assert find_device("cpu") == "cpu"


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(ConfigurationError, match=r"^device cuda:999 cannot be used here; choose auto or cpu$"):
        find_device("cuda:999")


@pytest.mark.parametrize(
    ("facts", "slow"),
    [
        ("flags : fpu avx2 avx512f", True),
        ("flags : fpu avx512_bf16", False),
        ("flags : fpu amx_bf16 amx_tile", False),
        ("Features : fp asimd", True),
        ("Features : fp asimd bf16", False),
        ("isa : rv64imafdc", False),  # nobody knows
    ],
)
def test_a_cpu_without_bf16(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, facts: str, slow: bool) -> None:
    write_facts(monkeypatch, tmp_path, facts)
    said = why_bf16_is_slow(CPU)
    assert bool(said) == slow
    assert not slow or said == (
        "this CPU has neither amx_bf16 nor avx512_bf16: bf16 is no faster here; --precision fp32 is exact"
    )


def test_a_system_that_says_nothing_of_its_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "_CPU_FACTS", tmp_path / "nowhere")
    assert why_bf16_is_slow(CPU) is None


@pytest.mark.parametrize("able", [True, False])
def test_a_gpu_is_asked_itself(monkeypatch: pytest.MonkeyPatch, old_cpu: None, able: bool) -> None:
    asked: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "device", lambda device: asked.append(device) or nullcontext())
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: able and not including_emulation)
    said = why_bf16_is_slow(GPU)
    assert asked == [GPU]
    assert said is None if able else said and said.startswith("this GPU has no bf16 arithmetic")


def test_the_scorer_says_it_once_and_of_bf16_only(tiny_bert: Backbone, old_cpu: None, pairs: list[Pair]) -> None:
    notes: list[str] = []
    Scorer(tiny_bert, note=notes.append)
    assert notes == []
    short = Backbone(tiny_bert.name, LAYER, "bf16", "cpu")
    scorer = Scorer(short, note=notes.append)
    assert len(list(scorer.similarities(pairs))) == len(pairs)
    measure_precision(short, pairs)
    assert [note[:8] for note in notes] == ["this CPU"]
