"""The ledger key: equal keys mean that the same model would be asked the same thing about the same pixels again."""

import hashlib
import json
from typing import Any

from anomagent.prompts.base import Prompt, Reply


def call_key(
    *,
    model: str,
    parameters: dict[str, Any],
    prompt: Prompt,
    reply: type[Reply],
    image_sha256: str,
    slot: int,
) -> str:
    """SHA-256 (hex) over all that decides an answer. `model` is the client's identity; `slot` tells samples apart.
    `image_sha256` is "" for a call without an image.

    The size of the answer and the repair turn are left out: they belong to getting one answer, not to which one.
    """
    content: dict[str, Any] = {
        "model": model,
        "parameters": parameters,
        "role": prompt.role,
        "step": prompt.step,
        "system": prompt.system,
        "text": prompt.text,
        "schema": reply.strict_schema(),
        "image": image_sha256,
        "slot": slot,
    }
    if prompt.further:
        content["further"] = [[turn.speaker, turn.text] for turn in prompt.further]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
