"""`anomagent finetune check` as its user meets it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from anomagent.finetune.serving import probes
from anomagent.models.embedded import DIRECTORY
from tests.cli.conftest import Cli
from tests.finetune.serving.made import make_adapter, rewrite_json
from tests.finetune.serving.vllm import VLLM
from tests.models.server import Server
from tests.models.tiny import save_tiny


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "TOKENS", 10)


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    make_adapter(save_tiny("qwen2_5_vl", folder / "base"), folder / "adapter", bounds=(3136, 25_088))
    make_adapter(DIRECTORY, folder / "words", layers="0|4", strength=0.05)
    return folder


@pytest.fixture(autouse=True)
def here(_made: Path, tmp_path: Path) -> Path:
    """The current folder, with base and adapter."""
    copy = shutil.copytree(_made, tmp_path, dirs_exist_ok=True)
    rewrite_json(copy / "adapter/adapter_config.json", base_model_name_or_path=str(copy / "base"))
    return copy


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def test_a_good_adapter(cli: Cli, here: Path) -> None:
    done = cli("finetune", "check", "adapter", "--base", "base")
    assert (done.code, done.err) == (0, "loading base and the adapter\n")
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[:7]] == ["ok"] * 7
    assert lines[2] == "ok          pixel bounds  3,136 to 25,088 pixels, stored with the adapter"
    assert lines[-1].startswith("vllm serve base --enable-lora --max-lora-rank 8 --lora-modules ")
    assert '--mm-processor-kwargs \'{"min_pixels":3136,"max_pixels":25088}\'' in lines[-1]


def test_a_failed_check(cli: Cli, here: Path) -> None:
    (here / "adapter/preprocessor_config.json").unlink()
    done = cli("finetune", "check", "adapter", "--base", "base", "--no-load")
    assert (done.code, done.err) == (3, "")
    assert "failed      pixel bounds  no preprocessor_config.json beside the adapter" in done.out
    assert "not checked effect        weights were not to be loaded" in done.out


def test_json(cli: Cli, here: Path) -> None:
    done = cli("finetune", "check", "adapter", "--no-load", "--json")
    found = json.loads(done.out)
    assert (found["failed"], found["pixel_bounds"]) == (False, {"min_pixels": 3136, "max_pixels": 25_088})
    assert found["adapter"]["trainable_parameters"] == 2560
    assert found["checks"][-1] == {
        "name": "effect",
        "status": "not checked",
        "detail": "weights were not to be loaded",
    }
    assert found["serve"].startswith(f"vllm serve {here / 'base'} --enable-lora")


def test_json_of_no_adapter(cli: Cli) -> None:
    done = cli("finetune", "check", "none", "--json")
    found = json.loads(done.out)
    assert (done.code, found["adapter"], found["serve"], found["failed"]) == (3, None, None, True)


def test_a_served_adapter_and_one_under_other_bounds(cli: Cli, here: Path, server: Server) -> None:
    vllm = VLLM.of("embedded", here / "words", here)
    server.script = vllm
    arguments = ("words", "--base", "embedded", "--base-url", server.url, "--model", "ours", "--base-model", "base")
    good = cli("finetune", "check", *arguments, "--no-load")
    assert good.code == 0, good.out
    assert "ok          served bounds   pictures take" in good.out
    assert "not checked served answers  base and adapter are not in memory here" in good.out
    assert f"vllm serve {DIRECTORY} --enable-lora" in good.out
    assert "--lora-modules ours=" in good.out
    vllm.with_bounds(12_544, 12_544)
    bad = cli("finetune", "check", *arguments, "--no-load")
    assert bad.code == 3
    assert "the server seems to use other bounds (these pictures became" in bad.out


def test_the_command_alone(cli: Cli, here: Path) -> None:
    done = cli("finetune", "check", "adapter", "--base", "Qwen/Qwen2.5-VL-7B-Instruct", "--model", "a", "--print-serve")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"vllm serve Qwen/Qwen2.5-VL-7B-Instruct --enable-lora --max-lora-rank 8 --lora-modules a={here / 'adapter'}"
        ' --limit-mm-per-prompt \'{"image":1}\' --mm-processor-kwargs \'{"min_pixels":3136,"max_pixels":25088}\'\n'
    )
    rewrite_json(here / "adapter/adapter_config.json", use_dora=True)
    refused = cli("finetune", "check", "adapter", "--print-serve")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "vLLM takes no DoRA; serve a merged model" in refused.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--base-model", "base"), "--base-model is a name at a server; give --base-url"),
        (("--base-url", "localhost", "--no-load"), "is no URL of a server"),
    ],
)
def test_wrong_use(cli: Cli, arguments: tuple[str, ...], says: str) -> None:
    done = cli("finetune", "check", "adapter", *arguments)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert says in done.err
