"""What split files call images, and which images these are: by whole name where a name has a folder, else by base name.

The benchmark's own files have base names. Data sets with the same names in several folders need whole ones.
"""

import posixpath
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar, cast

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.documents import is_unicode, read_document, shown
from anomagent.dataset.division import PARTS
from anomagent.errors import UsageError

T = TypeVar("T")


def read_keys(path: Path) -> dict[str, str]:
    """The part of each name of a split file; two names may share a base name where their folders differ.

    Raises `UsageError` for a file that is no split, and for a name that stands twice.
    """
    value = read_document(path).value
    named = cast(dict[str, object], value) if isinstance(value, dict) else {}
    if not named.keys() & {"train", "test"} or not all(
        map(_are_names, (named[part] for part in named if part in PARTS))
    ):
        raise UsageError(f'{path}: is no split; it needs the shape {{"train": ["a.jpg"], "test": ["b.jpg"]}}')
    if unknown := named.keys() - set(PARTS):
        raise UsageError(f"{path}: {shown(min(unknown))} is no part of a split; it may have {', '.join(PARTS)}")
    found: dict[str, str] = {}
    for part, names in named.items():
        for name in cast(list[str], names):
            if not base_name(name).strip() or not is_unicode(name):
                raise UsageError(f"{path}: part {part}: {shown(name)} is no name of an image; correct the file")
            key = tidy(name)
            if key in found:
                raise UsageError(f"{path}: {shown(name)} in {part} stands in {found[key]} already; keep one")
            found[key] = part
    return found


def match(keys: Iterable[str], things: Iterable[tuple[T, Iterable[str]]], source: object) -> dict[str, list[T]]:
    """Of each tidy key, the things that it names, each once; keys that name none are left out.

    A key with a folder, or one that shares its base name with others, is the whole name of a thing. Where it is that of
    none, and for all other keys, base names count, of those names that are no key themselves. Raises `UsageError` where
    several keys without a thing of that whole name share the base name of one: nobody can say which it is.
    """
    bases: dict[str, list[str]] = {}
    for key in keys:
        bases.setdefault(base_name(key), []).append(key)
    whole: dict[str, dict[T, None]] = {}
    by_base: dict[str, dict[T, None]] = {}
    for thing, names in things:
        for name in names:
            base = base_name(name)
            if base in bases:
                place = tidy(name)
                known = place in bases[base] and ("/" in place or len(bases[base]) > 1)
                (whole if known else by_base).setdefault(place if known else base, {})[thing] = None
    found = {key: list(those) for key, those in whole.items()}
    for base, those in by_base.items():
        left = [key for key in bases[base] if key not in whole]
        if len(left) > 1:
            raise UsageError(
                f"{source}: {shown(left[0])} and {shown(left[1])} share a base name, and an image of that name has "
                "neither path; correct the paths"
            )
        if left and len(bases[base]) == 1:
            found[left[0]] = list(those)
    return found


def tidy(name: str) -> str:
    """A name as it is compared: Unicode's normal form C, forward slashes, no detours."""
    return posixpath.normpath(unicodedata.normalize("NFC", name.replace("\\", "/")))


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in cast(Sequence[object], value))
