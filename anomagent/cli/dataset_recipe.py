"""Recipes: TOML files of steps, read and checked as a whole before the first step begins."""

import os
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from glob import has_magic
from pathlib import Path
from typing import Any, Final, cast

import typer

from anomagent.errors import ConfigurationError

COMMANDS: Final = {
    "ingest": ("dataset", "ingest"),
    "filter": ("dataset", "filter"),
    "dedupe": ("dataset", "dedupe"),
    "import": ("dataset", "import"),
    "annotate": ("batch",),
    "split": ("dataset", "split"),
    "leakage": ("dataset", "leakage"),
    "stats": ("dataset", "stats"),
    "manifest": ("dataset", "manifest"),
    "export": ("dataset", "export"),
}
"""What a recipe can do, and the command that does it."""
REVIEWED: Final = "reviewed"
"""A step of its own: the chain waits here until people have decided on every candidate."""
ANNOTATE: Final = "annotate"
_WORKSPACE: Final = "anomagent-workspace"
_BELONGS: Final = {"workspace": "write it once, above the steps", "json": "give it to `build` itself"}
"""Options of every step that a recipe does not give to one."""
_INPUTS: Final[Mapping[str, tuple[str, ...]]] = {
    "ingest": ("paths",),
    "annotate": ("paths",),
    "import": ("annotations", "images", "split"),
    "split": ("file",),
    "stats": ("human",),
}
"""Keys that name what has to be there before, or is made by an earlier step."""
_OUTPUTS: Final = ("out", "results", "report")
"""Keys that name what a step makes and a later one may read."""


@dataclass(frozen=True)
class Step:
    """One step of a recipe, with its command line."""

    name: str
    options: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    """Arguments without a name. None for `annotate`: then it is about what the workspace keeps."""
    keys: frozenset[str] = frozenset()
    """Which arguments and options are given."""

    def __str__(self) -> str:
        behind = ("--", *self.behind) if any(one.startswith("-") for one in self.behind) else self.behind
        return shlex.join((*COMMANDS.get(self.name, (self.name,)), *self.options, *behind))

    @property
    def is_about_the_kept(self) -> bool:
        """Whether it analyses the images that the workspace keeps, and not files that the recipe names."""
        return self.name == ANNOTATE and not self.behind


@dataclass(frozen=True)
class Recipe:
    """A recipe that has been checked."""

    folder: Path
    """From which its paths count; absolute."""
    workspace: Path
    steps: tuple[Step, ...]
    content: Mapping[str, Any]
    """As it is written."""


def read_recipe(file: Path) -> Recipe:
    """Read and check a recipe. Raises `ConfigurationError` for the first thing that cannot be done as it is written."""
    content = _read(file)
    if unknown := sorted(content.keys() - {"workspace", "step"}):
        raise ConfigurationError(f"{file}: unknown key {unknown[0]!r}; a recipe has workspace and [[step]] tables")
    place = content.get("workspace", _WORKSPACE)
    if not isinstance(place, str) or not place.strip() or not place.isprintable():
        raise ConfigurationError(f"{file}: workspace = {place!r} is no folder; write it as a text")
    entries: Any = content.get("step")
    if (
        not entries
        or not isinstance(entries, list)
        or not all(isinstance(one, dict) for one in cast("list[Any]", entries))
    ):
        raise ConfigurationError(f"{file}: holds no steps; write them as [[step]] tables with a key do")
    folder = Path(os.path.abspath(file)).parent
    steps: list[Step] = []
    made: list[Path] = []
    for number, entry in enumerate(cast("list[dict[str, Any]]", entries), 1):
        steps.append(_step(entry, f"{file}: step {number}"))
        _check_inputs(entry, folder, made, f"{file}: step {number} ({steps[-1].name})")
        made += [folder / str(entry[key]) for key in _OUTPUTS if key in entry]
    return Recipe(folder, folder / Path(place).expanduser(), tuple(steps), content)


def command_of(step: str) -> Any:
    """The command behind a step."""
    command = _app()
    for name in COMMANDS[step]:
        command = command.commands[name]
    return command


@cache
def _app() -> Any:
    from anomagent.cli.app import app

    return typer.main.get_command(app)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror}); give a TOML file") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: is no text in UTF-8; give a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: is not valid TOML: {error}") from error


def _step(entry: dict[str, Any], place: str) -> Step:
    """The step behind a table. Raises `ConfigurationError`."""
    name = _name(entry, place)
    if name == REVIEWED:
        return Step(REVIEWED)
    place = f"{place} ({name})"
    parameters = {_key(parameter): parameter for parameter in command_of(name).params}
    values: dict[str, list[str]] = {}
    for written, value in entry.items():
        key = written.replace("_", "-")
        if key == "do":
            continue
        if key in _BELONGS or key not in parameters:
            known = ", ".join(one for one in parameters if one not in _BELONGS)
            raise ConfigurationError(f"{place}: unknown key {written!r}; {_BELONGS.get(key, f'known: {known}')}")
        if key in values:
            raise ConfigurationError(f"{place}: {key} is given twice; keep one")
        values[key] = _texts(parameters[key], value, f"{place}: {key}")
    arguments = {key for key in values if parameters[key].param_type_name == "argument"}
    options, behind = (
        tuple(text for key, texts in values.items() if (key in arguments) is wanted for text in texts)
        for wanted in (False, True)
    )
    step = Step(name, options, behind, frozenset(values))
    _parse(step, place)
    return step


def _name(entry: dict[str, Any], place: str) -> str:
    known = ", ".join((*COMMANDS, REVIEWED))
    match entry.get("do"):
        case None:
            raise ConfigurationError(f"{place}: has no key do, which says what to do; known: {known}")
        case str(name) if name in COMMANDS:
            return name
        case "reviewed" if len(entry) == 1:
            return REVIEWED
        case "reviewed":
            raise ConfigurationError(f"{place}: {REVIEWED} takes no keys")
        case other:
            raise ConfigurationError(f"{place}: do = {other!r} is no step; known: {known}")


def _key(parameter: Any) -> str:
    """What a recipe calls an argument or option: the option's long name."""
    long = (flag[2:] for flag in parameter.opts if flag.startswith("--"))
    return next(long, parameter.name)


def _texts(parameter: Any, value: Any, place: str) -> list[str]:
    """A value as the command line has it. Raises `ConfigurationError` for one that no command line can have."""
    values: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
    if isinstance(value, list) and not (parameter.multiple or parameter.nargs != 1):
        raise ConfigurationError(f"{place}: takes one value, not a list")
    for one in values:
        if not isinstance(one, str | int | float):
            raise ConfigurationError(f"{place}: {one!r} is no text, number, true or false")
        if isinstance(one, bool) != bool(getattr(parameter, "is_flag", False)):
            raise ConfigurationError(
                f"{place}: {'takes' if not isinstance(one, bool) else 'does not take'} true or false"
            )
    if parameter.param_type_name == "argument":
        return [*map(str, values)]
    flag = next(flag for flag in parameter.opts if flag.startswith("--"))
    if isinstance(value, bool):
        return [flag] if value else parameter.secondary_opts[:1]
    return [f"{flag}={one}" for one in values]


def _check_inputs(entry: dict[str, Any], folder: Path, made: Sequence[Path], place: str) -> None:
    """Raises `ConfigurationError` for a file that goes in, is not there and is not made by an earlier step."""
    for key in _INPUTS.get(entry["do"], ()):
        values: Any = entry.get(key, [])
        for value in cast("list[str]", values if isinstance(values, list) else [values]):
            path = folder / str(value)
            if not (has_magic(str(value)) or os.path.lexists(path) or any(path.is_relative_to(one) for one in made)):
                raise ConfigurationError(f"{place}: {key}: no such file or folder {value}; it counts from {folder}")


def _parse(step: Step, place: str) -> None:
    """Let the command's own parser look at the line. Raises `ConfigurationError`."""
    behind = step.behind or (("kept",) if step.name == ANNOTATE else ())
    try:
        command_of(step.name).make_context(step.name, [*step.options, "--", *behind])
    except typer.TyperException as error:
        raise ConfigurationError(f"{place}: {error.format_message()}") from error
