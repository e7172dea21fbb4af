"""Which layout the images of one generator have, and so which prompt each shows.

The layouts are those that public benchmarks of generators write: GenEval, T2I-CompBench, WISE, ImageReward.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from anomagent.audit.folders import Folder
from anomagent.audit.prompt_lists import PromptList
from anomagent.benchmark.documents import as_object, parse_json, read_text, shown
from anomagent.errors import UsageError

LAYOUTS = {
    "geneval": "00000/metadata.jsonl with 00000/samples/*.png",
    "t2i-compbench": "samples/<prompt>_<6 digits>.png",
    "wise": '<id>.png with a JSON list of "prompt_id" and "Prompt" beside or one level up',
    "imagereward": '<id>_<k>.png or <id>/<k>.png with a JSON list of "id" and "prompt" beside or one level up',
    "folder": "images anywhere in the folder, prompts unknown",
    "manifest": "a list of images with prompts and generators",
}
"""Every layout and what it looks like; the first three within the folder of one generator."""

_METADATA = "metadata.jsonl"
_NUMBER = re.compile(r"\d+", re.ASCII)
_SAMPLE = re.compile(r"(?P<prompt>.+)_\d{6,}", re.ASCII | re.DOTALL)
_GRID = re.compile(r"grid|.+-grid-\d+", re.ASCII | re.DOTALL)
"""Overviews of samples: GenEval's grid.png, T2I-CompBench's <prompt>-grid-00000.png."""


@dataclass(frozen=True)
class Recognised:
    """The images of one generator."""

    layout: str
    images: tuple[tuple[Path, str | None], ...]
    """Each with its prompt, None where it is not known."""


def recognise(folder: Folder, lists: Iterable[PromptList]) -> Recognised | None:
    """The images of a generator whose folder has one of the benchmarks' layouts; None where it has none of them.

    `lists` are the lists of prompts that may belong to it, the nearest first. Raises `UsageError` for a folder that
    has a layout in part.
    """
    return _geneval(folder) or _compbench(folder) or _listed(folder, lists)


def take_all(folder: Folder) -> Recognised:
    """Every image anywhere in `folder`, without prompts."""
    return Recognised("folder", tuple((image, None) for image in folder.all_images()))


def is_prompt_folder(folder: Folder) -> bool:
    """Whether a folder is called by a number, as those of prompts are in GenEval."""
    return _NUMBER.fullmatch(folder.name) is not None


def _geneval(folder: Folder) -> Recognised | None:
    prompts = [(each, samples) for each in folder.folders if is_prompt_folder(each) and (samples := _samples(each))]
    if not any(_metadata(each) for each, _ in prompts):
        return None
    images: list[tuple[Path, str | None]] = []
    for each, samples in prompts:
        metadata = _metadata(each)
        if metadata is None:
            raise UsageError(f"{each.path}: has samples and no {_METADATA}, unlike its neighbours; add it")
        prompt = _first_prompt(metadata)
        images += ((image, prompt) for image in samples.images if not _GRID.fullmatch(image.stem))
    return _complete("geneval", folder, images)


def _compbench(folder: Folder) -> Recognised | None:
    samples = folder if folder.name == "samples" else _samples(folder)
    if samples is None:
        return None
    matches = [(image, _SAMPLE.fullmatch(unicodedata.normalize("NFC", image.stem))) for image in samples.images]
    images: list[tuple[Path, str | None]] = [(image, match["prompt"]) for image, match in matches if match]
    return _complete("t2i-compbench", folder, images) if images else None


def _listed(folder: Folder, lists: Iterable[PromptList]) -> Recognised | None:
    """Images that the list does not know stay, without a prompt: WISE's three lists are often had one at a time."""
    for prompt_list in lists:
        images = tuple((image, prompt_list.prompt_of(image, folder.path)) for image in folder.all_images())
        if any(prompt is not None for _, prompt in images):
            return Recognised(prompt_list.layout, images)
    return None


def _complete(layout: str, folder: Folder, images: list[tuple[Path, str | None]]) -> Recognised:
    """Raises `UsageError` where `folder` has other images besides: it would be a guess what they are."""
    taken = {image for image, _ in images}
    for image in folder.all_images():
        if image not in taken and not _GRID.fullmatch(image.stem):
            place = shown(str(image.relative_to(folder.path)))
            raise UsageError(
                f"{folder.path}: has the layout {layout} ({LAYOUTS[layout]}), but {place} does not fit it; "
                "move it away, or list the images in a manifest"
            )
    return Recognised(layout, tuple(images))


def _samples(folder: Folder) -> Folder | None:
    return next((each for each in folder.folders if each.name == "samples" and each.images), None)


def _metadata(folder: Folder) -> Path | None:
    return next((file for file in folder.others if file.name == _METADATA), None)


def _first_prompt(file: Path) -> str:
    """The prompt in the first line of a GenEval metadata file."""
    try:
        prompt = as_object(parse_json(read_text(file).lstrip().partition("\n")[0])).get("prompt")
        if not isinstance(prompt, str):
            raise ValueError('it has no text as "prompt"')
    except ValueError as error:
        raise UsageError(f"{file}: its first line is no GenEval metadata: {error}; correct it") from error
    return prompt
