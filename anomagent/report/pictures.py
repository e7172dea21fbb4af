"""Where the images of a report lie: in a folder or in a workspace, found by the end of their paths, never guessed."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from anomagent.audit.folders import image_key, read_folder
from anomagent.benchmark.annotations import base_name
from anomagent.report.html import picture_url

EXAMPLE_PIXELS = 160 * 1024
"""Example images are scaled down to this many pixels: a page may hold dozens of them."""


class FindPicture:
    """From an image's name to its data URL, None where it is not at hand or could be one of several files."""

    def __init__(self, paths: Mapping[str, Path], keys: Mapping[str, str] | None = None) -> None:
        """`paths`: files by name, with the folders where these are known; `keys`: what else images are called."""
        self._paths = paths
        self._keys = keys or {}
        self._names: dict[str, list[str]] = {}
        for name in paths:
            self._names.setdefault(base_name(name), []).append(name)

    def __call__(self, name: str) -> str | None:
        """The picture as a data URL."""
        path = self.path_of(name)
        return picture_url(path, EXAMPLE_PIXELS) if path else None

    def called(self, keys: Iterable[str]) -> "FindPicture":
        """The same pictures, found by base name as if by these keys: of two with one base name, the longer counts."""
        return FindPicture(self._paths, {base_name(key): key for key in sorted(keys, key=_depth)})

    def path_of(self, name: str) -> Path | None:
        """The file with the name's base name; of several, the one called just so, or ending alike for longest."""
        key = self._keys.get(name, name)
        if self.has(key):
            return self._paths["/".join(_parts(key))]
        found = self._names.get(base_name(key), [])
        alike = {each: _common_end(_parts(each), _parts(key)) for each in found}
        best = [each for each in found if alike[each] == max(alike.values())]
        return self._paths[best[0]] if len(best) == 1 else None

    def has(self, name: str) -> bool:
        """Whether there is a file of just this path; a name without folders may be that of others elsewhere."""
        return _depth(name) > 1 and "/".join(_parts(name)) in self._paths


no_pictures: Final = FindPicture({})
"""The images are not at hand."""


def pictures_in(paths: Mapping[str, Path]) -> FindPicture:
    """Find pictures among files by name; names may hold folders, with "/"."""
    return FindPicture(paths)


def images_below(folder: Path) -> dict[str, Path]:
    """The image files in `folder` and below, by their paths in it.

    Raises `UsageError` as `read_folder` does: for a link that leads out of it, or a folder that cannot be read.
    """
    return {image_key(path, folder): path for path in read_folder(folder).all_images()}


def pictures_by_generator(find: FindPicture, keys: Mapping[str, Iterable[str]]) -> Callable[[str, str], Path | None]:
    """From a generator and one of its `keys` to the file: first generator/key, then what ends like it for longest.

    Generators often call their images alike: a file that is the answer for two images is the answer for neither,
    unless it lies at just generator/key of one.
    """
    files = {(generator, key): find.path_of(f"{generator}/{key}") for generator, named in keys.items() for key in named}
    wanted = Counter(files.values())

    def path_of(generator: str, key: str) -> Path | None:
        path = files.get((generator, key))
        return path if wanted[path] == 1 or find.has(f"{generator}/{key}") else None

    return path_of


def _parts(name: str) -> list[str]:
    return [part for part in unicodedata.normalize("NFC", name).replace("\\", "/").split("/") if part not in ("", ".")]


def _depth(name: str) -> int:
    return len(_parts(name))


def _common_end(first: list[str], second: list[str]) -> int:
    """How many parts two paths have in common, counted from the end."""
    count = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one != other:
            break
        count += 1
    return count
