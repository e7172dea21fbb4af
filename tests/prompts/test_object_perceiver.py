from __future__ import annotations

from anomagent.prompts import object_perceiver
from tests.prompts.examples import CHAIR, CUP


def test_passes_are_varied_and_start_again() -> None:
    texts = [object_perceiver.render_list(slot).text for slot in range(9)]
    assert len(set(texts[:3])) == 3
    assert texts[3:6] == texts[:3]


def test_passes_share_all_but_their_emphasis_which_comes_last() -> None:
    heads = {object_perceiver.render_list(slot).text.rpartition("\n")[0] for slot in range(3)}
    assert len(heads) == 1


def test_merge_tells_the_passes_apart_and_names_an_empty_one() -> None:
    text = object_perceiver.render_merge([[CUP], [], [CHAIR]]).text
    assert "Pass 1:\n- cup: " in text
    assert "Pass 2:\n- nothing" in text
    assert "Pass 3:\n- chair: " in text
