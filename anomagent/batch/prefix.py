"""How much of what is sent about one image was sent just before: what a server's prefix cache can spare.

A request is, in this order: the schema of the answer (where a server puts it there), the system text, the image, the
prompt's text. The system text and the image are the same in every call about an image; after the image come the fixed
instructions of a step, then what differs from call to call.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from anomagent.batch.rehearsal import CHARACTERS_PER_TOKEN, MESSAGE_TOKENS, text_tokens
from anomagent.errors import UsageError
from anomagent.models.prices import Price
from anomagent.prompts import TEMPLATES, Prompt, Template
from anomagent.store import Workspace
from anomagent.store.database import select


@dataclass(frozen=True)
class Cache:
    """How a server reuses prefixes."""

    name: str
    least: int
    """Prefixes of fewer tokens are not kept."""
    block: int
    """Prefixes are kept in steps of this many tokens."""
    schema_first: bool
    """Whether the schema of the answer stands before the system text, so that only calls with one schema share it."""


IDEAL = Cache("an ideal cache", 0, 1, False)
VLLM = Cache("vLLM's prefix cache", 0, 16, False)
"""Automatic prefix caching, on by default: whole blocks of 16 tokens (vLLM, "Automatic Prefix Caching")."""
OPENAI = Cache("OpenAI's prompt cache", 1024, 128, True)
"""From 1024 tokens on, in steps of 128; "the structured output schema serves as a prefix to the system message"
(OpenAI, guide "Prompt caching"). Held for minutes, and not promised: an upper bound."""


@dataclass(frozen=True)
class PrefixShare:
    """The input tokens of all calls about one image, and which of them were there before."""

    calls: int
    input_tokens: int
    common_tokens: int
    """Tokens in the prefix that all calls have in common: system text and image, counted in every call."""
    reused_tokens: int
    """Tokens in the longest prefix that a call shares with an earlier one, as the cache keeps them: the first call of
    its kind pays in full."""

    @property
    def common(self) -> float:
        """Share of the input tokens, 0 to 1."""
        return self.common_tokens / self.input_tokens if self.input_tokens else 0.0

    @property
    def reused(self) -> float:
        """Share of the input tokens, 0 to 1."""
        return self.reused_tokens / self.input_tokens if self.input_tokens else 0.0

    def saved(self, price: Price) -> float:
        """US dollars that an image costs less because cached tokens are cheaper."""
        return 0.0 if price.cached is None else self.reused_tokens * (price.input - price.cached) / 1_000_000


def cache_of(model_id: str, base_url: str | None = None) -> Cache | None:
    """The cache behind a model; None where there is none, it has to be asked for, or its rules are not known here.

    A server at `base_url` that is not OpenAI's is taken for a vLLM.
    """
    if not model_id.startswith("openai:"):
        return None
    host = urlsplit(base_url).hostname if base_url else "api.openai.com"
    return OPENAI if host == "api.openai.com" else VLLM


def prefix_share(prompts: Sequence[Prompt], image_tokens: int, cache: Cache = IDEAL) -> PrefixShare:
    """The share of the calls `prompts`, in the order in which they are sent, about an image of `image_tokens`."""
    sent = [_Sent(_head(prompt, cache), prompt.text) for prompt in prompts]
    shared = min((_shared(sent[0], other, image_tokens) for other in sent), default=0)
    reused = [
        max((_shared(earlier, this, image_tokens) for earlier in sent[:n]), default=0) for n, this in enumerate(sent)
    ]
    return PrefixShare(
        calls=len(sent),
        input_tokens=sum(_size(this, image_tokens) for this in sent),
        common_tokens=shared * len(sent),
        reused_tokens=sum(_kept(tokens, cache) for tokens in reused),
    )


def stored_prompts(workspace: Workspace, analysis_id: int) -> list[Prompt]:
    """The prompts of a finished analysis, in the order in which they were first answered.

    Raises `UsageError` where there is no such analysis, or its calls were made by other prompts than today's.
    """
    query = """
        SELECT c.role, c.step, c.prompt, min(c.id) AS first FROM analysis_calls a JOIN calls c USING (key)
        WHERE a.analysis_id = ? AND c.status = 'good' GROUP BY c.key ORDER BY first"""
    with workspace.reading() as connection:
        rows = select(connection, query, [analysis_id])
    if not rows:
        raise UsageError(f"no answered calls of analysis {analysis_id} in workspace {workspace.path}")
    known = {(template.role, template.step): template for template in TEMPLATES}
    if strange := next((row for row in rows if (row["role"], row["step"]) not in known), None):
        raise UsageError(
            f"analysis {analysis_id}: {strange['role']}/{strange['step']} is no step of this version; analyse it again"
        )
    return [_prompt_of(known[row["role"], row["step"]], row["prompt"]) for row in rows]


def _prompt_of(template: Template, text: str) -> Prompt:
    return Prompt(template.role, template.step, text, template.reply, template.system)


@dataclass(frozen=True)
class _Sent:
    """The two texts of a request, with the image between them."""

    head: str
    text: str


def _head(prompt: Prompt, cache: Cache) -> str:
    schema = json.dumps(prompt.reply.strict_schema(), separators=(",", ":")) if cache.schema_first else ""
    return schema + prompt.system


def _size(sent: _Sent, image_tokens: int) -> int:
    return text_tokens(sent.head) + image_tokens + text_tokens(sent.text) + MESSAGE_TOKENS


def _shared(one: _Sent, other: _Sent, image_tokens: int) -> int:
    """Tokens of the longest prefix of two requests about the same image."""
    if one.head != other.head:
        return _same(one.head, other.head) // CHARACTERS_PER_TOKEN
    text = _same(one.text, other.text) // CHARACTERS_PER_TOKEN
    return len(one.head) // CHARACTERS_PER_TOKEN + image_tokens + text


def _same(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    if one == other:
        return len(one)
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _kept(tokens: int, cache: Cache) -> int:
    return tokens // cache.block * cache.block if tokens >= cache.least else 0
