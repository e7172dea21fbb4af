import pytest

from anomagent.evaluation.groups import group_by_kind, group_by_source
from anomagent.evaluation.pairs import Pair, Similarity
from anomagent.evaluation.scores import score
from anomagent.state.findings import Anomaly
from tests.evaluation.metric_cases import alike, matrix, pair


def of_kind(*kinds: str) -> list[Anomaly]:
    return [Anomaly(name=kind, phenomenon="p", reasoning="r", severity=10) for kind in kinds]


def test_by_source() -> None:
    pairs = [pair([1], 1, "a"), pair([1], 1, "b"), pair([], 0, "c"), pair([1], 2, "d"), pair([], 0, "e")]
    scores = score(
        pairs, [alike([[1.0]]), alike([[0.1]]), alike([], 0), alike([[1.0, 0.0]]), alike([], 0)], empty="skip"
    )
    groups = group_by_source(scores, {"a": "SD", "b": "SD", "c": "Flux", "e": "SD"})
    # SD: 1 and 0, and an empty image that is left out.
    # Flux has only an empty image. d has no source: AP = 1 * 1/2, F1 = 2 / 3.
    assert list(groups) == ["Flux", "SD", "unknown"]
    assert groups["SD"] == {
        "images": 2,
        "left_out": 1,
        "predictions": 2,
        "ground_truth": 2,
        "SemAP": {"Phe": 0.5, "Rea": 0.5, "Full": 0.5},
        "SemF1": {"Phe": 0.5, "Rea": 0.5, "Full": 0.5},
    }
    assert groups["Flux"] == {"images": 0, "left_out": 1, "predictions": 0, "ground_truth": 0}
    assert (groups["unknown"]["SemAP"]["Phe"], groups["unknown"]["SemF1"]["Phe"]) == pytest.approx((0.5, 2 / 3))


@pytest.mark.parametrize("protocol", ["paper", "released"])
def test_by_kind(protocol: str) -> None:
    # Image a: a limb said of a limb (.95), a limb said of a light (.85); a text is missed. b: a light, nothing true.
    pairs = [Pair("a", of_kind("limb", "limb"), of_kind("limb", "light", "text")), Pair("b", of_kind("light"), [])]
    tables = [alike([[0.95, 0.1, 0.1], [0.1, 0.85, 0.1]]), alike([[]])]
    scores = score(pairs, tables, protocol)  # type: ignore[arg-type]
    groups = group_by_kind(scores, pairs, lambda anomaly: anomaly.name)
    assert {kind: (group["predictions"], group["ground_truth"]) for kind, group in groups.items()} == {
        "light": (1, 1),
        "limb": (2, 1),
        "text": (0, 1),
    }
    # Limb: both predictions are right at .7 and .8, one at .9; its ground truth is found at all three.
    # Precision (1 + 1 + 1/2) / 3, recall 1, F1 (1 + 1 + 2/3) / 3.
    assert groups["limb"]["Full"] == pytest.approx({"precision": 2.5 / 3, "recall": 1.0, "F1": 8 / 9})
    # Light: found at .7 and .8, but by a limb; the light that was said is false, so F1 is 0.
    assert groups["light"]["Phe"] == pytest.approx({"precision": 0, "recall": 2 / 3, "F1": 0})
    assert groups["text"]["Rea"] == {"precision": 0, "recall": 0, "F1": 0}


def test_kinds_are_counted_by_view() -> None:
    pairs = [Pair("a", of_kind("limb"), of_kind("limb"))]
    scores = score(pairs, [Similarity(matrix([[0.95]]), matrix([[0.5]]))])
    limb = group_by_kind(scores, pairs, lambda anomaly: anomaly.name)["limb"]
    # Phe .95 is found at all thresholds, Rea .5 at none, Full .725 at .7 only.
    assert [limb[view]["F1"] for view in ("Phe", "Rea", "Full")] == pytest.approx([1, 0, 1 / 3])


def test_no_match_and_no_anomaly_at_all() -> None:
    pairs = [pair([], 0, "a")]
    assert group_by_kind(score(pairs, [alike([], 0)]), pairs, lambda anomaly: anomaly.name) == {}


def test_other_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="not those that were scored"):
        group_by_kind(score([pair([1], 1, "a")], [alike([[1.0]])]), [pair([1], 1, "b")], lambda anomaly: anomaly.name)
