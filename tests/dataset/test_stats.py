"""A data set in numbers, before and after the review."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.dataset import stats as module
from anomagent.dataset.stats import BeforeAfter, Spread, dataset_stats, spread
from anomagent.errors import UsageError
from anomagent.store import Workspace, ingest_image
from anomagent.store.selections import write_selections
from anomagent.store.sources import Source, note_sources
from anomagent.store.splits import Placed, save_parts
from anomagent.store.steps import dataset_step
from tests.dataset.filling import add, anomaly, begin, judge, picture


@pytest.fixture
def hashes(workspace: Workspace) -> list[str]:
    """a (flux): severities 0, 9, 10; b (flux): 100; c (sd): nothing; d (sd): failed; e: not analysed."""
    run = begin(workspace)
    objects = [{"name": name, "description": ""} for name in ("Person 1", "person 2", "Chair")]
    lists = [[anomaly("leg", 0), anomaly("arm", 9), anomaly("ear", 10)], [anomaly("sky", 100)], []]
    found = [
        add(workspace, run, f"{place}.png", place, status="ok", anomalies=said, objects=objects[: 3 - place])
        for place, said in enumerate(lists)
    ]
    found.append(add(workspace, run, "3.png", 3, status="failed", anomalies=[], objects=[]))
    found.append(ingest_image(workspace, picture(4), "4.png")["sha256"])
    with workspace.writing() as connection:
        sources = ["flux", "flux", "sd", "sd", None]
        note_sources(
            connection,
            [Source(sha, f"{place}.png", prompt="p", source=sources[place]) for place, sha in enumerate(found)],
        )
    for name, verdict in (("leg", "ACCEPT"), ("ear", "ACCEPT"), ("sky", "REJECT")):
        judge(workspace, name, verdict)  # type: ignore[arg-type]
    return found


@pytest.mark.usefixtures("hashes")
def test_every_number(workspace: Workspace) -> None:
    stats = dataset_stats(workspace)

    assert stats.images == {
        "all": 5, "prompts": 5, "described": 0, "analysed": 3, "ok": 3, "partial": 0, "failed": 1, "running": 0,
        "dropped": 0, "superseded": 0,
    }  # fmt: skip
    assert stats.candidates == {"all": 4, "accepted": 2, "rejected": 1, "unsure": 0, "unreviewed": 1}
    # flux: 4 candidates in 2 images, 2 accepted; sd: one image with an empty result, one without any.
    assert [tuple(one) for one in stats.sources] == [("flux", 2, 2, 4, 2), ("sd", 2, 1, 0, 0), (None, 1, 0, 0, 0)]
    assert stats.severity.before == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert stats.severity.after == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    # Three, two and one objects: "Person 1", "person 2" and "Person 1" are one name.
    assert stats.objects == Spread(3, 2.0, 2, 3)
    assert stats.frequent_objects == {"person": 5, "chair": 1}
    # Names have one word, phenomena four ("The leg is wrong."), reasonings four.
    assert stats.lengths["phenomenon"] == BeforeAfter(Spread(4, 4.0, 4, 4), Spread(2, 4.0, 4, 4))
    assert stats.kinds is not None
    assert sum(both.before for both in stats.kinds.values()) == 4
    assert sum(both.after for both in stats.kinds.values()) == 2
    assert tuple(stats.review) == (1, 3, 0, 0)
    assert [(one.schedule, one.images) for one in stats.analyses] == [("paper", 4)]
    means = {one["source"]: (one["before"], one["after"]) for one in stats.as_json()["sources"]}
    assert means == {"flux": (2.0, 1.0), "sd": (0.0, 0.0), None: (None, None)}
    json.dumps(stats.as_json())


def test_images_that_are_out_do_not_count(workspace: Workspace, hashes: list[str]) -> None:
    with dataset_step(workspace, "dedupe", {}) as step:
        write_selections(workspace, step, "dedupe", [(hashes[0], False, "near"), (hashes[4], False, "near")])
    stats = dataset_stats(workspace, kinds=False)
    assert (stats.images["all"], stats.candidates["all"], stats.kinds) == (3, 1, None)
    assert (stats.images["dropped"], stats.dropped) == (1, {"dedupe": 2}), "one of the two was analysed"


def test_parts_of_splits(workspace: Workspace, hashes: list[str]) -> None:
    with dataset_step(workspace, "split", {}) as step:
        save_parts(workspace, step, "half", [Placed(hashes[0], "test", "hash"), Placed(hashes[1], "train", "hash")])
        save_parts(workspace, step, "other", [Placed(hashes[0], "train", "hash")])
    assert [tuple(one) for one in dataset_stats(workspace).splits] == [
        ("half", "train", 1, 1, 1, 0),
        ("half", "test", 1, 1, 3, 2),
        ("other", "train", 1, 1, 3, 2),
    ]
    assert [one.split for one in dataset_stats(workspace, split="other").splits] == ["other"]


def test_one_run(workspace: Workspace, hashes: list[str]) -> None:
    run = begin(workspace)
    add(workspace, run, "0.png", 0, status="ok", anomalies=[anomaly("tail")])
    stats = dataset_stats(workspace, run)
    assert (stats.images["all"], stats.candidates["all"], stats.candidates["unreviewed"]) == (1, 1, 1)
    stats = dataset_stats(workspace)
    assert (stats.candidates["all"], stats.images["superseded"]) == (4, 1), "the reviewed analysis goes before"
    judge(workspace, "tail", "UNSURE")
    stats = dataset_stats(workspace)
    assert (stats.candidates["all"], stats.images["superseded"]) == (2, 0), "the newest one that was looked at"
    with pytest.raises(UsageError, match="no run 'x'"):
        dataset_stats(workspace, "x")


@pytest.mark.usefixtures("hashes")
def test_two_people_on_one_candidate(workspace: Workspace) -> None:
    judge(workspace, "leg", "ACCEPT", "bob")
    judge(workspace, "ear", "REJECT", "bob")
    assert tuple(dataset_stats(workspace).review) == (2, 5, 2, 1)


@given(st.lists(st.integers(0, 50), min_size=1))
def test_quantiles_are_those_of_a_sorted_list(values: list[int]) -> None:
    found = spread(Counter(values))
    ranked = sorted(values)
    # Nearest rank: the value at place ceil(share * n), from 1.
    assert found.median == ranked[-(-len(ranked) // 2) - 1]
    assert found.p90 == ranked[-(-9 * len(ranked) // 10) - 1]
    assert found.mean == pytest.approx(sum(values) / len(values))


def test_images_that_were_not_analysed_have_numbers(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="its data set has no image; ingest some first"):
        dataset_stats(workspace)
    sha256 = ingest_image(workspace, picture(4), "4.png")["sha256"]
    with workspace.writing() as connection:
        note_sources(connection, [Source(sha256, "4.png", source="flux")])
    stats = dataset_stats(workspace)
    assert (stats.images["all"], stats.images["analysed"], stats.candidates["all"]) == (1, 0, 0)
    assert [tuple(one) for one in stats.sources] == [("flux", 1, 0, 0, 0)]


@pytest.mark.usefixtures("hashes")
def test_a_split_that_is_not_there(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match=r"no split 'x' in workspace .*; known: it has none yet"):
        dataset_stats(workspace, split="x")


@pytest.mark.usefixtures("hashes")
def test_kinds_are_kept(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first = dataset_stats(workspace).kinds

    def never(_: object) -> None:
        raise AssertionError("read off the texts again")

    monkeypatch.setattr(module, "kind_of", never)
    monkeypatch.setattr(module, "QUICK", 0)  # those that are known take no time
    assert dataset_stats(workspace).kinds == first


def test_the_source_that_was_said_last_counts(workspace: Workspace) -> None:
    """By two names; what is said first of the second name, and last of the first, is the last word."""
    sha256 = ingest_image(workspace, picture(4), "a.png")["sha256"]
    said = [("a.png", "first", "one"), ("b.png", "second", None), ("a.png", "third", None), ("b.png", None, "two")]
    for name, source, prompt in said:
        with workspace.writing() as connection:
            note_sources(connection, [Source(sha256, name, source=source, prompt=prompt)])
    assert [one.source for one in dataset_stats(workspace).sources] == ["third"]
    with workspace.reading() as connection:
        assert connection.execute("SELECT source, prompt FROM image_facts").fetchone() == ("third", "two")
