"""Which images are learned from: the parts of a split and an allow list, both by base name."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, cast

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.documents import parse_json, read_text, shown
from anomagent.benchmark.reading import read_split
from anomagent.errors import UsageError

Part = Literal["train", "val", "test"]
PARTS: Final[tuple[Part, ...]] = ("train", "val", "test")
"""Each is a file of its own; what is in a later one may not be learned in an earlier one."""

_PART_OF: Final[Mapping[str, Part]] = {
    "train": "train",
    "val": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
}


@dataclass(frozen=True)
class Selection:
    """What was asked for, by base name."""

    parts: Mapping[str, Part] | None = None
    """None: there is no split file, and images are for training unless a workspace's split says otherwise."""
    allowed: Collection[str] | None = None
    files: tuple[Path, ...] = field(default=())
    """The files that say so."""

    @classmethod
    def read(cls, split: Path | None, allow: Path | None) -> "Selection":
        """Read a split file and an allow list, of one name a line or JSON. Raises `UsageError`."""
        parts: dict[str, Part] | None = None
        if split:
            parts = {name: part_called(part, split) for part, names in read_split(split).items() for name in names}
        allowed = None if allow is None else frozenset(map(base_name, _read_names(allow)))
        return cls(parts, allowed, tuple(file for file in (split, allow) if file))

    def allows(self, names: Iterable[str]) -> bool:
        """Whether an image with these base names may be used."""
        return self.allowed is None or any(name in self.allowed for name in names)

    def parts_of(self, names: Iterable[str]) -> list[Part]:
        """The parts that a split file has for these base names of one image; training where there is no file."""
        if self.parts is None:
            return ["train"]
        found = {self.parts[name] for name in names if name in self.parts}
        return [part for part in PARTS if part in found]


def part_called(name: str, source: object) -> Part:
    """The part of this name: validation and dev are val. Raises `UsageError` for one that no split has."""
    if name not in _PART_OF:
        raise UsageError(f"{source}: {shown(name)} is no part of a split; known: {', '.join(_PART_OF)}")
    return _PART_OF[name]


def _read_names(path: Path) -> list[str]:
    text = read_text(path)
    if not text.lstrip().startswith("["):
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        names = parse_json(text)
    except ValueError as error:
        raise UsageError(f"{path}: {error}; correct the file") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in cast(list[object], names)):
        raise UsageError(f'{path}: is no list of names; write ["a.jpg", "b.jpg"] or one name a line')
    return cast(list[str], names)
