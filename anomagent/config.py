"""Every setting in one typed place: flags, then ANOMAGENT_* variables, then anomagent.toml, then the defaults below."""

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from dotenv import find_dotenv, load_dotenv
from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from anomagent.errors import ConfigurationError

CONFIG_FILE = "anomagent.toml"
_NO_SETTINGS = {"REVIEW_TOKEN"}
"""Variables of single commands: a secret is none of the settings, which are stored with every run."""
Schedule = Literal["paper", "lean", "direct"]


class AnalysisOptions(BaseModel):
    """What changes an analysis: the models, the schedule and its bounds. A role without its own model uses `model`."""

    model: str = Field("embedded", description="provider:model for every role, e.g. openai:gpt-4o")
    base_url: str | None = Field(None, description="an OpenAI-compatible server for models named openai:...")
    object_perceiver: str | None = Field(None, description="model of the ObjectPerceiver")
    attribute_analyzer: str | None = Field(None, description="model of the AttributeAnalyzer")
    relation_reasoner: str | None = Field(None, description="model of the RelationReasoner")
    anomaly_integrator: str | None = Field(None, description="model of the AnomalyIntegrator")
    anomaly_formatter: str | None = Field(None, description="model of the AnomalyFormatter")
    scene_scanner: str | None = Field(None, description="model of the whole-image scans")
    direct_detector: str | None = Field(None, description="model of the one-call schedule")
    adapter: str | None = Field(None, description="directory of a LoRA adapter for in-process models")
    schedule: Schedule = Field("paper", description="paper: every step; lean: fewest calls; direct: one call")
    perception_passes: int = Field(3, ge=1, le=9, description="T, passes of the ObjectPerceiver (paper)")
    consolidation_passes: int = Field(3, ge=1, le=9, description="S, passes of the AnomalyIntegrator (paper)")
    scans: int = Field(3, ge=0, le=9, description="G, whole-image scans (paper)")
    max_objects: int = Field(40, ge=1, description="objects analysed per image; the rest is reported as a failure")
    image_max_pixels: int = Field(
        2_000_000, ge=28 * 28, description="larger images are scaled down to this many pixels"
    )
    temperature: float | None = Field(None, ge=0, le=2, description="unset: the provider's own default")

    @field_validator("base_url")
    @classmethod
    def _without_credentials(cls, url: str | None) -> str | None:
        """Settings are stored with every run, so no secret may stand in them."""
        if url is None:
            return None
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError("is no URL; give http://HOST:PORT/v1") from None
        if parts.username or parts.password:
            raise ValueError("must not hold a user or password; give the key in OPENAI_API_KEY")
        return url


class Settings(AnalysisOptions, BaseSettings):
    """The options of an analysis, and how this machine runs it. None of the latter changes an answer."""

    model_config = SettingsConfigDict(env_prefix="ANOMAGENT_", extra="forbid", toml_file=CONFIG_FILE)

    workspace: Path = Field(Path("anomagent-workspace"), description="folder of the database, checkpoints and images")
    checkpoints: str | None = Field(None, description="postgresql:// URL; unset: SQLite in the workspace")
    keep_history: bool = Field(False, description="keep the checkpoints of finished analyses")
    concurrency: int = Field(8, ge=1, description="calls in flight, over all images and roles of this process")
    requests_per_minute: float | None = Field(None, gt=0, description="unset: no limit of ours")
    tokens_per_minute: float | None = Field(None, gt=0, description="input and output; unset: no limit of ours")
    budget_usd: float | None = Field(None, gt=0, description="money that one command may spend; unset: no bound")
    more_base_urls: list[str] = Field([], description="further servers of the same models, used in turn with base_url")
    ledger: str | None = Field(None, description="postgresql:// URL; unset: SQLite in the workspace")
    timeout: float = Field(180.0, gt=0, description="seconds to wait for one answer")
    retries: int = Field(5, ge=0, description="further tries after a transient failure")
    max_tokens: int = Field(2_048, ge=16, description="first size of an answer; doubled while answers are cut off")
    max_tokens_cap: int = Field(16_384, ge=16, description="largest size of an answer")
    prices: Path | None = Field(None, description="a price table of your own, in the format of the shipped one")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags win over the environment, the environment wins over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def options(self) -> dict[str, Any]:
        """The part of the settings that belongs into an analysis' context."""
        return self.model_dump(include=set(AnalysisOptions.model_fields))


def load_settings(**flags: Any) -> Settings:
    """The settings in force here. A flag that is None counts as not given.

    Raises `ConfigurationError` that names the setting and where it came from.
    """
    try:
        load_dotenv(find_dotenv(usecwd=True))
        _refuse_unknown_variables()
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(Settings.model_fields))
            place = "" if name in flags else f" in {CONFIG_FILE}"
            raise ConfigurationError(f"unknown setting {name!r}{place}; known: {known}") from None
        raise ConfigurationError(
            f"setting {name!r}: {first['msg']} (flag, ANOMAGENT_{name.upper()} or {CONFIG_FILE})"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{CONFIG_FILE} is not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{CONFIG_FILE} or .env cannot be read: {error}") from None
    except SettingsError as error:
        raise ConfigurationError(f"a setting cannot be read: {error}") from None


def _refuse_unknown_variables() -> None:
    """A misspelt variable would silently leave a setting at its default, and that can cost money."""
    prefix, known = "ANOMAGENT_", {name.upper() for name in Settings.model_fields} | _NO_SETTINGS
    given = (name.removeprefix(prefix) for name in sorted(os.environ) if name.startswith(prefix))
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {prefix}{close[0]}?" if close else "see docs/settings.md"
            raise ConfigurationError(f"unknown variable {prefix}{name} in the environment or .env; {hint}")
