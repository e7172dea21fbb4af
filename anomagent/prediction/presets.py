"""The systems of the paper's Table 1 by name: how each is reached, what it is sent, and what it refuses."""

import tomllib
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib import resources
from typing import Any, Final

from anomagent.config import Settings
from anomagent.errors import ConfigurationError

SERVED_AT: Final = "http://127.0.0.1:8000/v1"
"""Where the servers of `serve` listen unless told otherwise."""


@dataclass(frozen=True)
class Preset:
    """One system."""

    name: str
    row: str
    """Its name in the published table."""
    model: str
    """provider:model."""
    max_pixels: int
    """Larger images are scaled down to this before they are sent."""
    base_url: str | None = None
    """The address of an API that is not OpenAI's own."""
    key: str | None = None
    """The environment variable that holds the API key; None: a server of one's own needs none."""
    serve: str | None = None
    """The command that starts a server of it."""
    max_tokens: int | None = None
    """First size of an answer; None: as set elsewhere."""
    temperature: float | None = None
    refuses: tuple[str, ...] = ()
    """Parameters that it answers with an error."""
    notes: tuple[str, ...] = ()

    def settings(self, base_url: str | None = None) -> dict[str, Any]:
        """The settings that it stands for; `base_url` is where the user says that it is."""
        own = self.base_url or (SERVED_AT if self.serve else None)
        return {
            "model": self.model,
            "base_url": base_url or own,
            "image_max_pixels": self.max_pixels,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
        }

    def check(self, settings: Settings) -> None:
        """Raises `ConfigurationError` where a setting would be sent that it refuses."""
        if "temperature" in self.refuses and settings.temperature is not None:
            raise ConfigurationError(
                f"{self.name} refuses a temperature; unset ANOMAGENT_TEMPERATURE or take it out of anomagent.toml"
            )

    def line(self) -> str:
        """The preset in one line."""
        way = f"API, {self.key}" if self.key else "server"
        unverified = " (unverified, see --show)" if any("unverified" in note for note in self.notes) else ""
        return f"{self.name:16} {self.row:16} {self.model} ({way}){unverified}"

    def describe(self) -> list[str]:
        """How to use it, line by line; of a server the command alone stands on a line of its own."""
        where = self.settings()["base_url"] or "OpenAI's own API"
        asked = [f"images of at most {self.max_pixels:,} pixels"]
        if self.max_tokens:
            asked.append(f"{self.max_tokens:,} tokens of answer at first")
        if self.temperature is not None:
            asked.append(f"temperature {self.temperature:g}")
        lines = [f"# {self.name}: {self.row} of Table 1, as {self.model} at {where}", f"# {', '.join(asked)}"]
        lines += [f"# refuses: {', '.join(self.refuses)}"] if self.refuses else []
        lines += [f"# note: {note}" for note in self.notes]
        lines += [f"export {self.key}=..."] if self.key else []
        lines += [self.serve] if self.serve else []
        return [*lines, f"anomagent predict IMAGES --preset {self.name} --out {self.name}.jsonl"]

    def as_dict(self) -> dict[str, Any]:
        """The preset as plain data, for JSON."""
        return {**asdict(self), "refuses": list(self.refuses), "notes": list(self.notes)}


def read_presets() -> dict[str, Preset]:
    """All presets, by name, in the order of the shipped file."""
    text = resources.files("anomagent.prediction").joinpath("presets.toml").read_text(encoding="utf-8")
    return {name: _preset(name, entry) for name, entry in tomllib.loads(text).items()}


def find_preset(name: str) -> Preset:
    """The preset of this name, in whatever case, or of this row of the table. Raises `ConfigurationError`."""
    presets = read_presets()
    wanted = name.strip().lower()
    by_row = {preset.row.lower(): preset for preset in presets.values()}
    if found := presets.get(wanted) or by_row.get(wanted):
        return found
    close = get_close_matches(wanted, presets, 1, 0.5)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(presets)}"
    raise ConfigurationError(f"there is no preset {name!r}; {hint} (--presets lists all)")


def _preset(name: str, entry: dict[str, Any]) -> Preset:
    lists: dict[str, Any] = {key: tuple(entry.pop(key, ())) for key in ("refuses", "notes")}
    return Preset(name, **entry, **lists)
