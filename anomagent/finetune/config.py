"""The configuration of a training run: one typed TOML file, the shipped recipes, and single values on top."""

import json
import tomllib
from collections.abc import Iterable, Sequence
from datetime import date, time
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from anomagent.errors import ConfigurationError

RECIPES = Path(__file__).with_name("recipes")
EMBEDDED = "embedded"
"""The base that comes with the package."""

Projection = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Section(BaseModel):
    """Base of every section: an unknown key is an error, never a setting that silently stays at its default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Data(Section):
    """What is learned, and on what it is measured meanwhile."""

    train: Annotated[list[Path], BeforeValidator(_several), Field(min_length=1)]
    """Files of instances, as `anomagent finetune data` writes them."""
    eval: Path | None = None
    """Instances of other images, for the loss and the scores during training."""
    max_tokens: Annotated[int, Field(ge=64)] = 4_096
    """An instance that takes more, image included, is refused: nothing is ever truncated."""


class Images(Section):
    """Pixel bounds, for training and for serving alike. None: the base model's own."""

    min_pixels: Annotated[int, Field(ge=28 * 28)] | None = None
    max_pixels: Annotated[int, Field(ge=28 * 28)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_pixels and self.max_pixels and self.min_pixels > self.max_pixels:
            raise ValueError("min_pixels must not be above max_pixels")
        return self

    @property
    def bounds(self) -> dict[str, int]:
        """The bounds that are given, under the image processor's names."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


class Lora(Section):
    """Which layers are adapted, and how."""

    rank: Annotated[int, Field(ge=1)] = 8
    alpha: Annotated[int, Field(ge=1)] = 16
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    projections: Annotated[list[Projection], Field(min_length=1)] = ["q_proj", "k_proj", "v_proj"]
    every: Annotated[int, Field(ge=1)] = 4
    """Every n-th layer of the language model ..."""
    offset: Annotated[int, Field(ge=0)] = 0
    """... beginning with this one: 0 gives 0, 4, 8 ..., 3 gives 3, 7, 11 ..."""


class Training(Section):
    """How long and how."""

    epochs: Annotated[float, Field(gt=0)] = 1.0
    steps: Annotated[int, Field(ge=1)] | None = None
    """Updates in all, instead of epochs."""
    batch: Annotated[int, Field(ge=1)] = 4
    """Instances a device and a pass."""
    accumulation: Annotated[int, Field(ge=1)] = 8
    """Passes an update."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    schedule: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.03
    """Share of the updates in which the rate rises."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    precision: Literal["bf16", "fp32"] = "bf16"
    gradient_checkpointing: bool = True
    train_newline: bool = False
    """Also learn the line break that the chat layout puts behind an answer's end."""
    token_weighting: bool = False
    """Every token of an update counts the same; else every pass does, however many tokens it has (the recipe)."""
    workers: Annotated[int, Field(ge=0)] = 2
    """Processes that read images, for each device."""
    log_steps: Annotated[int, Field(ge=1)] = 10
    save_steps: Annotated[int, Field(ge=1)] = 200
    keep_checkpoints: Annotated[int, Field(ge=1)] = 2


class Eval(Section):
    """Measured on `data.eval` while training goes on."""

    steps: Annotated[int, Field(ge=1)] | None = None
    """Updates between two evaluations; None: at the end only."""
    at_start: bool = False
    sample: Annotated[int, Field(ge=0)] = 0
    """Instances whose last turn is generated and scored by SemF1; 0: loss alone."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 1_024
    backbone: str | None = None
    """Sentence encoder of SemF1, as in `anomagent evaluate`; None: its default."""
    layer: int | None = None


class TrainConfig(Section):
    """A whole run."""

    base: Annotated[str, Field(min_length=1)]
    """Directory or hub id of the base model, or "embedded"."""
    revision: str | None = None
    attention: Literal["sdpa", "flash_attention_2", "eager"] = "sdpa"
    quantise: Literal["nf4"] | None = None
    """QLoRA: the frozen weights of the language model in 4 bits (bitsandbytes, CUDA)."""
    out: Path | None = None
    """The run's folder."""
    data: Data
    images: Images = Images()
    lora: Lora = Lora()
    training: Training = Training()
    eval: Eval = Eval()


def recipe_names() -> list[str]:
    """The shipped recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_config(name: str, settings: Iterable[str] = (), out: Path | None = None) -> TrainConfig:
    """The configuration in the file `name`, or in the shipped recipe of that name, with `KEY=VALUE` settings on top.

    Relative paths count from the current directory. Raises `ConfigurationError` in one line.
    """
    path = Path(name) if name.endswith(".toml") or "/" in name else RECIPES / f"{name}.toml"
    if not path.is_file():
        close = get_close_matches(name, recipe_names(), 1)
        hint = f"did you mean {close[0]}?" if close else f"shipped recipes: {', '.join(recipe_names())}"
        raise ConfigurationError(f"{name}: there is no such configuration; {hint}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read as TOML: {error}") from error
    for setting in settings:
        _put(values, setting)
    if out is not None:
        values["out"] = str(out)
    try:
        return _absolute(TrainConfig.model_validate(values))
    except ValidationError as error:
        raise ConfigurationError(f"{name}: {_complaint(error)}") from None


def as_toml(config: BaseModel) -> str:
    """The configuration as `load_config` reads it: every value that is in force, none that is unset."""
    values = config.model_dump(mode="json", exclude_none=True)
    sections = {key: values.pop(key) for key in list(values) if isinstance(values[key], dict)}
    lines = [f"{key} = {_literal(value)}" for key, value in values.items()]
    for name, section in sections.items():
        lines += ["", f"[{name}]", *(f"{key} = {_literal(value)}" for key, value in section.items())]
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    """JSON's numbers, words, strings and lists are TOML's, but for one character that TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _put(values: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    *sections, last = key.strip().split(".")
    if not equals or not last:
        raise ConfigurationError(f"--set {setting}: write it as KEY=VALUE, such as lora.rank=16")
    for section in sections:
        inner: Any = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"--set {setting}: {section} is a value and has no keys")
        values = cast("dict[str, Any]", inner)
    values[last] = _value(text.strip())


def _value(text: str) -> Any:
    """A TOML number, word, list or quoted string; anything else is text as it stands, such as a path."""
    try:
        value = None if "\n" in text else tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if value is None or isinstance(value, date | time | dict) else value


def _absolute(config: TrainConfig) -> TrainConfig:
    """The same run from wherever its configuration is read again."""
    data = config.data
    paths: dict[str, Any] = {"train": [path.expanduser().absolute() for path in data.train]}
    if data.eval:
        paths["eval"] = data.eval.expanduser().absolute()
    changes: dict[str, Any] = {"data": data.model_copy(update=paths)}
    base = Path(config.base).expanduser()
    if config.base != EMBEDDED and base.is_dir():
        changes["base"] = str(base.absolute())
    if config.out:
        changes["out"] = config.out.expanduser().absolute()
    return config.model_copy(update=changes)


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place: Sequence[Any] = first["loc"]
    key = ".".join(map(str, place))
    if first["type"] == "extra_forbidden":
        known = _fields(place[:-1])
        close = get_close_matches(str(place[-1]), known, 1)
        hint = f"did you mean {close[0]}?" if close else f"known there: {', '.join(known)}"
        return f"unknown key {key}; {hint}"
    if first["type"] == "missing":
        return f"{key} is missing; add it, or --set {key}=..."
    return f"{key}: {first['msg']}"


def _fields(place: Iterable[Any]) -> list[str]:
    """The keys of the section at this place."""
    section: Any = TrainConfig
    for name in place:
        section = section.model_fields[name].annotation
    return sorted(section.model_fields)
