"""`anomagent finetune merge` as its user meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from anomagent.finetune.serving import merge as merging
from anomagent.finetune.serving import probes
from tests.cli.conftest import Cli
from tests.finetune.serving.made import make_adapter, rewrite_json
from tests.models.tiny import save_tiny


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "TOKENS", 10)


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merge")
    make_adapter(save_tiny("qwen2_5_vl", folder / "base"), folder / "adapter")
    return folder


@pytest.fixture(autouse=True)
def here(_made: Path, tmp_path: Path) -> Path:
    """The current folder, with base and adapter."""
    copy = shutil.copytree(_made, tmp_path, dirs_exist_ok=True)
    rewrite_json(copy / "adapter/adapter_config.json", base_model_name_or_path=str(copy / "base"))
    return copy


def test_a_merge(cli: Cli, here: Path) -> None:
    done = cli("finetune", "merge", "adapter", "--base", "base", "--out", "merged")
    assert done.code == 0, done.err
    assert f"wrote {here / 'merged'} in float32, for images of 12,544 to 12,544 pixels" in done.out
    assert "greedy answers to 3 probes: equal" in done.out
    assert [line for line in done.err.splitlines() if line] == [
        "loading base and adapter",
        "merging and saving",
        "comparing the merged model with base and adapter",
    ]
    again = cli("finetune", "merge", "adapter", "--base", "base", "--out", "merged")
    assert (again.code, again.err) == (
        2,
        "anomagent: merged: exists; give --force to replace it, or choose another --out\n",
    )


def test_json(cli: Cli, here: Path) -> None:
    done = cli("finetune", "merge", "adapter", "--base", "base", "--out", "merged", "--json")
    report = json.loads(done.out)
    assert report.pop("out") == str(here / "merged")
    assert report == json.loads((here / "merged/parity.json").read_text())
    assert (report["ok"], report["pixel_bounds"]) == (True, {"min_pixels": 12_544, "max_pixels": 12_544})


def test_a_merge_that_differs(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = merging._save  # pyright: ignore[reportPrivateUsage]

    def forget(model: object, base: object, bounds: object, stored: str, folder: Path) -> None:
        save(model, base, bounds, stored, folder)  # pyright: ignore[reportArgumentType]
        shutil.copyfile(here / "base/model.safetensors", folder / "model.safetensors")

    monkeypatch.setattr(merging, "_save", forget)
    done = cli("finetune", "merge", "adapter", "--base", "base", "--out", "merged")
    assert done.code == 3
    assert "anomagent: merged: differs from base and adapter: probe 336 x 448: logits differ" in done.err
    assert (here / "merged/parity.json").is_file()


def test_notes_about_the_base_and_the_bounds(cli: Cli, here: Path) -> None:
    rewrite_json(here / "adapter/adapter_config.json", base_model_name_or_path="Owner/Other")
    (here / "adapter/preprocessor_config.json").unlink()
    done = cli("finetune", "merge", "adapter", "--base", "base", "--out", "merged", "--dtype", "bfloat16")
    assert done.code in (0, 3)
    assert "the adapter names another base, Owner/Other; its tensors fit base" in done.err
    assert "the adapter stores no pixel bounds; the base's are kept (12,544 to 12,544 pixels)" in done.err
    assert "in bfloat16" in done.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("none", "--base", "base"), "none: there is no such directory"),
        (("adapter", "--base", "adapter"), "adapter/config.json: no readable configuration"),
        (("adapter", "--base", "/none"), "/none: there is no such directory"),
        (("adapter", "--base", "base", "--tolerance", "0"), "--tolerance 0.0: give a part"),
    ],
)
def test_wrong_use(cli: Cli, here: Path, arguments: tuple[str, ...], says: str) -> None:
    done = cli("finetune", "merge", *arguments, "--out", "merged")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert says in done.err
    assert not (here / "merged").exists()
