"""A judge model through a real seam and the scripted model, and what is made of its verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.errors import UsageError
from anomagent.evaluation.agreement import Agreement
from anomagent.evaluation.human_pairs import HumanPair, read_human_pairs
from anomagent.evaluation.judge import Judgement, estimate, judge
from anomagent.evaluation.judge_report import match_images, match_judged, report_judge
from anomagent.evaluation.pairs import Pair, Similarity
from anomagent.evaluation.scores import EmptyRule
from anomagent.evaluation.tables import judged_rows
from anomagent.models.ledger import MemoryLedger
from anomagent.prompts.anomaly_judge import render_match
from anomagent.state.findings import Anomaly, UsageTotals
from tests.models.scripted import errors, reply, script, seam_over


def anomalies(*names: str) -> tuple[Anomaly, ...]:
    return tuple(Anomaly(name=name, phenomenon=f"{name} is wrong", reasoning="so", severity=10) for name in names)


def pair(image: str, predictions: str, ground_truth: str) -> Pair:
    """Each letter is an anomaly."""
    return Pair(image, anomalies(*predictions), anomalies(*ground_truth))


def same(*numbers: tuple[int, int]) -> dict[str, list[dict[str, int]]]:
    """The judge's reply, numbers from 1."""
    return reply(pairs=[{"prediction": prediction, "reference": reference} for prediction, reference in numbers])


def similarity(rows: Sequence[Sequence[float]], shape: tuple[int, int] | None = None) -> Similarity:
    """Equal in both fields, so that Full is it, too."""
    values = np.array(rows, np.float64).reshape(shape or np.shape(rows))
    return Similarity(values, values)


async def test_one_call_per_image_with_both_sides(tmp_path: Path) -> None:
    ledger, told = MemoryLedger(), list[str]()
    pairs = [pair("a", "xy", "x"), pair("b", "", "x"), pair("c", "x", ""), pair("d", "", ""), pair("e", "x", "yx")]
    context = script(tmp_path, same((1, 1)), same((1, 2)), role="AnomalyJudge")
    found = await judge(
        seam_over(ledger).ask, context, pairs, in_flight=1, on_done=lambda judgement: told.append(judgement.image)
    )

    assert [judgement.image for judgement in found] == told == ["a", "b", "c", "d", "e"]
    assert [judgement.same for judgement in found] == [{(0, 0)}, set(), set(), set(), {(0, 1)}]
    assert [judgement.call is not None for judgement in found] == [True, False, False, False, True]
    assert [judgement.failure for judgement in found] == [None] * 5
    assert [(row["role"], row["step"], row["image_sha256"]) for row in ledger.attempts] == [
        ("AnomalyJudge", "match", "")
    ] * 2


async def test_judging_again_costs_nothing(tmp_path: Path) -> None:
    ask, context = seam_over().ask, script(tmp_path, same((1, 1)))
    first, again = [(await judge(ask, context, [pair("a", "x", "x")]))[0] for _ in range(2)]
    assert first.same == again.same
    assert again.call
    assert again.call["ledger_hit"]


async def test_pairs_that_are_said_twice_count_once(tmp_path: Path) -> None:
    (found,) = await judge(seam_over().ask, script(tmp_path, same((1, 1), (1, 1), (2, 1))), [pair("a", "xy", "x")])
    assert found.same == {(0, 0), (1, 0)}


@pytest.mark.parametrize("wrong", [(2, 1), (1, 2), (0, 1), (1, 0), (-1, 1)], ids=str)
async def test_a_number_that_does_not_exist_fails_its_image_alone(wrong: tuple[int, int], tmp_path: Path) -> None:
    ledger = MemoryLedger()
    context = script(tmp_path, same((1, 1), wrong), same((1, 1), wrong), same((1, 1)))
    pairs = [pair("a", "x", "x"), pair("b", "y", "y")]
    bad, good = await judge(seam_over(ledger).ask, context, pairs, in_flight=1)

    assert bad.failure
    assert (bad.failure["role"], bad.failure["error"]) == ("AnomalyJudge", "malformed")
    assert "there is no" in bad.failure["message"]
    assert bad.same == set()
    assert bad.call
    assert bad.call["attempts"] == 2, "one repair turn"
    assert (good.same, good.failure) == ({(0, 0)}, None)
    assert errors(ledger) == ["malformed", "malformed", None], "a later run asks again"


async def test_a_repaired_answer_counts(tmp_path: Path) -> None:
    (found,) = await judge(seam_over().ask, script(tmp_path, same((7, 1)), same((1, 1))), [pair("a", "x", "x")])
    assert (found.same, found.failure) == ({(0, 0)}, None)


def test_the_estimate_counts_what_will_be_sent() -> None:
    pairs = [pair("a", "xy", "x"), pair("b", "", "x"), pair("c", "x", "y")]
    prompts = [render_match(item.predictions, item.ground_truth) for item in (pairs[0], pairs[2])]
    found = estimate(pairs)
    assert found.calls == 2
    assert found.input_tokens == sum(len(prompt.system) + len(prompt.text) for prompt in prompts) // 4
    assert (estimate([]).calls, estimate([]).input_tokens) == (0, 0)


def test_as_many_pairs_as_possible_are_matched() -> None:
    """Taking the most similar pair (0, 0) first would leave prediction 1 without a partner."""
    full = np.array([[0.99, 0.5], [0.5, 0.98]])
    found = match_judged([(0, 0), (0, 1), (1, 0)], full)
    assert [(match.prediction, match.ground_truth, match.similarity) for match in found] == [(0, 1, 0.5), (1, 0, 0.5)]


def test_of_equally_many_the_more_similar_are_matched() -> None:
    """0.6 + 0.9 against 0.7 + 0.7."""
    full = np.array([[0.6, 0.7], [0.7, 0.9]])
    everything = [(p, g) for p in range(2) for g in range(2)]
    assert [match[:2] for match in match_judged(everything, full)] == [(0, 0), (1, 1)]


def test_nothing_the_same_is_nothing_matched() -> None:
    assert match_judged([], np.ones((2, 3))) == ()
    assert match_judged([], np.ones((0, 3))) == ()


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_matching_is_the_best_of_all(predictions: int, ground_truth: int, data: st.DataObject) -> None:
    """Against every possible one-to-one choice."""
    cells = [(p, g) for p in range(predictions) for g in range(ground_truth)]
    allowed = data.draw(st.sets(st.sampled_from(cells)))
    values = data.draw(st.lists(st.floats(-1, 1), min_size=len(cells), max_size=len(cells)))
    full = np.array(values).reshape(predictions, ground_truth)
    found = match_judged(allowed, full)

    assert all(match[:2] in allowed for match in found)
    assert len({match.prediction for match in found}) == len({match.ground_truth for match in found}) == len(found)
    columns = [*range(ground_truth), *[None] * predictions]
    choices = (
        [(p, g) for p, g in enumerate(order) if (p, g) in allowed] for order in permutations(columns, predictions)
    )
    best = max((len(choice), sum(full[cell] for cell in choice)) for choice in choices)
    assert len(found) == best[0]
    assert sum(match.similarity for match in found) == pytest.approx(best[1], abs=1e-9)


PAIRS = [pair("a", "xyz", "xy"), pair("b", "x", ""), pair("c", "", ""), pair("d", "xy", "x"), pair("e", "x", "x")]
SIMILARITIES = [
    similarity([[0.95, 0.75], [0.65, 0.85], [0.72, 0.6]]),
    similarity([], (1, 0)),
    similarity([], (0, 0)),
    similarity([[0.8], [0.6]]),
    similarity([[0.9]]),
]


async def _judgements(folder: Path) -> list[Judgement]:
    """a: two of three right; d: one of two; e: refused."""
    context = script(folder, same((1, 1), (2, 2), (1, 2)), same((2, 1)), {"error": "refused", "text": "no"})
    return await judge(seam_over().ask, context, PAIRS, in_flight=1)


def reported(said: list[Judgement], **more: Any) -> dict[str, Any]:
    return report_judge("m", PAIRS, said, match_images(PAIRS, said, SIMILARITIES), **more)


async def test_the_figures(tmp_path: Path) -> None:
    said = await _judgements(tmp_path)
    judged = match_images(PAIRS, said, SIMILARITIES)
    assert [[match[:2] for match in image.matches] for image in judged] == [[(0, 0), (1, 1)], [], [], [(1, 0)]]
    # a: P 2/3, R 1, F1 4/5; b: 0; c: nothing on both sides; d: P 1/2, R 1, F1 2/3. e failed.
    assert [tuple(image.rates) for image in judged] == [
        pytest.approx((2 / 3, 1, 0.8)),
        (0, 0, 0),
        (0, 0, 0),
        pytest.approx((1 / 2, 1, 2 / 3)),
    ]
    report = reported(said)
    assert json.loads(json.dumps(report)) == report
    assert report["images"] == {"judged": 2, "both_empty": 1, "one_empty": 1, "failed": 1, "in_means": 4}
    assert report["failures"] == [{"image": "e", "error": "refused", "reason": "no"}]
    assert report["SemF1"] == pytest.approx((0.8 + 0 + 1 + 2 / 3) / 4)
    # Predictions 3 + 1 + 0 + 2, ground truths 2 + 0 + 0 + 1, found 2 + 1.
    assert report["micro"] == {
        "TP": 3,
        "FP": 3,
        "FN": 0,
        "precision": 0.5,
        "recall": 1.0,
        "F1": pytest.approx(2 / 3),
    }
    assert report["human"] is None
    assert report["usage"] == UsageTotals.of(judgement.call for judgement in said if judgement.call).model_dump()
    assert report["usage"]["calls"] == 3


@pytest.mark.parametrize(
    ("empty", "expected"), [("score", (0.8 + 1 + 2 / 3) / 4), ("zero", (0.8 + 2 / 3) / 4), ("skip", (0.8 + 2 / 3) / 3)]
)
async def test_nothing_on_both_sides(empty: str, expected: float, tmp_path: Path) -> None:
    report = reported(await _judgements(tmp_path), empty=empty)  # type: ignore[arg-type]
    assert report["SemF1"] == pytest.approx(expected)
    assert report["empty"] == empty


async def test_rows_of_what_was_judged(tmp_path: Path) -> None:
    """a: three predictions, two ground truths, of three pairs that are the same two are matched; d: two and one."""
    rows = list(judged_rows(match_images(PAIRS, await _judgements(tmp_path), SIMILARITIES)))
    assert rows == [
        ("a", 0, 0, True, True, 0.95),
        ("a", 0, 1, True, False, 0.75),
        ("a", 1, 0, False, False, 0.65),
        ("a", 1, 1, True, True, 0.85),
        ("a", 2, 0, False, False, 0.72),
        ("a", 2, 1, False, False, 0.6),
        ("d", 0, 0, False, False, 0.8),
        ("d", 1, 0, True, True, 0.6),
    ]


async def test_agreement_with_bertscore(tmp_path: Path) -> None:
    """Eight pairs: six of a, two of d. The judge: (0,0), (1,1), (0,1) of a, (1,0) of d."""
    report = reported(await _judgements(tmp_path))
    agreement = report["agreement"]
    assert list(agreement) == ["0.7", "0.8", "0.9"]
    # 0.7: a .95 .75 .85 .72, d .80. Both a00 a01 a11; judge only d10; BERTScore only a20 d00; neither a10 a21.
    # Agreed 5/8; by chance 4/8 * 5/8 + 4/8 * 3/8 = 1/2; kappa (5/8 - 1/2) / (1/2) = 1/4.
    assert agreement["0.7"] == {
        "pairs": 8,
        "both": 3,
        "judge_only": 1,
        "bertscore_only": 2,
        "neither": 2,
        "raw": 5 / 8,
        "kappa": pytest.approx(1 / 4),
        "kappa_undefined": None,
    }
    # 0.9: a .95 alone. Both a00; judge only a01 a11 d10; BERTScore only none; neither four.
    counts = ("both", "judge_only", "bertscore_only", "neither")
    assert [agreement["0.9"][name] for name in counts] == [1, 3, 0, 4]
    assert agreement["0.9"]["kappa"] == pytest.approx((5 / 8 - 1 / 2) / (1 / 2))


@pytest.mark.parametrize("empty", ["score", "zero", "skip"])
async def test_a_judge_that_always_failed_has_no_mean(empty: EmptyRule, tmp_path: Path) -> None:
    """The images with an empty side, which nobody was asked about, are no mean of the judge."""
    said = await judge(seam_over().ask, script(tmp_path, {"error": "refused", "text": "never"}), PAIRS)
    report = reported(said, empty=empty)
    assert (report["SemF1"], report["micro"], len(report["failures"])) == (None, None, 3)
    assert report["note"] == "The judge m gave nothing to average over: 3 failed, the first: never"
    assert (report["images"]["failed"], report["images"]["one_empty"], report["usage"]["calls"]) == (3, 1, 3)


def test_no_image_left_is_said() -> None:
    pairs, said = [pair("c", "", "")], [Judgement("c")]
    judged = match_images(pairs, said, [similarity([], (0, 0))])
    report = report_judge("m", pairs, said, judged, empty="skip")
    assert (report["SemF1"], report["failures"]) == (None, [])
    assert "every image is empty on both sides" in report["note"]
    assert report_judge("m", pairs, said, judged, empty="score")["SemF1"] == 1


def test_kappa_of_a_known_table() -> None:
    """20 both yes, 5 and 10 one yes, 15 both no: observed .7, expected .5 * .6 + .5 * .4 = .5, kappa .4."""
    agreement = Agreement(20, 5, 10, 15)
    assert (agreement.raw, agreement.kappa) == (0.7, pytest.approx(0.4))


@pytest.mark.parametrize("counts", [(5, 0, 0, 0), (0, 0, 0, 5), (0, 0, 0, 0)], ids=str)
def test_kappa_is_undefined_where_all_is_equal(counts: tuple[int, int, int, int]) -> None:
    agreement = Agreement(*counts)
    assert agreement.kappa is None
    assert agreement.undefined
    assert agreement.raw == (1.0 if sum(counts) else None)


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_agreement_is_symmetric_and_bounded(verdicts: list[tuple[bool, bool]]) -> None:
    agreement, swapped = Agreement.of(verdicts), Agreement.of((second, first) for first, second in verdicts)
    assert agreement.pairs == len(verdicts)
    assert agreement.raw == swapped.raw
    if agreement.kappa is not None:
        assert agreement.kappa == pytest.approx(swapped.kappa)
        assert -1 - 1e-9 <= agreement.kappa <= 1 + 1e-9


CSV = "image,prediction,ground_truth,same\nx/a,0,0,1\na,0,1,no\na,2,0,FALSE\nd,1,0,true\ne,0,0,yes\n"


async def test_agreement_with_people(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(CSV)
    humans = read_human_pairs(path)
    assert [(human.image, human.prediction, human.ground_truth, human.same) for human in humans] == [
        ("a", 0, 0, True),
        ("a", 0, 1, False),
        ("a", 2, 0, False),
        ("d", 1, 0, True),
        ("e", 0, 0, True),
    ]
    found = reported(await _judgements(tmp_path), humans=humans)["human"]
    assert (found["pairs"], found["unjudged"]) == (4, 1)
    # The judge: yes, yes, no, yes against yes, no, no, yes: .75, chance .5 * .75 + .5 * .25 = .5, kappa .5.
    assert (found["judge"]["raw"], found["judge"]["kappa"]) == (0.75, pytest.approx(0.5))
    assert (found["judge"]["both"], found["judge"]["judge_only"]) == (2, 1)
    # BERTScore .95 .75 .72 .6: at 0.7 yes yes yes no, at 0.9 yes no no no.
    assert found["bertscore"]["0.7"]["raw"] == 0.25
    assert found["bertscore"]["0.9"]["raw"] == 0.75


def test_people_may_write_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    lines = [{"image": "a", "prediction": 0, "ground_truth": 1, "same": value} for value in (True, 0, "Yes")]
    path.write_text("\ufeff" + "\n\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    assert [(human.same, human.place) for human in read_human_pairs(path)] == [
        (True, f"{path}: line 1"),
        (False, f"{path}: line 3"),
        (True, f"{path}: line 5"),
    ]


HEAD = "image,prediction,ground_truth,same\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.csv", "", "is empty"),
        ("p.csv", HEAD, "nothing in a column 'image'; a row for each pair needs image, prediction, ground_truth, same"),
        ("p.csv", "image,prediction,same\na,0,1\n", "nothing in a column 'ground_truth'"),
        ("p.csv", f"{HEAD}a,0,0,1\na,0,0,maybe\n", "line 3: the field same must be .*, not 'maybe'"),
        ("p.csv", f"{HEAD}a,0,0,1\na,0,0,\n", "line 3: the field same"),
        ("p.csv", f"{HEAD}a,0,0\n", "line 2: 3 values for 4 columns"),
        ("p.csv", f"{HEAD}a,0,0,1,1\n", "line 2: 5 values for 4 columns"),
        ("p.csv", f"{HEAD}a,-1,0,1\n", "line 2: the field prediction must be an index from 0, not '-1'"),
        ("p.csv", f"{HEAD}a,0,x,1\n", "line 2: the field ground_truth"),
        ("p.csv", f"{HEAD}a,0,{'9' * 99},1\n", "line 2: the field ground_truth"),
        ("p.csv", f"{HEAD}a,0,0,1\n,0,0,1\n", "line 3: the field image"),
        ("p.csv", f'{HEAD}"a"b,0,0,1\n', "is no CSV that can be read"),
        ("p.csv", f"{HEAD}{'a' * 200_000},0,0,1\n", "is no CSV that can be read"),
        ("p.jsonl", "{}\n", "nothing in a column 'image'"),
        ("p.jsonl", "[1]\n", "entry 1: it is a number, not an object"),
        ("p.jsonl", '{"image": "a"\n', "not JSON .line 2"),
        ("p.jsonl", "[" * 100_000, "nested too deeply"),
        ("p.jsonl", '{"image": "a", "prediction": true, "ground_truth": 0, "same": 1}', "the field prediction"),
        ("p.jsonl", '{"image": "a", "prediction": 0, "ground_truth": 1.0, "same": 1}', "the field ground_truth"),
    ],
)
def test_a_file_that_is_wrong_is_said_with_its_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_human_pairs(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(b"\xff\xfe\x00")
    for name, message in (("p.csv", "is not UTF-8 text"), ("gone.csv", "no such file")):
        with pytest.raises(UsageError, match=message):
            read_human_pairs(tmp_path / name)


@pytest.mark.parametrize(
    ("human", "message"),
    [
        (HumanPair("z", 0, 0, True, "p.csv, line 2"), "p.csv, line 2: there is no image 'z' in the data"),
        (HumanPair("a", 3, 0, True, "p.csv, line 2"), "p.csv, line 2: 'a' has no prediction 3, only 3"),
        (HumanPair("a", 0, 2, True, "p.csv, line 2"), "p.csv, line 2: 'a' has no ground_truth 2, only 2"),
        (HumanPair("b", 0, 0, True, "p.csv, line 2"), "p.csv, line 2: 'b' has no ground_truth 0, only 0"),
    ],
    ids=str,
)
async def test_people_cannot_judge_what_is_not_there(human: HumanPair, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        reported(await _judgements(tmp_path), humans=[human])
