"""Merges that cannot be: said in one line, before hours are spent, and nothing is left of them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anomagent.errors import ConfigurationError, UsageError
from anomagent.finetune.serving import bases
from anomagent.finetune.serving import merge as merging
from anomagent.finetune.serving.merge import merge
from tests.finetune.serving.made import make_adapter, rewrite_json, rewrite_tensors


def _left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _tensors(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def test_a_merge_that_went_wrong_says_so(
    adapter: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = merging._save  # pyright: ignore[reportPrivateUsage]

    def forget(model: Any, base: Any, bounds: Any, stored: str, folder: Path) -> None:
        save(model, base, bounds, stored, folder)
        shutil.copyfile(base.directory / "model.safetensors", folder / "model.safetensors")

    monkeypatch.setattr(merging, "_save", forget)
    merged = merge(adapter, str(base), tmp_path / "out")
    assert not merged.parity.ok
    assert "logits differ by" in merged.parity.reason
    assert "FAILED" in (tmp_path / "out/README.md").read_text()
    assert not json.loads((tmp_path / "out/parity.json").read_text())["ok"]


def test_an_adapter_too_weak_for_the_format_says_so(base: Path, tmp_path: Path) -> None:
    made = make_adapter(base, tmp_path / "weak", strength=1e-5)
    merged = merge(made, str(base), tmp_path / "out", dtype="bfloat16")
    assert "bfloat16 rounds it away: give --dtype float32" in merged.parity.reason
    assert merge(made, str(base), tmp_path / "exact", dtype="float32").parity.ok


def test_what_exists_is_not_replaced(adapter: Path, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="exists; give --force"):
        merge(adapter, str(base), out)
    with pytest.raises(UsageError, match="was not written by a merge"):
        merge(adapter, str(base), out, force=True)
    assert _left(out) == {"thesis.txt"}
    merge(adapter, str(base), tmp_path / "again")
    (tmp_path / "again/old.txt").write_text("x")
    merge(adapter, str(base), tmp_path / "again", force=True)
    assert "old.txt" not in _left(tmp_path / "again")
    with pytest.raises(UsageError, match="its folder does not exist"):
        merge(adapter, str(base), tmp_path / "none/out")


def test_base_and_adapter_are_not_replaced(adapter: Path, base: Path, tmp_path: Path) -> None:
    for out in (base, adapter, adapter.parent):
        (out / "parity.json").write_text("{}")
        with pytest.raises(UsageError, match="holds the base or the adapter"):
            merge(adapter, str(base), out, force=True)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", ""])
def test_a_device_that_is_not_here(adapter: Path, base: Path, tmp_path: Path, device: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--device {device}: is not here"):
        merge(adapter, str(base), tmp_path / "out", device=device)


def test_too_little_memory(adapter: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(bases, "placed", refuse)
    with pytest.raises(UsageError, match="base: does not fit into memory"):
        merge(adapter, str(base), tmp_path / "out")
    assert "out" not in _left(tmp_path)


def test_a_quantised_base(adapter: Path, base: Path, tmp_path: Path) -> None:
    rewrite_json(base / "config.json", quantization_config={"quant_method": "awq", "bits": 4})
    with pytest.raises(UsageError, match=r"is quantised \(awq\).*bfloat16"):
        merge(adapter, str(base), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_base_in_eight_bits(adapter: Path, base: Path, tmp_path: Path) -> None:
    rewrite_json(base / "config.json", dtype="float8_e4m3fn")
    with pytest.raises(UsageError, match="its weights are float8_e4m3fn"):
        merge(adapter, str(base), tmp_path / "out")


def test_weights_that_a_base_uses_twice(base: Path, tmp_path: Path) -> None:
    made = make_adapter(base, tmp_path / "head", target_modules=["lm_head"], ensure_weight_tying=False)
    with pytest.raises(UsageError, match=r"adapts lm_head, whose weights the base uses twice"):
        merge(made, str(base), tmp_path / "out")


def test_an_adapter_with_numbers_that_are_none(adapter: Path, base: Path, tmp_path: Path) -> None:
    rewrite_tensors(adapter, lambda tensors: {name: tensor / 0 for name, tensor in tensors.items()})
    with pytest.raises(UsageError, match="not finite"):
        merge(adapter, str(base), tmp_path / "out")


def test_a_base_without_a_tokenizer(adapter: Path, base: Path, tmp_path: Path) -> None:
    (base / "tokenizer.json").write_text("{}")
    with pytest.raises(UsageError, match="base: its tokenizer cannot be loaded"):
        merge(adapter, str(base), tmp_path / "out")
    (base / "tokenizer.json").unlink()
    with pytest.raises(UsageError, match="base: its tokenizer cannot be loaded"):
        merge(adapter, str(base), tmp_path / "out")


def test_damaged_weights_of_the_base(adapter: Path, base: Path, tmp_path: Path) -> None:
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(UsageError, match=r"base: cannot be loaded"):
        merge(adapter, str(base), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_weights_of_the_base(adapter: Path, base: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = _tensors(base)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"1 tensors are missing, such as .*up_proj"):
        merge(adapter, str(base), tmp_path / "out")


def test_too_little_room_is_said_before_anything_is_loaded(
    adapter: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(UsageError, match=r"needs 0\.02 GB, its disk has 0\.00 GB free"):
        merge(adapter, str(base), tmp_path / "out")
    # bfloat16 takes half of the float32 that the base is in; what is kept free for the other files is 2^24 bytes.
    weights = (base / "model.safetensors").stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**24 + weights // 2))
    with pytest.raises(UsageError, match="needs"):
        merge(adapter, str(base), tmp_path / "out")
    merge(adapter, str(base), tmp_path / "half", dtype="bfloat16")
    assert "out" not in _left(tmp_path)


def _full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _full_while_saving() -> Exception:
    from safetensors import SafetensorError

    return SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize("failure", [_full, _full_while_saving], ids=["a file", "the weights"])
def test_a_disk_that_fills_while_saving(
    adapter: Path,
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: Callable[[], Exception],
) -> None:
    merge(adapter, str(base), tmp_path / "out")
    old = (tmp_path / "out/parity.json").read_text()

    def fill(model: Any, base: Any, bounds: Any, stored: str, folder: Path) -> None:
        (folder / "model.safetensors").write_text("half")
        raise failure()

    monkeypatch.setattr(merging, "_save", fill)
    with pytest.raises(UsageError, match="out: not written: disk full; free space"):
        merge(adapter, str(base), tmp_path / "out", force=True)
    assert (tmp_path / "out/parity.json").read_text() == old
    assert not [name for name in _left(tmp_path) if name.startswith(".")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT TESTED: a full disk; mounting one needs Linux and root ({done.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_real_disk_that_fills(adapter: Path, base: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "check_room", lambda *_: None)
    with pytest.raises(UsageError, match="out: not written: disk full; free space"):
        merge(adapter, str(base), small_disk / "out")
    assert not _left(small_disk)
