"""What an audit compares: results in files and runs, or images that are analysed first."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from os.path import exists, isdir, isfile, join
from pathlib import Path
from typing import TYPE_CHECKING

from anomagent.cli.console import note
from anomagent.cli.scoring import counted_progress
from anomagent.cli.scoring_options import check_together
from anomagent.cli.sides import DATABASE, BadEntries, read_side
from anomagent.errors import UsageError
from anomagent.report.costs import count

if TYPE_CHECKING:
    from anomagent.audit.audit import Generator
    from anomagent.audit.found import FoundImage, GeneratorImages
    from anomagent.benchmark.annotations import ImageAnnotations
    from anomagent.config import Settings
    from anomagent.graph.analyze import Analyzer

IMAGES_AT_ONCE = 4
"""Enough to keep the calls in flight that the settings allow, and few enough to hold in memory."""


@dataclass(frozen=True)
class Sides:
    """The generators of an audit, and where their images lie as far as that is known."""

    generators: "list[Generator]" = field(default_factory=list["Generator"])
    pictures: dict[tuple[str, str], Path] = field(default_factory=dict[tuple[str, str], Path])
    """By generator and image key."""
    without_result: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """By generator that a manifest lists, keys of its listed images that no result is known of."""
    unknown: list[str] = field(default_factory=list[str])
    """Keys of results that the manifest does not list."""

    def coverage(self) -> dict[str, int]:
        """How many images the manifest lists without a result, and how many results it does not list."""
        return {"without_result": sum(map(len, self.without_result.values())), "unknown": len(self.unknown)}


@dataclass(frozen=True)
class Reader:
    """Reads what the arguments of an audit name."""

    settings: "Settings"
    bad_entries: BadEntries
    manifest: Path | None
    prompts: Path | None

    def read(self, arguments: Sequence[str]) -> Sides:
        """All generators, images analysed last: what is wrong anywhere is said before anything is spent.

        Raises `ConfigurationError` where the manifest or the prompts have nothing to say about these arguments.
        """
        sides = Sides()
        waiting: list[GeneratorImages] = []
        named = [(*_split(argument), self._is_images(_split(argument)[1])) for argument in arguments]
        self._check_options([path for _, path, is_images in named if is_images], len(named))
        for name, path, is_images in named:
            if is_images:
                waiting.extend(self._images(name, path))
            else:
                self._add_results(name, path, sides)
        _check_names([*(each.name for each in sides.generators), *(each.generator for each in waiting)])
        if waiting:
            for found, generator in _analyze(self.settings, waiting):
                sides.generators.append(generator)
                sides.pictures.update({(found.generator, image.key): image.path for image in found.images})
        return sides

    def _check_options(self, images: Sequence[str], arguments: int) -> None:
        folders = [path for path in (*images, *filter(None, [self.manifest])) if isdir(path)]
        check_together(
            ("--manifest", self.manifest, "results", arguments > len(images)),
            ("--prompts", self.prompts, "folders of images (a manifest has its own prompts)", folders),
        )

    def _is_images(self, path: str) -> bool:
        from anomagent.benchmark.manifests import is_manifest

        if isdir(path):
            return not isfile(join(path, DATABASE))
        return isfile(path) and is_manifest(Path(path))

    def _images(self, name: str | None, path: str) -> "list[GeneratorImages]":
        from anomagent.audit.layouts import read_layout

        found = read_layout(Path(path), name, self.prompts if isdir(path) else None)
        for each in found:
            ignored = f", {count(each.ignored, 'other file')} ignored" if each.ignored else ""
            unknown = f", {each.without_prompt} without a prompt" if each.without_prompt else ""
            note(f"{each.generator}: {count(len(each.images), 'image')} ({each.layout}){unknown}{ignored}")
        return found

    def _add_results(self, name: str | None, path: str, sides: Sides) -> None:
        from anomagent.audit.audit import Generator
        from anomagent.audit.layouts import read_layout
        from anomagent.audit.matching import match_generator, match_layout

        annotations = read_side(path, self.settings, self.bad_entries)
        own_name = name or Path(path).stem
        if self.manifest is None:
            sides.generators.append(Generator(own_name, annotations))
            return
        found = read_layout(self.manifest, None, self.prompts if isdir(self.manifest) else None)
        is_one = name or len(found) == 1
        matched = match_generator(own_name, annotations, found) if is_one else match_layout(annotations, found)
        sides.generators.extend(matched.generators)
        sides.without_result.update(matched.without_result)
        sides.unknown.extend(matched.unknown)
        without = [key for keys in matched.without_result.values() for key in keys]
        for keys, words in ((without, "without a result"), (matched.unknown, "of no generator")):
            if keys:
                note(f"{path}: {count(len(keys), 'image')} {words}, such as {keys[0]}")


def _check_names(names: Sequence[str]) -> None:
    """Raise `UsageError` where two generators have one name, before anything is analysed for them."""
    if repeated := [name for name, number in Counter(names).items() if number > 1]:
        raise UsageError(f"two generators are called {repeated[0]!r}; give each its own name: NAME=PATH")


def _split(argument: str) -> tuple[str | None, str]:
    """`NAME=PATH`, or a path whose name may hold an equals sign."""
    name, equals, path = argument.partition("=")
    if not equals or exists(argument):
        return None, argument
    if not name.strip() or not path.strip():
        raise UsageError(f"{argument}: write it as NAME=PATH")
    return name.strip(), path


def _analyze(
    settings: "Settings", generators: "Sequence[GeneratorImages]"
) -> "list[tuple[GeneratorImages, Generator]]":
    """Analyse all images and give each generator its results; an image that cannot be read is a failure of its own."""
    from anomagent.audit.audit import Generator
    from anomagent.benchmark.annotations import AnnotationSet

    images = [image for found in generators for image in found.images]
    note(f"analysing {count(len(images), 'image')}, schedule {settings.schedule}, model {settings.model}")
    results = iter(asyncio.run(_analyze_images(settings, images)))
    analysed: list[tuple[GeneratorImages, Generator]] = []
    for found in generators:
        annotations = {image.key: next(results) for image in found.images}
        prompts = {image.key: image.prompt for image in found.images if image.prompt}
        analysed.append((found, Generator(found.generator, AnnotationSet(found.generator, annotations), prompts)))
    return analysed


async def _analyze_images(settings: "Settings", images: "Sequence[FoundImage]") -> "list[ImageAnnotations]":
    from anomagent.graph.analyze import Analyzer
    from anomagent.models.many import map_all

    with counted_progress("analysing", len(images)) as done:
        async with Analyzer.open(settings, command="audit") as analyzer:

            async def one(image: "FoundImage") -> "ImageAnnotations":
                return await _result(analyzer, image)

            return await map_all(one, images, in_flight=IMAGES_AT_ONCE, on_done=done)


async def _result(analyzer: "Analyzer", image: "FoundImage") -> "ImageAnnotations":
    from anomagent.benchmark.annotations import ImageAnnotations

    try:
        analysis = await analyzer.analyze(image.path)
    except UsageError as error:
        return ImageAnnotations(image.key, failure=str(error))
    reasons = "; ".join(failure["message"] for failure in analysis.failures)
    if analysis.status == "failed":
        return ImageAnnotations(image.key, failure=reasons or "the analysis failed")
    return ImageAnnotations(image.key, tuple(analysis.anomalies), partial=reasons or None)
