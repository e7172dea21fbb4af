"""Instances: what a model is trained on, one conversation about one image each; a line of a file each."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from anomagent.benchmark.files import whole_file
from anomagent.errors import UsageError

IMAGE_MARK = "<image>"
"""Where the image stands in the first question, as in the benchmark's instruction data."""


class Message(BaseModel):
    """One turn, as in the benchmark's instruction data (SPEC: LLaVA's shape)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    speaker: Literal["human", "gpt"] = Field(alias="from")
    value: Annotated[str, Field(min_length=1)]


class Instance(BaseModel):
    """One conversation about one image: questions and answers in turn, the first question with the image's mark."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1)]
    image: Annotated[str, Field(min_length=1)]
    """Path of the image's file; relative ones count from the file of instances."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of the image's content: training refuses another one under the same path."""
    conversations: Annotated[list[Message], Field(min_length=2)]

    @model_validator(mode="after")
    def _in_turn(self) -> Self:
        speakers = [message.speaker for message in self.conversations]
        if speakers != ["human", "gpt"] * (len(speakers) // 2) or len(speakers) % 2:
            raise ValueError("conversations must alternate human and gpt, and end with gpt")
        if not self.conversations[0].value.startswith(IMAGE_MARK):
            raise ValueError(f"the first question must begin with {IMAGE_MARK}")
        if sum(message.value.count(IMAGE_MARK) for message in self.conversations) != 1:
            raise ValueError(f"{IMAGE_MARK} must stand there once")
        return self

    @property
    def turns(self) -> list[tuple[str, str]]:
        """(question, answer) pairs, the image's mark taken off the first question."""
        texts = [message.value for message in self.conversations]
        texts[0] = texts[0].removeprefix(IMAGE_MARK).lstrip("\n")
        return list(zip(texts[::2], texts[1::2], strict=True))


def instance_of(id: str, image: str, sha256: str, turns: Iterable[tuple[str, str]]) -> Instance:
    """An instance of (question, answer) pairs. Raises `ValueError` where a text is empty or holds the image's mark."""
    messages: list[dict[str, str]] = []
    for question, answer in turns:
        mark = "" if messages else f"{IMAGE_MARK}\n"
        messages += [{"from": "human", "value": mark + question}, {"from": "gpt", "value": answer}]
    return Instance.model_validate({"id": id, "image": image, "sha256": sha256, "conversations": messages})


def read_instances(path: Path) -> Iterator[Instance]:
    """The instances of a JSON lines file, one at a time.

    Raises `UsageError` that names the line where one is none, and for a file that cannot be read or holds none.
    """
    number = 0
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                number += 1
                yield Instance.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the line"
        raise UsageError(f"{path}: line {number} is no instance; {place}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); make it with `anomagent finetune data`") from error
    if not number:
        raise UsageError(f"{path}: holds no instance; make it with `anomagent finetune data`")


def write_instances(path: Path, instances: Iterable[Instance]) -> int:
    """Write JSON lines, whole or not at all, and return how many. Raises `OSError`."""
    count = 0
    with whole_file(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="\n") as stream:
        for instance in instances:
            count += 1
            stream.write(json.dumps(instance.model_dump(by_alias=True), ensure_ascii=False) + "\n")
    return count
