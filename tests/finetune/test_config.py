"""Configurations: the shipped recipes are the paper's, and no key, value or name is taken for another in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.errors import ConfigurationError
from anomagent.finetune.config import Data, TrainConfig, as_toml, load_config, recipe_names

DATA = ["data.train=train.jsonl"]


def test_the_papers_recipe() -> None:
    config = load_config("anomreasonor-7b", DATA)
    assert config.base == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert config.lora.model_dump() == {
        "rank": 8,
        "alpha": 16,
        "dropout": 0.5,
        "projections": ["q_proj", "k_proj", "v_proj"],
        "every": 4,
        "offset": 0,
    }
    assert (config.training.epochs, config.training.batch, config.training.accumulation) == (1, 4, 8)
    assert config.images.bounds == {"min_pixels": 50_176, "max_pixels": 614_656}
    assert config.training.token_weighting is False


def test_the_deepfake_recipe_differs_in_its_dropout_alone() -> None:
    paper, deepfake = (load_config(name, DATA) for name in ("anomreasonor-7b", "anomreasonor-7b-deepfake"))
    assert deepfake.lora.dropout == 0.9
    assert deepfake.model_copy(update={"lora": paper.lora}) == paper


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_whole_and_written_as_it_is_read(name: str, tmp_path: Path) -> None:
    config = load_config(name, DATA, tmp_path / "run")
    (tmp_path / "again.toml").write_text(as_toml(config))
    assert load_config(str(tmp_path / "again.toml")) == config


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_any_text_survives_the_file(text: str) -> None:
    import tomllib

    config = TrainConfig(base=text, data=Data(train=[Path("a")]))
    assert TrainConfig.model_validate(tomllib.loads(as_toml(config))) == config


def test_settings_are_toml_values_or_else_text() -> None:
    values = ["data.train=[\"a.jsonl\", 'b.jsonl']", "lora.rank=2", "revision=main", "training.learning_rate=1e-5"]
    # A date of TOML, but here a file.
    config = load_config("embedded", [*values, "data.eval=2026-11-22"])
    assert config.data.train == [Path("a.jsonl").absolute(), Path("b.jsonl").absolute()]
    assert config.data.eval == Path("2026-11-22").absolute()
    assert (config.lora.rank, config.revision, config.training.learning_rate) == (2, "main", 1e-5)


def test_relative_paths_count_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    config = load_config("embedded", ["base=model", *DATA], Path("run"))
    assert (config.base, config.out) == (str(tmp_path / "model"), tmp_path / "run")
    assert config.data.train == [tmp_path / "train.jsonl"]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("anomreasoner-7b", [], "did you mean anomreasonor-7b"),
        ("nowhere/a.toml", [], "no such configuration; shipped recipes: anomreasonor-7b"),
        ("embedded", [], "data.train is missing; add it, or --set data.train=..."),
        ("embedded", ["data.eval=a"], "data.train is missing"),
        ("embedded", [*DATA, "lora.rnk=3"], "unknown key lora.rnk; did you mean rank"),
        ("embedded", [*DATA, "lorra.rank=3"], "unknown key lorra; did you mean lora"),
        ("embedded", [*DATA, "lora.zzz=3"], "known there: alpha, dropout"),
        ("embedded", [*DATA, "lora.dropout=1.0"], "lora.dropout: Input should be less than 1"),
        ("embedded", [*DATA, "training.learning_rate=nan"], "training.learning_rate: "),
        ("embedded", [*DATA, 'lora.projections=["c_attn"]'], "lora.projections.0: Input should be 'q_proj'"),
        ("embedded", [*DATA, "images.min_pixels=2000", "images.max_pixels=1000"], "must not be above"),
        ("embedded", [*DATA, "rank"], "write it as KEY=VALUE"),
        ("embedded", [*DATA, "base.x=1"], "base is a value and has no keys"),
        ("embedded", ["data.train=[]"], "data.train: "),
    ],
)
def test_what_cannot_work_is_said_in_one_line(name: str, settings: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_config(name, settings)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("base = ")
    with pytest.raises(ConfigurationError, match="cannot be read as TOML"):
        load_config(str(tmp_path / "a.toml"))
