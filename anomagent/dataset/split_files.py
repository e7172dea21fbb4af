"""Official splits: the parts that a file gives to names, for the images of a workspace; and the file of a split."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.documents import shown
from anomagent.dataset.division import PARTS
from anomagent.dataset.places import whole_text
from anomagent.dataset.split_keys import match, read_keys
from anomagent.errors import UsageError
from anomagent.store.splits import Member, Placed

Unknown = Literal["error", "skip"]
"""What becomes of names in the file that no image has."""
Keys = Literal["base", "path", "sha256"]
"""What a split file calls images: their base names, as the benchmark does; whole names; or content hashes."""
Unlisted = Literal["error", "leave", "place"]
"""What becomes of images that the file does not name: left without a part, or placed like new images."""

_SHOWN: Final = 3


@dataclass(frozen=True)
class Official:
    """What a split file says about the images of a workspace."""

    placed: tuple[Placed, ...]
    """The images that it names and that have no part yet."""
    unknown: tuple[str, ...]
    """Names that no image has."""
    unlisted: tuple[str, ...]
    """Images, by name, that it does not name and that have no part."""


def read_official(path: Path, members: Sequence[Member], unknown: Unknown, unlisted: Unlisted) -> Official:
    """The parts that a split file gives, matched by whole name, content hash or base name, see `match`.

    Raises `UsageError` for a file that is no split; a name of the file that two contents have; a content that is in two
    parts, or in another part than it has already; and for unknown names and unlisted images, unless told what to do
    with them.
    """
    parts = read_keys(path)
    found = match(parts, ((member.sha256, (*member.names, member.sha256)) for member in members), path)
    called: dict[str, dict[str, str]] = {}
    for name, contents in found.items():
        if len(contents) > 1:
            raise UsageError(f"{path}: {_two_called(name)}; give paths in the file, or drop or rename one")
        called.setdefault(contents[0], {})[parts[name]] = name
    placed: list[Placed] = []
    missing: list[str] = []
    for member in members:
        given = called.get(member.sha256, {})
        _check(member, given, path)
        if given and member.part is None:
            placed.append(Placed(member.sha256, next(iter(given)), "file"))
        elif not given and member.part is None:
            missing.append(member.names[0])
    strange = sorted(parts.keys() - found.keys())
    if strange and unknown == "error":
        raise UsageError(f"{path}: {_some(strange, 'name')} no image of the workspace has; give --unknown skip")
    if missing and unlisted == "error":
        raise UsageError(
            f"{path}: {_some(missing, 'image')} the file does not name; give --unlisted leave, or --unlisted place to "
            "place them like new images"
        )
    return Official(tuple(placed), tuple(strange), tuple(missing))


def parts_by_name(
    members: Iterable[Member], parts: Mapping[str, str], source: str, keys: Keys = "base"
) -> dict[str, list[str]]:
    """What a split file calls the images of each part; `parts` by content hash.

    All names of a content are in its part. Raises `UsageError` where two contents are called the same.
    """
    homes: dict[str, str] = {}
    for member in members:
        for name in _keys(member, keys) if member.sha256 in parts else ():
            if homes.setdefault(name, member.sha256) != member.sha256:
                other = "path" if keys == "base" else "sha256"
                raise UsageError(f"{source}: {_two_called(name)}; give --keys {other}, or drop or rename one")
    found: dict[str, list[str]] = {part: [] for part in PARTS if part in parts.values()}
    for name, sha256 in sorted(homes.items()):
        found[parts[sha256]].append(name)
    return found


def write_split(file: Path, out: Path, parts: Mapping[str, Sequence[str]]) -> None:
    """Write a split file; `out` is what messages call it. Raises `UsageError` where it cannot be written."""
    with whole_text(file, out) as stream:
        json.dump(parts, stream, ensure_ascii=False, indent=4)
        stream.write("\n")


def _keys(member: Member, keys: Keys) -> Sequence[str]:
    if keys == "sha256":
        return [member.sha256]
    return member.names if keys == "path" else [base_name(name) for name in member.names]


def _two_called(name: str) -> str:
    return f"two different images of the workspace are called {shown(name)}"


def _check(member: Member, given: Mapping[str, str], path: Path) -> None:
    if len(given) > 1:
        one, other = (f"{shown(name)} in {part}" for part, name in sorted(given.items())[:2])
        raise UsageError(f"{path}: {one} and {other} are equal files; an image has one part, correct the file")
    if member.part and given and member.part not in given:
        ((part, name),) = given.items()
        raise UsageError(
            f"{path}: {shown(name)} is in {part} here and in {member.part} of this split, where it stays; "
            "give another --name"
        )


def _some(names: Sequence[str], noun: str) -> str:
    """`3 names ("a.png", "b.png", ...)`, to go on with what is the matter with them."""
    first = ", ".join(shown(name) for name in names[:_SHOWN])
    more = ", ..." if len(names) > _SHOWN else ""
    return f"{len(names):,} {noun}{'' if len(names) == 1 else 's'} ({first}{more}) that"
