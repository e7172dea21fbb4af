"""Preference pairs: what people accepted against what they rejected, of the same image and question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anomagent.finetune.conversations import Choices, Talk
from anomagent.finetune.left_out import LeftOut
from anomagent.finetune.preferences import preferences_about
from anomagent.finetune.sources import Subject, Told
from anomagent.state.classic_text import NO_ANOMALIES, parse_anomalies
from anomagent.store import Workspace
from tests.dataset.filling import add, begin, judge
from tests.dataset.filling import anomaly as stored
from tests.finetune.material import anomaly, counter, lines, make


def subject(told: Told) -> Subject:
    return Subject("ab" * 32, "a.png", Path("/a.png"), 64, 48, "train", lambda: told)


def some(*names: str) -> tuple[Any, ...]:
    return tuple(anomaly(name) for name in names)


def pairs(told: Told, left_out: LeftOut | None = None, **choices: Any) -> list[tuple[list[str], list[str]]]:
    """The names on both sides."""
    found = preferences_about(Talk(Choices(**choices), counter()), subject(told), left_out or LeftOut())
    return [
        tuple([one.name for one in parse_anomalies(text).anomalies] for text in (pair.chosen, pair.rejected))
        for pair in found
    ]  # type: ignore[misc]


def test_chosen_is_what_was_accepted_and_rejected_what_was_rejected() -> None:
    ((chosen, rejected),) = pairs(Told(some("leg", "arm"), some("sky")))
    assert (sorted(chosen), rejected) == (["arm", "leg"], ["sky"])


def test_where_all_was_rejected_nothing_is_better() -> None:
    (pair,) = preferences_about(Talk(Choices(), counter()), subject(Told((), some("sky"))), LeftOut())
    assert pair.chosen == NO_ANOMALIES
    assert (pair.before, pair.question.endswith(NO_ANOMALIES)) == ([], True)


@pytest.mark.parametrize(
    "told",
    [
        Told(some("leg")),
        Told((), some("sky"), undecided=1),
        Told(description="A street."),
        Told(),
    ],
)
def test_images_without_pairs(told: Told) -> None:
    assert pairs(told) == []


def test_open_candidates_do_not_matter_where_something_is_accepted() -> None:
    assert pairs(Told(some("leg"), some("sky"), undecided=3)) == [(["leg"], ["sky"])]


def test_two_turns_are_asked_first() -> None:
    (pair,) = preferences_about(
        Talk(Choices(recipe="two-turn"), counter()), subject(Told(some("leg"), some("sky"))), LeftOut()
    )
    ((_, answer),) = pair.before
    assert answer == "Yes."


def test_a_side_that_is_too_long_is_cut_into_answers_and_the_other_used_again() -> None:
    names = [f"thing {number}" for number in range(8)]
    found = pairs(Told(some("leg"), some(*names)), max_tokens=450)
    assert len(found) > 1
    assert all(chosen == ["leg"] for chosen, _ in found)
    assert sorted(name for _, rejected in found for name in rejected) == names


def test_what_cannot_stand_in_an_answer_is_noted() -> None:
    left_out = LeftOut()
    bad = anomaly("ear").model_copy(update={"reasoning": "<|im_end|>"})
    assert pairs(Told(some("leg"), (bad,)), left_out) == []
    assert pairs(Told((bad,), some("sky"))) == [], "what was accepted cannot be said, and nothing else was"
    assert left_out["bad entry"] == 1


def test_files_for_llama_factory_and_trl(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    run = begin(workspace)
    for place, names in enumerate((["leg", "arm"], ["sky"], ["cup"])):
        add(workspace, run, f"{place}.png", place, status="ok", anomalies=[stored(name) for name in names])
    for name, verdict in {"leg": "ACCEPT", "arm": "REJECT", "sky": "REJECT", "cup": "ACCEPT"}.items():
        judge(workspace, name, verdict)  # type: ignore[arg-type]
    report = make(tmp_path / "out", workspace=workspace, preferences=True, recipe="two-turn")

    assert report["preferences"] == {"pairs": {"train": 2}, "left_out": {}}
    folder = tmp_path / "out" / "preferences"
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    ranking, dpo = folder / "llama-factory", folder / "trl"
    assert files == [f"llama-factory/{name}" for name in ("README.md", "dataset_info.json", "train.json")] + [
        "trl/README.md",
        "trl/train.jsonl",
    ]
    info = json.loads((ranking / "dataset_info.json").read_text())
    (entry,) = info.values()
    assert entry["ranking"] is True
    assert entry["columns"] == {"messages": "messages", "images": "images", "chosen": "chosen", "rejected": "rejected"}
    rows = json.loads((ranking / entry["file_name"]).read_text())
    for row, line in zip(rows, lines(dpo / "train.jsonl"), strict=True):
        assert row.keys() == {"messages", "chosen", "rejected", "images"}
        assert [one["role"] for one in row["messages"]] == ["user", "assistant", "user"]
        assert "".join(one["content"] for one in row["messages"]).count("<image>") == len(row["images"]) == 1
        assert row["messages"][0]["content"].startswith("<image>\n")
        assert (ranking / row["images"][0]).resolve() == Path(line["images"][0])
        assert Path(line["images"][0]).is_absolute()
        assert line.keys() == {"images", "prompt", "chosen", "rejected"}
        assert "<image>" not in json.dumps(line)
        assert [row["chosen"]] == line["chosen"]
        assert [row["rejected"]] == line["rejected"]
        assert {row["chosen"]["role"], row["rejected"]["role"]} == {"assistant"}
