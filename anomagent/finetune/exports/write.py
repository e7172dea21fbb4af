"""Writes exports, a line at a time: folders of their own beside the instances."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TextIO

from anomagent.finetune.exports.notes import Facts, note_for
from anomagent.finetune.exports.shapes import (
    Row,
    axolotl_row,
    dpo_row,
    llava_row,
    messages_row,
    ranking_row,
    trl_row,
)
from anomagent.finetune.instances import Instance, read_instances
from anomagent.finetune.preferences import Preference
from anomagent.finetune.selection import Part


class Format(StrEnum):
    """Trainers whose files can be written."""

    LLAMA_FACTORY = "llama-factory"
    MS_SWIFT = "ms-swift"
    TRL = "trl"
    AXOLOTL = "axolotl"
    LLAVA = "llava"


@dataclass(frozen=True)
class Shape:
    """How a trainer wants its files."""

    row: Callable[[Instance, str], Row]
    absolute: bool
    """Image paths; else they count from the file."""
    lines: bool
    """JSON lines; else one JSON list."""

    @property
    def ending(self) -> str:
        """Of the file's name."""
        return "jsonl" if self.lines else "json"


FORMATS: Final[Mapping[Format, Shape]] = {
    Format.LLAMA_FACTORY: Shape(messages_row, absolute=False, lines=False),
    Format.MS_SWIFT: Shape(messages_row, absolute=True, lines=True),
    Format.TRL: Shape(trl_row, absolute=True, lines=True),
    Format.AXOLOTL: Shape(axolotl_row, absolute=True, lines=True),
    Format.LLAVA: Shape(llava_row, absolute=False, lines=False),
}

_TAGS: Final = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
}
_PAIRS: Final = """\
Preference pairs from what people accepted and rejected: `chosen` lists what was accepted, `rejected` what was rejected
and nothing else."""


def write_exports(folder: Path, out: Path, parts: Sequence[Part], formats: Iterable[Format], facts: Facts) -> None:
    """Write the instances of `folder`, which will be `out`, for each of these trainers. Raises `OSError`."""
    for format in formats:
        shape, place = FORMATS[format], folder / format
        place.mkdir()
        for part in parts:
            with _opened(place / f"{part}.{shape.ending}") as stream:
                instances = read_instances(folder / f"{part}.jsonl")
                rows = (shape.row(one, image_path(one.image, out, out / format, shape.absolute)) for one in instances)
                stream.writelines(_text(rows, shape.lines))
        if format is Format.LLAMA_FACTORY:
            _write_json(place / "dataset_info.json", {dataset_name(part): _entry(part) for part in parts})
        datasets = [dataset_name(part) for part in parts]
        (place / "README.md").write_text(note_for(format, facts, datasets), encoding="utf-8", newline="\n")


def write_preferences(
    folder: Path, out: Path, parts: Mapping[Part, Iterable[tuple[str, Preference]]], facts: Facts
) -> dict[Part, int]:
    """Write pairs, each with its image's path from `out` on, for LLaMA-Factory and TRL; returns how many by part.

    A part without pairs has no file. Raises `OSError`.
    """
    places = {format: folder / "preferences" / format for format in (Format.LLAMA_FACTORY, Format.TRL)}
    for place in places.values():
        place.mkdir(parents=True)
    counts: dict[Part, int] = {part: _write_pairs(places, out, part, pairs) for part, pairs in parts.items()}
    there = [part for part, count in counts.items() if count]
    entries = {dataset_name(part, "preferences"): _entry(part, ranking=True) for part in there}
    _write_json(places[Format.LLAMA_FACTORY] / "dataset_info.json", entries)
    for format, place in places.items():
        (place / "README.md").write_text(note_for(format, facts, [*entries], _PAIRS), encoding="utf-8", newline="\n")
    return counts


def image_path(image: str, out: Path, start: Path, absolute: bool) -> str:
    """The path of an instance's image, which counts from `out`, as it counts from `start`."""
    place = os.path.normpath(out / image)
    return place if absolute else Path(os.path.relpath(place, start)).as_posix()


def dataset_name(part: str, what: str = "anomalies") -> str:
    """What a part is called in dataset_info.json."""
    return f"anomagent_{what}_{part}"


def _write_pairs(places: Mapping[Format, Path], out: Path, part: Part, pairs: Iterable[tuple[str, Preference]]) -> int:
    ranking, dpo = places[Format.LLAMA_FACTORY] / f"{part}.json", places[Format.TRL] / f"{part}.jsonl"
    start = out / "preferences" / Format.LLAMA_FACTORY
    count = 0
    with ExitStack() as stack:
        listed, lines = (stack.enter_context(_opened(file)) for file in (ranking, dpo))
        for image, pair in pairs:
            listed.write(
                ("[\n" if count == 0 else ",\n") + _line(ranking_row(pair, image_path(image, out, start, False)))
            )
            lines.write(_line(dpo_row(pair, image_path(image, out, start, True))) + "\n")
            count += 1
        listed.write("\n]\n")
    if not count:
        ranking.unlink()
        dpo.unlink()
    return count


def _entry(part: str, *, ranking: bool = False) -> Row:
    columns = {"messages": "messages", "images": "images"}
    if not ranking:
        return {"file_name": f"{part}.json", "formatting": "sharegpt", "columns": columns, "tags": _TAGS}
    columns |= {"chosen": "chosen", "rejected": "rejected"}
    entry = {"file_name": f"{part}.json", "ranking": True, "formatting": "sharegpt"}
    return {**entry, "columns": columns, "tags": _TAGS}


def _text(rows: Iterable[Row], lines: bool) -> Iterator[str]:
    if lines:
        yield from (f"{_line(row)}\n" for row in rows)
        return
    before = "[\n"
    for row in rows:
        yield before + _line(row)
        before = ",\n"
    yield "\n]\n"


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False)


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8", newline="\n")


def _opened(file: Path) -> TextIO:
    return file.open("w", encoding="utf-8", newline="\n")
