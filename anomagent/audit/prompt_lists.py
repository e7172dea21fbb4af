"""Lists that give prompts by id, as WISE and the ImageReward benchmark have them, and which image shows which id."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from anomagent.benchmark.documents import as_object, parse_json, read_text, shown
from anomagent.errors import UsageError

_FIELDS = {"wise": ("prompt_id", "Prompt"), "imagereward": ("id", "prompt")}
"""By layout, the keys of an entry: WISE's data/*.json, ImageReward's benchmark/benchmark-prompts.json."""
_PEEK = 65_536
_LARGEST_LIST = 256_000_000
_NUMBERED = re.compile(r"(?P<id>.+)_\d+", re.ASCII)


@dataclass(frozen=True)
class PromptList:
    """Prompts by id."""

    layout: str
    """Whose list it is: "wise" or "imagereward"."""
    source: str
    """The file or files, for messages."""
    prompts: Mapping[str, str]

    def prompt_of(self, image: Path, folder: Path) -> str | None:
        """The prompt of an image of the generator in `folder`; None where its name holds no id of the list.

        An image directly in it is called <id>.png or, the k-th of several, <id>_<k>.png; else its folder is the id.
        """
        parts = image.relative_to(folder).parts
        if len(parts) > 1:
            return self.prompts.get(parts[0]) if len(parts) == 2 else None
        if image.stem in self.prompts:
            return self.prompts[image.stem]
        numbered = _NUMBERED.fullmatch(image.stem)
        return self.prompts.get(numbered["id"]) if numbered else None


def read_prompt_list(file: Path) -> PromptList:
    """The list in `file`. Raises `UsageError` where it is none, or gives an id two prompts."""
    if file.is_file() and file.stat().st_size > _LARGEST_LIST:
        raise UsageError(f"{file}: is too large for a list of prompts; give another file")
    try:
        value = parse_json(read_text(file))
        if not isinstance(value, list) or not value:
            raise ValueError("it is no JSON list of prompts")
        entries = [as_object(entry) for entry in cast(list[object], value)]
        layout = next((name for name, keys in _FIELDS.items() if all(key in entries[0] for key in keys)), None)
        if layout is None:
            raise ValueError('its entries have neither "prompt_id" and "Prompt" nor "id" and "prompt"')
        return PromptList(layout, str(file), _unique(_pair(entry, *_FIELDS[layout]) for entry in entries))
    except ValueError as error:
        raise UsageError(f"{file}: {error}; correct the list of prompts") from error


def find_prompt_lists(folder: Path) -> list[PromptList]:
    """The lists directly in `folder`, one per layout: WISE has its prompts in three files, which are joined.

    A JSON file that does not begin like such a list is something else. Raises `UsageError` for one that does and
    cannot be read, and where two files give an id different prompts.
    """
    found: dict[str, list[PromptList]] = {}
    for file in sorted(folder.glob("*.json")):
        if not file.name.startswith(".") and file.is_file() and _looks_like_list(file):
            prompt_list = read_prompt_list(file)
            found.setdefault(prompt_list.layout, []).append(prompt_list)
    return [_join(lists) for lists in found.values()]


def _looks_like_list(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            start = opened.read(_PEEK)
    except OSError:
        return False  # not ours to read, so no list for us
    is_list = start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    return is_list and any(all(f'"{key}"'.encode() in start for key in keys) for keys in _FIELDS.values())


def _join(lists: list[PromptList]) -> PromptList:
    source = ", ".join(prompt_list.source for prompt_list in lists)
    try:
        prompts = _unique(pair for prompt_list in lists for pair in prompt_list.prompts.items())
    except ValueError as error:
        raise UsageError(f"{source}: {error}; keep one of the files beside the images") from error
    return PromptList(lists[0].layout, source, prompts)


def _pair(entry: Mapping[str, object], id_key: str, prompt_key: str) -> tuple[str, str]:
    identity, prompt = entry.get(id_key), entry.get(prompt_key)
    if isinstance(identity, bool) or not isinstance(identity, str | int):
        raise ValueError(f'an entry has no "{id_key}" that is a text or a whole number')
    if not isinstance(prompt, str):
        raise ValueError(f'the entry {shown(str(identity))} has no text as "{prompt_key}"')
    return str(identity), prompt


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    prompts: dict[str, str] = {}
    for identity, prompt in pairs:
        if prompts.setdefault(identity, prompt) != prompt:
            raise ValueError(f"the id {shown(identity)} has two different prompts")
    return prompts
