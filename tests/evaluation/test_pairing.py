import json
from dataclasses import replace
from pathlib import Path

import pytest

from anomagent.benchmark.annotations import BadEntry, ImageAnnotations
from anomagent.benchmark.reading import read_annotations
from anomagent.errors import UsageError
from anomagent.evaluation.pairing import pair_up
from anomagent.evaluation.summary import describe_missing
from tests.evaluation.metric_cases import a_set, anomalies

ONE, TWO = anomalies(10), anomalies(10, 20)


def test_images_meet_by_base_name_in_the_order_of_the_ground_truth() -> None:
    pairing = pair_up(
        a_set("pred.json", {"out/a.png": ONE, "out/b.png": TWO}), a_set("gt.json", {"b.png": ONE, "x\\a.png": TWO})
    )
    assert [(p.image, len(p.predictions), len(p.ground_truth)) for p in pairing.pairs] == [
        ("b.png", 2, 1),
        ("a.png", 1, 2),
    ]
    assert (pairing.only_predictions, pairing.only_ground_truth, pairing.failures) == ((), (), {})


def test_images_of_one_file_alone_are_an_error_with_names_and_ways_out() -> None:
    predictions = a_set("pred.json", {f"p{n}.png": ONE for n in range(5)})
    with pytest.raises(UsageError) as caught:
        pair_up(predictions, a_set("gt.json", {"p0.png": ONE, "g.png": ONE}))
    assert str(caught.value) == (
        "images without a counterpart: 4 only in pred.json ('p1.png', 'p2.png', 'p3.png', ...), "
        "1 only in gt.json ('g.png'); pass --missing empty to take the other side as empty, "
        "or --missing skip to leave them out"
    )


def test_a_difference_in_extension_is_pointed_out() -> None:
    with pytest.raises(UsageError, match=r"'a\.png' and 'a\.jpg' differ in the extension only: name images alike, or"):
        pair_up(a_set("pred.json", {"a.png": ONE}), a_set("gt.json", {"a.jpg": ONE}))


def test_a_hostile_name_stays_on_one_line_and_is_cut() -> None:
    with pytest.raises(UsageError) as caught:
        pair_up(a_set("pred.json", {"\n\x1b[2J" + "x" * 10_000: ONE}), a_set("gt.json", {"a.png": ONE}))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_empty_takes_the_other_side_as_empty_and_counts() -> None:
    pairing = pair_up(a_set("p", {"a.png": ONE, "p.png": TWO}), a_set("g", {"g.png": TWO, "a.png": ONE}), "empty")
    assert [(p.image, len(p.predictions), len(p.ground_truth)) for p in pairing.pairs] == [
        ("g.png", 0, 2),
        ("a.png", 1, 1),
        ("p.png", 2, 0),
    ]
    assert (pairing.only_predictions, pairing.only_ground_truth) == (("p.png",), ("g.png",))


def test_skip_leaves_out_and_counts() -> None:
    pairing = pair_up(a_set("p", {"a.png": ONE, "p.png": TWO}), a_set("g", {"g.png": TWO, "a.png": ONE}), "skip")
    assert [p.image for p in pairing.pairs] == ["a.png"]
    assert (pairing.only_predictions, pairing.only_ground_truth) == (("p.png",), ("g.png",))


def test_a_failed_image_is_missing_with_its_reason() -> None:
    predictions, truth = a_set("p", {"a.png": ONE}, b="refused"), a_set("g", {"a.png": ONE, "b.png": TWO})
    with pytest.raises(UsageError, match=r"counterpart: 1 failed \('b\.png': 'refused'\); pass --missing"):
        pair_up(predictions, truth)
    skipped, emptied = pair_up(predictions, truth, "skip"), pair_up(predictions, truth, "empty")
    assert [p.image for p in skipped.pairs] == ["a.png"]
    assert [(p.image, len(p.predictions)) for p in emptied.pairs] == [("a.png", 1), ("b.png", 0)]
    assert skipped.failures == emptied.failures == {"b.png": "refused"}
    assert skipped.only_ground_truth == ("b.png",)


def test_an_image_that_failed_and_has_no_other_side_is_never_scored() -> None:
    predictions, truth = a_set("p", {"a.png": ONE}, b="refused"), a_set("g", {"a.png": ONE})
    with pytest.raises(UsageError, match="1 failed"):
        pair_up(predictions, truth)
    assert [p.image for p in pair_up(predictions, truth, "empty").pairs] == ["a.png"]


def test_bad_entries_are_counted() -> None:
    bad = BadEntry("p", "a.png", 0, "no name")
    predictions = a_set("p", {"a.png": ONE})
    predictions = type(predictions)("p", {"a.png": ImageAnnotations("a.png", ONE)}, (bad, bad))
    pairing = pair_up(predictions, a_set("g", {"a.png": ONE}))
    assert (pairing.bad_predictions, pairing.bad_ground_truth) == (2, 0)


def test_images_of_the_split_in_neither_file_are_an_error_or_counted() -> None:
    part = frozenset({"a.png", "y.png", "x.png"})
    predictions, truth = (replace(a_set(source, {"a.png": ONE}), part=part) for source in ("p", "g"))
    with pytest.raises(UsageError, match=r"counterpart: 2 of the split in neither \('x\.png', 'y\.png'\); pass"):
        pair_up(predictions, truth)
    for missing in ("empty", "skip"):
        pairing = pair_up(predictions, truth, missing)
        assert [p.image for p in pairing.pairs] == ["a.png"]
        assert pairing.only_split == ("x.png", "y.png")
        assert describe_missing(pairing)["only_split"] == 2


def test_images_of_the_split_that_failed_or_are_on_one_side_are_not_counted_twice() -> None:
    part = frozenset({"a.png", "b.png", "c.png"})
    predictions = replace(a_set("p", {"a.png": ONE}, b="refused"), part=part)
    truth = replace(a_set("g", {"a.png": ONE, "c.png": TWO}), part=part)
    pairing = pair_up(predictions, truth, "skip")
    assert (pairing.only_split, pairing.only_ground_truth, list(pairing.failures)) == ((), ("c.png",), ["b.png"])


def test_an_unreadable_list_never_passes_for_rightly_finding_nothing(tmp_path: Path) -> None:
    """Nothing on both sides scores 1 under the paper's protocol; an entry without severity is not nothing."""
    unreadable = {"Name": "n", "Observed Phenomenon": "p", "Reasoning": "r", "Severity Score": "high"}
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"a.png": [unreadable], "b.png": []}))
    predictions, truth = read_annotations(path), a_set("g", {"a.png": (), "b.png": ()})
    with pytest.raises(UsageError, match=r"1 failed \('a\.png': .no entry of its list can be read"):
        pair_up(predictions, truth)
    for missing in ("empty", "skip"):
        assert [p.image for p in pair_up(predictions, truth, missing).pairs] == ["b.png"]


def test_nothing_in_common_is_an_error_even_where_missing_images_may_be_skipped() -> None:
    with pytest.raises(UsageError, match="p and g leave no image to score"):
        pair_up(a_set("p", {"a.png": ONE}), a_set("g", {"b.png": ONE}), "skip")
