"""What lies in a folder of images: images, other files, folders; nothing that is hidden or leads elsewhere."""

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anomagent.benchmark.documents import is_unicode, shown
from anomagent.benchmark.images import is_image_name
from anomagent.errors import UsageError

DEEPEST = 32
"""Folders in folders; more are refused."""


@dataclass(frozen=True)
class Folder:
    """A folder; all of its lists are in the order of the names."""

    path: Path
    images: tuple[Path, ...] = ()
    """Image files directly in it, by suffix; nobody has opened them."""
    others: tuple[Path, ...] = ()
    """Other files directly in it."""
    folders: tuple["Folder", ...] = ()
    """Folders directly in it, empty ones included."""
    hidden: int = 0
    """Files and folders whose name begins with a dot; nobody looked into them."""

    @property
    def name(self) -> str:
        """The last part of its path, in Unicode normal form C."""
        return unicodedata.normalize("NFC", self.path.name)

    def all_images(self) -> Iterator[Path]:
        """Its images, then those of each of its folders."""
        yield from self.images
        for folder in self.folders:
            yield from folder.all_images()

    def count_entries(self) -> int:
        """Files in it and in its folders; a hidden folder counts as one."""
        own = len(self.images) + len(self.others) + self.hidden
        return own + sum(folder.count_entries() for folder in self.folders)


def read_folder(path: Path) -> Folder:
    """Everything in the folder `path`.

    Raises `UsageError` for a folder that cannot be read, for one that is nested too deeply, for a name that is no
    Unicode, and for a symbolic link that leaves `path`, points to a folder or nowhere.
    """
    return _read(path, Path(os.path.realpath(path)), DEEPEST)


def image_key(image: Path, root: Path) -> str:
    """An image's name within `root`: its relative path with "/", in Unicode normal form C."""
    return unicodedata.normalize("NFC", image.relative_to(root).as_posix())


def _read(path: Path, root: Path, depth: int) -> Folder:
    if depth == 0:
        raise UsageError(f"{path}: more than {DEEPEST} folders in one another; give a folder further in")
    images: list[Path] = []
    others: list[Path] = []
    folders: list[Folder] = []
    hidden = 0
    for entry in _entries(path):
        file = path / entry.name
        if entry.name.startswith("."):
            hidden += 1
        elif entry.is_dir(follow_symlinks=False):
            folders.append(_read(file, root, depth - 1))
        else:
            if entry.is_symlink():
                _check_link(file, root)
            is_image = is_image_name(file) and entry.is_file()
            (images if is_image else others).append(file)
    return Folder(path, tuple(images), tuple(others), tuple(folders), hidden)


def _entries(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    for entry in found:
        if not is_unicode(entry.name):
            raise UsageError(f"{path}: the name {shown(entry.name)} is not Unicode; rename it")
    return found


def _check_link(link: Path, root: Path) -> None:
    target = Path(os.path.realpath(link))
    if not target.is_relative_to(root):
        raise UsageError(f"{link}: is a link out of {root}; copy the file into the folder or remove the link")
    if not target.is_file():
        raise UsageError(f"{link}: is a link to no file; remove it, or put what it points to in its place")
