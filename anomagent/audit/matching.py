"""Results of a prediction file brought together with the images, prompts and generators of a layout."""

import os
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from anomagent.audit.audit import Generator
from anomagent.audit.found import FoundImage, GeneratorImages
from anomagent.benchmark.annotations import AnnotationSet, base_name
from anomagent.benchmark.documents import shown
from anomagent.errors import UsageError


@dataclass(frozen=True)
class Matched:
    """Generators with their results, and what has no counterpart."""

    generators: tuple[Generator, ...]
    without_result: Mapping[str, tuple[str, ...]]
    """By generator, keys of its images in the layout of which the annotations say nothing; they are in no mean."""
    unknown: tuple[str, ...]
    """Keys of annotations that are no image of the layout."""


def match_layout(annotations: AnnotationSet, found: Sequence[GeneratorImages]) -> Matched:
    """Give each generator of a layout what `annotations` says about its images, and the images their prompts.

    Generators are those of the layout, in its order, their images keyed as there; what is unknown is in none. An
    annotation belongs to the image with its key; else to the image at its path; else to the image with its base name.
    Raises `UsageError` where a base name could mean several images, or two annotations mean one image.
    """
    keys, unknown = _match(annotations, found)
    generators = tuple(_generator(each, annotations, keys) for each in found)
    return Matched(generators, {each.generator: _unsaid(each, keys) for each in found}, unknown)


def match_generator(name: str, annotations: AnnotationSet, found: Sequence[GeneratorImages]) -> Matched:
    """Take all annotations for those of the one generator `name`, as they are, and give their images the prompts.

    Its images in the layout are those of the generator called so; where there is none, those of every generator that
    `annotations` says anything about, or of all where it speaks of none. Images are found, and `UsageError` is raised,
    as by `match_layout`.
    """
    own = [each for each in found if each.generator == unicodedata.normalize("NFC", name)] or found
    keys, unknown = _match(annotations, own)
    listed = [each for each in own if any(image.key in keys for image in each.images)] or own
    prompts = {
        keys[image.key]: image.prompt for each in own for image in each.images if image.key in keys and image.prompt
    }
    without = tuple(key for each in listed for key in _unsaid(each, keys))
    return Matched((Generator(name, annotations, prompts),), {name: without}, unknown)


def _match(annotations: AnnotationSet, found: Sequence[GeneratorImages]) -> tuple[dict[str, str], tuple[str, ...]]:
    """By an image's key in the layout, the key of what is said about it; and the keys that mean no image."""
    finder = _Finder([image for generator in found for image in generator.images], annotations)
    keys: dict[str, str] = {}
    unknown: list[str] = []
    for key in sorted(annotations.images.keys() | {entry.image for entry in annotations.bad if entry.image}):
        image = finder.find(key)
        if image is None:
            unknown.append(key)
        elif keys.setdefault(image, key) != key:
            raise UsageError(
                f"{annotations.source}: {shown(keys[image])} and {shown(key)} are one image, {shown(image)}; keep one"
            )
    return keys, tuple(unknown)


def _unsaid(each: GeneratorImages, keys: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(image.key for image in each.images if image.key not in keys)


class _Finder:
    """Finds the image that a key means."""

    def __init__(self, images: Sequence[FoundImage], annotations: AnnotationSet) -> None:
        self._source = annotations.source
        keys = Counter(image.key for image in images)
        if repeated := [key for key, count in keys.items() if count > 1]:
            raise UsageError(f"{shown(repeated[0])} is an image of two layouts; match them one at a time")
        self._keys = keys
        self._paths = {os.path.abspath(image.path): image.key for image in images}
        self._names: dict[str, list[str]] = {}
        for image in images:
            self._names.setdefault(base_name(image.key), []).append(image.key)

    def find(self, key: str) -> str | None:
        """The key of the image that `key` means; None where there is none."""
        exact = unicodedata.normalize("NFC", key)
        if exact in self._keys:
            return exact
        if (path := os.path.abspath(key)) in self._paths:
            return self._paths[path]
        images = self._names.get(base_name(key), [])
        if len(images) > 1:
            raise UsageError(
                f"{self._source}: {shown(key)} could be {shown(images[0])} or {shown(images[1])}; "
                "name images by their path in the folder"
            )
        return images[0] if images else None


def _generator(each: GeneratorImages, annotations: AnnotationSet, keys: dict[str, str]) -> Generator:
    ours = {keys[image.key]: image.key for image in each.images if image.key in keys}
    images = {ours[key]: replace(image, key=ours[key]) for key, image in annotations.images.items() if key in ours}
    bad = tuple(replace(entry, image=ours[entry.image]) for entry in annotations.bad if entry.image in ours)
    prompts = {image.key: image.prompt for image in each.images if image.prompt is not None}
    return Generator(each.generator, AnnotationSet(annotations.source, images, bad), prompts)
