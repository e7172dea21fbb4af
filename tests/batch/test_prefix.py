"""The share of what is sent about one image that was sent before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.batch.prefix import IDEAL, OPENAI, VLLM, Cache, cache_of, prefix_share
from anomagent.batch.rehearsal import rehearse
from anomagent.models.prices import Price
from anomagent.prompts import TEMPLATES, Prompt
from anomagent.state.context import AnalysisContext, Schedule

FIRST, SECOND = TEMPLATES[0].reply, TEMPLATES[2].reply


def _prompt(text: str, reply: type = FIRST, system: str = "s" * 40) -> Prompt:
    return Prompt("ObjectPerceiver", "list", text, reply, system)


def _rehearsed(schedule: Schedule, objects: int) -> list[Prompt]:
    return [call.prompt for call in rehearse(AnalysisContext(schedule=schedule), objects)]


def test_system_text_and_image_are_common() -> None:
    """Each: 10 system + 100 image + 20 text + 10 layout = 140. Common: 10 + 100 + 8 alike, in both. Reused: once."""
    share = prefix_share([_prompt("a" * 32 + "b" * 48), _prompt("a" * 32 + "c" * 48)], 100)
    assert (share.calls, share.input_tokens, share.common_tokens, share.reused_tokens) == (2, 280, 236, 118)
    assert share.common == pytest.approx(236 / 280)
    assert share.reused == pytest.approx(118 / 280)


def test_the_best_earlier_call_counts() -> None:
    """The third is like the first (100 + 10 + 20), not like the second, which leaves 110 common to all."""
    share = prefix_share([_prompt("a" * 80), _prompt("b" * 80), _prompt("a" * 80)], 100)
    assert share.reused_tokens == 110 + 130
    assert share.common_tokens == 3 * 110


def test_a_cache_keeps_whole_blocks_from_its_least_on() -> None:
    """130 tokens alike: nothing from 131 on, 128 in blocks of 16."""
    prompts = [_prompt("a" * 80)] * 2
    assert prefix_share(prompts, 100, Cache("", 131, 1, False)).reused_tokens == 0
    assert prefix_share(prompts, 100, VLLM).reused_tokens == 128


def test_a_schema_before_the_system_text_parts_the_steps() -> None:
    alike, apart = ([_prompt("a" * 80), _prompt("a" * 80, reply)] for reply in (FIRST, SECOND))
    image = 2_000
    assert prefix_share(alike, image, OPENAI).reused_tokens >= image
    assert prefix_share(apart, image, OPENAI).reused_tokens == 0
    assert prefix_share(apart, image, OPENAI).common_tokens < 100
    assert prefix_share(apart, image, IDEAL).reused_tokens == 10 + image + 20


def test_nothing_sent_shares_nothing() -> None:
    share = prefix_share([], 100)
    assert (share.common, share.reused) == (0.0, 0.0)


def test_what_is_saved() -> None:
    """1 million tokens reused, 2.5 instead of 1.25 dollars; without a cached price nothing."""
    share = prefix_share([_prompt("")] * 2, 1_000_000 - 10)
    assert share.saved(Price(2.5, 10, 1.25)) == pytest.approx(1.25)
    assert share.saved(Price(2.5, 10)) == 0.0


@given(texts=st.lists(st.text(max_size=60), min_size=1, max_size=6), image=st.integers(0, 2_000))
def test_shares_are_shares(texts: list[str], image: int) -> None:
    """Never more than was sent, the first call reuses nothing, and real caches reuse no more than an ideal one."""
    prompts = [_prompt(text) for text in texts]
    ideal = prefix_share(prompts, image)
    assert 0 <= ideal.reused <= 1
    assert 0 <= ideal.common <= 1
    assert ideal.reused_tokens >= ideal.common_tokens * (len(texts) - 1) / len(texts)
    assert prefix_share(prompts, image, VLLM).reused_tokens <= ideal.reused_tokens


def test_the_figures_of_the_documentation() -> None:
    """The paper's schedule with 15 objects and a 1024 x 1024 image: 765 tokens on GPT-4o, 1369 on Qwen2.5-VL."""
    prompts = _rehearsed("paper", 15)
    gpt, qwen = prefix_share(prompts, 765), prefix_share(prompts, 1369)
    assert (round(gpt.common, 2), round(gpt.reused, 2)) == (0.50, 0.66)
    assert (round(qwen.common, 2), round(qwen.reused, 2)) == (0.62, 0.74)
    assert round(prefix_share(prompts, 765, OPENAI).reused, 2) == 0.60
    assert round(prefix_share(prompts, 1369, VLLM).reused, 2) == 0.74


def test_who_has_a_cache() -> None:
    assert cache_of("openai:gpt-4o") is OPENAI
    assert cache_of("openai:gpt-4o", "https://api.openai.com/v1") is OPENAI
    assert cache_of("openai:Qwen/Qwen2.5-VL-7B-Instruct", "http://gpu:8000/v1") is VLLM
    assert cache_of("anthropic:claude-sonnet-4-5") is None
