"""The images to audit, found in the layouts that people have: folders, benchmarks' folders, manifests."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

from anomagent.audit.folders import Folder, image_key, read_folder
from anomagent.audit.found import FoundImage, GeneratorImages
from anomagent.audit.manifest_layout import read_manifest_layout
from anomagent.audit.prompt_lists import PromptList, find_prompt_lists, read_prompt_list
from anomagent.audit.recognition import LAYOUTS, Recognised, is_prompt_folder, recognise, take_all
from anomagent.benchmark.documents import shown
from anomagent.errors import UsageError

_KNOWN = "; ".join(f"{name}: {form}" for name, form in LAYOUTS.items())


def read_layout(path: Path, name: str | None = None, prompts: Path | None = None) -> list[GeneratorImages]:
    """The generators whose images are in `path`, a folder or a manifest, ordered by name.

    A folder that has the layout of a benchmark (`LAYOUTS`), or holds images and no folder of images, is one generator
    with the folder's name. A folder of folders is one generator each. With `name`, `path` is one generator, called
    so, whatever folders it has. `prompts` is a list of prompts by id; without it, lists beside the images, in `path`
    and one level above it are used. No image is opened, and none is left out but as `ignored` says.

    Raises `UsageError`, with what was seen, for a folder without images, for one that could be read in two ways, for
    `prompts` beside a manifest, and for what `read_folder`, `recognise` and the readers of prompts and manifests
    refuse.
    """
    if path.is_file():
        if prompts is not None:
            raise UsageError(f"{prompts}: {path} is a manifest, which has its own prompts; leave the list out")
        return read_manifest_layout(path, name)
    root = read_folder(Path(os.path.abspath(path)))
    if not any(root.all_images()):
        raise UsageError(f"{path}: no images in {root.count_entries()} files; known layouts are {_KNOWN}")
    found = _find(root, name, _lists_for(root, prompts))
    if prompts is not None and all(image.prompt is None for each in found for image in each.images):
        raise UsageError(f"{prompts}: no image in {path} is called by an id of this list; check both")
    return sorted(found, key=lambda each: each.generator)


def _find(root: Folder, name: str | None, lists_of: Callable[[Folder], Iterable[PromptList]]) -> list[GeneratorImages]:
    whole = recognise(root, lists_of(root))
    folders = [folder for folder in root.folders if any(folder.all_images())]
    if whole is None and (not folders or (name and root.images)):
        whole = take_all(root)
    if whole is not None:
        return [_describe(name or _name_of(root), [root], [whole], root)]
    if name is None:
        _check_generators(root, folders)
    parts = [recognise(folder, lists_of(folder)) or take_all(folder) for folder in folders]
    if name is not None:
        return [_describe(name, [root], parts, root)]
    return [_describe(folder.name, [folder], [part], root) for folder, part in zip(folders, parts, strict=True)]


def _check_generators(root: Folder, folders: Sequence[Folder]) -> None:
    """Raise `UsageError` unless it is clear that each of `folders` is a generator."""
    names = ", ".join(shown(folder.name) for folder in folders[:3]) + (", ..." if len(folders) > 3 else "")
    if root.images:
        seen = f"images of its own ({shown(root.images[0].name)}, ...) and folders of images ({names})"
        raise UsageError(
            f"{root.path}: has {seen}; give a name to audit it as one generator, or one folder for each generator"
        )
    if all(is_prompt_folder(folder) for folder in folders):
        raise UsageError(
            f"{root.path}: its folders ({names}) look like prompts, not generators, and no prompts are known; "
            f"give a name to audit it as one generator, or use one of the known layouts: {_KNOWN}"
        )
    if len(folders) == 1 and _is_nested(folders[0]):
        raise UsageError(
            f"{root.path}: holds one folder ({names}) with folders of images; give that folder to audit one generator "
            "for each of them, or a name to audit all as one"
        )


def _is_nested(folder: Folder) -> bool:
    return not folder.images and recognise(folder, ()) is None


def _lists_for(root: Folder, given: Path | None) -> Callable[[Folder], Iterable[PromptList]]:
    """For a folder, the lists of prompts that may be its own: only the given one, or those near it."""
    if given is not None:
        lists = [read_prompt_list(given)]
        return lambda folder: lists
    find = cache(find_prompt_lists)

    def near(folder: Folder) -> Iterable[PromptList]:
        for place in dict.fromkeys((folder.path, root.path, root.path.parent)):
            yield from find(place)

    return near


def _name_of(root: Folder) -> str:
    """The given folder's name; its parent's where that says nothing, as for T2I-CompBench's "samples"."""
    named = root.path.parent if root.name == "samples" else root.path
    return unicodedata.normalize("NFC", named.name) or "images"


def _describe(generator: str, folders: Sequence[Folder], parts: Sequence[Recognised], root: Folder) -> GeneratorImages:
    found = [FoundImage(path, prompt, image_key(path, root.path)) for part in parts for path, prompt in part.images]
    found.sort(key=lambda image: image.key)
    for first, second in pairwise(found):
        if first.key == second.key:
            raise UsageError(f"{first.path}: another file has the same name in another Unicode form; rename one")
    layout = "+".join(sorted({part.layout for part in parts}))
    ignored = sum(folder.count_entries() for folder in folders) - len(found)
    return GeneratorImages(generator, layout, tuple(found), ignored)
