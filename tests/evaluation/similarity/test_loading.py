from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import sentencepiece
from safetensors.torch import load_file, save_file
from transformers import GPT2Config
from transformers.utils import logging

from anomagent.benchmark.published import published_table
from anomagent.errors import ConfigurationError
from anomagent.evaluation.similarity import KNOWN_LAYERS, Backbone
from anomagent.evaluation.similarity.content import content_hash
from anomagent.evaluation.similarity.loading import load
from tests.evaluation.similarity import tiny

HINT = "give a directory with a BERT, DistilBERT, RoBERTa, T5 or mT5: --backbone DIR --layer N"


def refusal(backbone: Backbone) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(backbone)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_benchmarks_backbones() -> None:
    depths = {name: Backbone(name).depth for name in KNOWN_LAYERS}
    assert depths == {"distilbert-base-uncased": 5, "roberta-large-mnli": 19, "google/mt5-large": 19}
    assert Backbone().name == "distilbert-base-uncased"
    assert Backbone("roberta-large-mnli", 3).depth == 3


def test_settings_that_cannot_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="say with --layer N"):
        Backbone(str(tmp_path))
    with pytest.raises(ConfigurationError, match="layers count from 1"):
        Backbone(str(tmp_path), 0)
    with pytest.raises(ConfigurationError, match="choose one of fp32, bf16"):
        Backbone(precision="fp8")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="there is no directory"):
        Backbone(str(tmp_path / "nowhere"), 3)


@pytest.mark.parametrize("name", KNOWN_LAYERS)
def test_a_local_directory_never_passes_for_a_hubs_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.save("bert", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=rf"^backbone \./{name}: say with --layer N which layer is compared"):
        Backbone(name)
    local = Backbone(name, 2)
    assert (local.name, local.depth, local.directory) == (f"./{name}", 2, Path(name))
    assert replace(local, precision="bf16").name == local.name
    assert load(local).identity == load(Backbone(str(tmp_path / name), 2)).identity
    assert published_table(local.name) is None
    assert published_table(name) is not None


def test_names_that_no_path_can_have(tmp_path: Path) -> None:
    """They are no directories; the hub's client refuses them later in its own words."""
    for name in ("a" * 5000, "a\0b"):
        assert Backbone(name, 2).directory is None
    with pytest.raises(ConfigurationError, match="there is no directory ~nobody-of-that-name"):
        Backbone("~nobody-of-that-name/model", 2)


def test_a_layer_that_the_model_does_not_have(tiny_bert: Backbone) -> None:
    assert refusal(Backbone(tiny_bert.name, 4)) == f"backbone {tiny_bert.name} has no layer 4; choose --layer 1 to 3"
    assert load(Backbone(tiny_bert.name, 3)).model.config.num_hidden_layers == 3


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_only_the_first_layers_are_kept_without_a_word(
    family: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    directory = tiny.save(family, tmp_path)
    capfd.readouterr()
    level = logging.get_verbosity()
    model = load(Backbone(directory, 1)).model
    assert capfd.readouterr() == ("", "")
    assert logging.get_verbosity() == level
    assert not model.training
    names = {name for name, _ in model.named_parameters()}
    assert any(".0." in name for name in names)
    assert not any(f".{layer}.attention" in name or f"block.{layer}." in name for name in names for layer in (1, 2))


def test_the_identity_is_content_layer_and_precision(tmp_path: Path) -> None:
    one, two = (tiny.save("bert", tmp_path / name) for name in ("one", "two"))
    content = content_hash(tmp_path / "one")
    assert load(Backbone(one, 2)).identity == load(Backbone(two, 2)).identity == f"{content} layer 2 fp32"
    others = [Backbone(one, 1), Backbone(one, 2, precision="bf16")]
    config = json.loads((tmp_path / "two" / "config.json").read_text())
    (tmp_path / "two" / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    identities = {load(each).identity for each in [Backbone(one, 2), *others, Backbone(two, 2)]}
    assert len(identities) == 4


def test_a_family_that_is_not_supported(tmp_path: Path) -> None:
    GPT2Config(n_layer=2).save_pretrained(tmp_path)
    assert refusal(Backbone(str(tmp_path), 2)).endswith(f"cannot be loaded: it is a model of type gpt2; {HINT}")


def test_a_directory_without_a_model(tmp_path: Path) -> None:
    assert refusal(Backbone(str(tmp_path), 2)).endswith(HINT)


def test_weights_that_are_missing_or_damaged(tmp_path: Path) -> None:
    backbone = Backbone(tiny.save("bert", tmp_path), 2)
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    kept = {name: weight for name, weight in weights.items() if "layer.1.output.dense" not in name}
    save_file(kept, path, {"format": "pt"})
    assert "its weights lack encoder.layer.1.output.dense.bias and 1 more" in refusal(backbone)
    path.write_bytes(b"no weights at all")
    assert "cannot be loaded" in refusal(backbone)


def test_a_tokenizer_that_is_not_the_models(tmp_path: Path) -> None:
    directory = tiny.save("roberta", tmp_path / "a")
    other = tiny.save("t5", tmp_path / "b")
    (Path(directory) / "config.json").replace(Path(directory) / "kept.json")
    (Path(directory) / "config.json").write_bytes((Path(other) / "config.json").read_bytes())
    assert "its tokenizer has" in refusal(Backbone(directory, 2))


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("not here")

    def unreachable(*_: object, **__: object) -> None:
        raise RuntimeError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", missing)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    message = refusal(Backbone())
    assert message.startswith("backbone distilbert-base-uncased cannot be loaded: it is not on this machine")
    assert message.endswith(HINT)


def test_a_hub_models_identity_is_its_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commit = "0123456789abcdef"
    tiny.save("distilbert", tmp_path / commit)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path / commit))
    identity = load(Backbone("distilbert-base-uncased", 2)).identity
    assert identity == f"distilbert-base-uncased@{commit} layer 2 fp32"


def test_half_a_model_in_the_hubs_cache_is_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny.save("distilbert", tmp_path / "whole")
    tiny.save("distilbert", tmp_path / "half")
    (tmp_path / "half" / "tokenizer.json").unlink()
    files = [SimpleNamespace(rfilename=path.name) for path in (tmp_path / "whole").iterdir()]
    info = SimpleNamespace(sha="abc", siblings=[*files, SimpleNamespace(rfilename="pytorch_model.bin")])
    asked: list[dict[str, object]] = []

    def download(_: str, **options: object) -> str:
        asked.append(options)
        return str(tmp_path / ("half" if "local_files_only" in options else "whole"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: info)
    assert load(Backbone("distilbert-base-uncased", 2)).identity.startswith("distilbert-base-uncased@whole")
    assert asked[1]["revision"] == "abc"
    assert "pytorch_model*.bin*" not in asked[1]["allow_patterns"]  # the same weights twice


def test_a_device_that_is_not_there(tiny_bert: Backbone) -> None:
    said = refusal(Backbone(tiny_bert.name, 2, device="cuda:999"))
    assert said == "device cuda:999 cannot be used here; choose auto or cpu"


def test_a_tokenizer_that_is_a_sentencepiece_model_alone(tmp_path: Path) -> None:
    """How google/mt5-large comes from the hub: without a tokenizer.json."""
    directory = Path(tiny.save("mt5", tmp_path))
    for file in (*directory.glob("tokenizer*.json"), *directory.glob("special_tokens*.json")):
        file.unlink()
    (tmp_path / "corpus.txt").write_text("".join(f"the cat {n} sits on mat {n % 7}\n" for n in range(300)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "corpus.txt"),
        model_prefix=str(directory / "spiece"),
        vocab_size=40,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    (directory / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "T5Tokenizer", "extra_ids": 0}))
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(directory / "spiece.model"))
    found = load(Backbone(str(directory), 1)).tokenizer("the cat sits").input_ids
    assert found == [*pieces.encode("the cat sits"), 1]
