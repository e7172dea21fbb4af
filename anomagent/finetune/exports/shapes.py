"""One instance, or one preference pair, as each trainer takes it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from anomagent.finetune.instances import IMAGE_MARK, Instance
from anomagent.finetune.preferences import Preference

Row = dict[str, Any]

ROLES: Final[Mapping[str, str]] = {"human": "user", "gpt": "assistant"}


def messages_row(instance: Instance, image: str) -> Row:
    """LLaMA-Factory and ms-swift: messages with the image's mark, and its path."""
    messages = [{"role": ROLES[one.speaker], "content": one.value} for one in instance.conversations]
    return {"messages": messages, "images": [image]}


def trl_row(instance: Instance, image: str) -> Row:
    """TRL: messages without a mark; the collator puts the image before the first question."""
    return {"images": [image], "messages": _plain(instance.turns)}


def axolotl_row(instance: Instance, image: str) -> Row:
    """Axolotl: messages whose content is a list of parts."""
    messages = [_parts(one["role"], one["content"]) for one in _plain(instance.turns)]
    messages[0]["content"].insert(0, {"type": "image", "path": image})
    return {"messages": messages}


def llava_row(instance: Instance, image: str) -> Row:
    """LLaVA's shape, as the authors' builder writes it."""
    said = [one.model_dump(by_alias=True) for one in instance.conversations]
    return {"id": instance.id, "image": image, "conversations": said}


def ranking_row(preference: Preference, image: str) -> Row:
    """LLaMA-Factory's ranking: what was said before, and the two answers."""
    messages = _asked(preference)
    messages[0]["content"] = f"{IMAGE_MARK}\n{messages[0]['content']}"
    chosen, rejected = _answers(preference)
    return {"messages": messages, "chosen": chosen, "rejected": rejected, "images": [image]}


def dpo_row(preference: Preference, image: str) -> Row:
    """TRL's DPO, conversational and with images."""
    chosen, rejected = _answers(preference)
    return {"images": [image], "prompt": _asked(preference), "chosen": [chosen], "rejected": [rejected]}


def _plain(turns: Sequence[tuple[str, str]]) -> list[Row]:
    pairs = (zip(("user", "assistant"), turn, strict=True) for turn in turns)
    return [{"role": role, "content": text} for pair in pairs for role, text in pair]


def _asked(preference: Preference) -> list[Row]:
    return [*_plain(preference.before), {"role": "user", "content": preference.question}]


def _answers(preference: Preference) -> tuple[Row, Row]:
    chosen, rejected = preference.chosen, preference.rejected
    return {"role": "assistant", "content": chosen}, {"role": "assistant", "content": rejected}


def _parts(role: str, text: str) -> Row:
    return {"role": role, "content": [{"type": "text", "text": text}]}
