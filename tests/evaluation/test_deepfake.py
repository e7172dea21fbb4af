import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from anomagent.benchmark.annotations import AnnotationSet, BadEntry, ImageAnnotations
from anomagent.benchmark.verdicts import read_verdict
from anomagent.errors import UsageError
from anomagent.evaluation.deepfake import (
    Verdicts,
    add_answers,
    detect,
    keep_images,
    read_answers,
    read_verdicts,
)
from anomagent.evaluation.pairing import Missing, pair_up
from anomagent.evaluation.scores import EmptyRule, Protocol, Scores, score
from anomagent.evaluation.tables import verdict_rows
from tests.evaluation.metric_cases import alike, anomalies, pair

LABELS = {"a.png": True, "b.png": True, "c.png": True, "r.png": False, "s.png": False}
TRUTH = AnnotationSet(
    "gt.json",
    {
        **{name: ImageAnnotations(name, anomalies(10)) for name in ("a.png", "b.png", "c.png")},
        "r.png": ImageAnnotations("r.png", description="A plain street."),
        "s.png": ImageAnnotations("s.png"),
    },
)


def answers(said: Mapping[str, str | None], **failed: str) -> AnnotationSet:
    """Every answer comes with one anomaly, the answers of "no" included."""
    images = {name: ImageAnnotations(name, anomalies(10), answer) for name, answer in said.items()}
    return AnnotationSet(
        "pred.json", {**images, **{f"{k}.png": ImageAnnotations(f"{k}.png", failure=v) for k, v in failed.items()}}
    )


SAID = {"a.png": "Yes.", "b.png": "no", "c.png": "Perhaps", "r.png": "No, it is real", "s.png": "yes"}


def of_ai(protocol: Protocol = "paper", empty: EmptyRule | None = None) -> Scores:
    """All three AI images are found in full: AP and F1 are 1 whatever the protocol."""
    pairs = [pair([10], 1, name) for name in ("a.png", "b.png", "c.png")]
    return score(pairs, [alike([[1.0]])] * 3, protocol, empty=empty)


def judged(missing: Missing = "error") -> Verdicts:
    return read_verdicts(answers(SAID), TRUTH, LABELS, missing)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("yes", "yes"),
        ("  **Yes**, the hand has six fingers.", "yes"),
        ("NO.", "no"),
        ('"No"', "no"),
        ("_no_", "no"),
        ("> # yes\nbecause", "yes"),
        ("“Yes”—clearly", "yes"),
        ("Yes,the hand", "yes"),
        ("Yes/No", "unrecognised"),
        ("no-one knows", "unrecognised"),
        ("Not AI", "unrecognised"),
        ("yesterday", "unrecognised"),
        ("The answer is yes", "unrecognised"),
        ("1. Yes", "unrecognised"),
        ("", "unrecognised"),
        ("***", "unrecognised"),
    ],
)
def test_the_verdict_is_the_first_word(answer: str, verdict: str) -> None:
    assert read_verdict(answer) == verdict


@pytest.mark.parametrize(("protocol", "real_right"), [("paper", 1.0), ("released", 0.0)])
def test_right_verdicts_keep_the_score_and_wrong_ones_lose_it(protocol: Protocol, real_right: float) -> None:
    result = detect(judged(), of_ai(protocol))
    # Right: a (AI, yes) and r (real, no). Wrong: b (no), c (unrecognised), s (yes).
    assert result["Acc"] == 2 / 5
    assert result["Acc_by_class"] == {"real": 1 / 2, "ai": 1 / 3}
    assert result["unrecognised"] == 1
    assert result["confusion"] == {
        "ai": {"yes": 1, "no": 1, "unrecognised": 1},
        "real": {"yes": 1, "no": 1, "unrecognised": 0},
    }
    # Over the AI images 1, 0, 0. Over all five there is r as well, emptied on both sides: 1 or 0 by the rule.
    assert result["CSemAP"] == result["CSemF1"] == pytest.approx(dict.fromkeys(("Phe", "Rea", "Full"), 1 / 3))
    assert result["all_images"]["CSemAP"]["Full"] == pytest.approx((1 + real_right) / 5)
    assert (result["ai_images"], result["all_images"]["images"]) == (3, 5)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_skipped_empty_images_leave_the_mean_only_where_they_were_rightly_judged() -> None:
    # r is rightly judged, so empty on both sides, and leaves; s is wrong and stays as 0: 1 of 4.
    result = detect(judged(), of_ai(empty="skip"))
    assert result["all_images"]["CSemF1"]["Rea"] == pytest.approx(1 / 4)
    assert result["all_images"]["images"] == 4


def test_an_ai_image_without_anomalies_counts_by_verdict() -> None:
    # a, rightly judged, is empty on both sides: 1 under score, out under skip. b, wrongly judged, is 0 in either.
    pairs, tables = [pair([], 0, "a.png"), pair([], 0, "b.png")], [alike([], 0)] * 2
    verdicts = Verdicts({"a.png": "ai", "b.png": "ai"}, {"a.png": "yes", "b.png": "no"}, "error", (), ())
    assert detect(verdicts, score(pairs, tables))["CSemAP"]["Full"] == 0.5
    skipped = detect(verdicts, score(pairs, tables, empty="skip"))
    assert (skipped["CSemAP"]["Full"], skipped["ai_images"]) == (0.0, 1)
    right = Verdicts({"a.png": "ai"}, {"a.png": "yes"}, "error", (), ())
    with pytest.raises(UsageError, match="no AI image to average over"):
        detect(right, score(pairs[:1], tables[:1], empty="skip"))


def test_a_class_without_images_has_no_accuracy() -> None:
    labels = {"a.png": True}
    verdicts = read_verdicts(answers({"a.png": "yes"}), keep_images(TRUTH, {"a.png"}), labels)
    result = detect(verdicts, score([pair([10], 1, "a.png")], [alike([[1.0]])]))
    assert result["Acc_by_class"] == {"real": None, "ai": 1.0}


def test_images_of_a_class_are_kept_for_scoring() -> None:
    verdicts = judged()
    chosen = verdicts.chosen("ai")
    pairing = pair_up(keep_images(answers(SAID), chosen), keep_images(TRUTH, chosen))
    assert [p.image for p in pairing.pairs] == ["a.png", "b.png", "c.png"]


def test_missing_answers_and_labels_are_an_error_unless_asked_for() -> None:
    said = answers({"a.png": "yes", "b.png": None, "r.png": "no", "x.png": "no"}, c="refused")
    with pytest.raises(UsageError) as caught:
        read_verdicts(said, TRUTH, LABELS)
    assert str(caught.value) == (
        "3 labelled images have no answer in pred.json ('b.png', 'c.png', 's.png') and 1 image has no label "
        "('x.png'); pass --missing empty to count a missing answer as wrong, --missing skip to leave such images "
        "out, or --answers FILE"
    )


def test_missing_answers_are_wrong_or_left_out() -> None:
    said = answers({"a.png": "yes", "r.png": "no", "x.png": "no"}, c="refused")
    emptied = read_verdicts(said, TRUTH, LABELS, "empty")
    assert emptied.unanswered == ("b.png", "c.png", "s.png")
    assert emptied.unlabelled == ("x.png",)
    result = detect(emptied, of_ai())
    assert (result["Acc"], result["unrecognised"], result["unanswered"], result["unlabelled"]) == (2 / 5, 3, 3, 1)
    skipped = read_verdicts(said, TRUTH, LABELS, "skip")
    result = detect(skipped, score([pair([10], 1, "a.png")], [alike([[1.0]])]))
    assert (result["Acc"], result["judged"], result["CSemAP"]["Full"]) == (1.0, 2, 1.0)


def test_labels_meet_images_by_base_name() -> None:
    labels = {f"1_fake/{name}": label for name, label in LABELS.items()}
    assert read_verdicts(answers(SAID), TRUTH, labels).given == judged().given
    with pytest.raises(UsageError, match="two labels share a base name"):
        read_verdicts(answers(SAID), TRUTH, {**labels, "a.png": True})


def test_labels_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match=r"anomalies in 1 image labelled real \('a\.png'\)"):
        read_verdicts(answers(SAID), TRUTH, {**LABELS, "a.png": False})
    with pytest.raises(UsageError, match="no image labelled AI is left"):
        read_verdicts(answers({"r.png": "no"}), keep_images(TRUTH, {"r.png"}), {"r.png": False})


def test_scores_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not judged and labelled AI: 'r\.png'"):
        detect(judged(), score([pair([], 0, "r.png")], [alike([], 0)]))


def test_answers_may_come_from_a_file_of_their_own() -> None:
    """A bare text is read as a description; an image that was only answered has no anomalies."""
    pred = AnnotationSet("pred.json", {"1_fake/a.png": ImageAnnotations("1_fake/a.png", anomalies(10))})
    said = {"a.png": ImageAnnotations("a.png", description="Yes."), "r.png": ImageAnnotations("r.png", answer="No")}
    joined = add_answers(pred, AnnotationSet("answers.json", said)).by_base_name()
    assert [(joined[name].answer, len(joined[name].anomalies)) for name in joined] == [("Yes.", 1), ("No", 0)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'image,Answer,by\nx/a.png,"Yes, it is",me\nb.png,,me\n'),
        ("a.tsv", "image\tanswer\nx/a.png\tYes, it is\nb.png\t\n"),
        ("a.json", '{"x/a.png": {"answer": "Yes, it is", "anomalies": []}, "b.png": []}'),
        ("a.jsonl", '{"image": "x/a.png", "answer": "Yes, it is"}\n{"image": "b.png", "anomalies": []}'),
    ],
)
def test_answers_are_read_from_tables_too(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    found = read_answers(tmp_path / name)
    assert {key: image.answer for key, image in found.images.items()} == {"x/a.png": "Yes, it is", "b.png": None}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("picture,answer\na.png,yes\n", "line 2: no image; a table of answers needs the columns image and answer"),
        ("image,answer\na.png,yes\na.png,no\n", "line 3: 'a.png' is there twice; keep one"),
        ("image,answer\na.png,yes,it is\n", "line 2: 3 values for 2 columns"),
    ],
)
def test_a_table_of_answers_that_is_wrong_is_said_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_answers(tmp_path / "a.csv")


def test_rows_of_verdicts() -> None:
    """An image without an answer is wrong; the words are those that were said."""
    said = answers({**SAID, "b.png": None})
    assert list(verdict_rows(read_verdicts(said, TRUTH, LABELS, "empty"))) == [
        ("a.png", "ai", "Yes.", "yes", True),
        ("b.png", "ai", None, "unrecognised", False),
        ("c.png", "ai", "Perhaps", "unrecognised", False),
        ("r.png", "real", "No, it is real", "no", True),
        ("s.png", "real", "yes", "yes", False),
    ]


def test_answers_count_where_the_prediction_failed() -> None:
    # a: failed, answered "Yes." in the other file; b: failed, its own answer stands; c: failed, no answer.
    failed = {n: ImageAnnotations(n, failure="unreadable") for n in ("a.png", "b.png", "c.png")}
    pred = AnnotationSet("pred.json", failed | {"b.png": replace(failed["b.png"], answer="No.")})
    said = AnnotationSet("answers.json", {"a.png": ImageAnnotations("a.png", answer="Yes.")})
    joined = add_answers(pred, said)
    assert joined.images["a.png"].failure == "unreadable"
    labels = dict.fromkeys(failed, True)
    found = read_verdicts(joined, keep_images(TRUTH, set(failed)), labels, "empty")
    assert found.given == {"a.png": "yes", "b.png": "no", "c.png": "unrecognised"}
    assert found.unanswered == ("c.png",)


def test_an_answers_file_without_text_changes_nothing() -> None:
    pred = answers({"a.png": "Yes."})
    for text in (None, "", " \n"):
        nothing = {name: ImageAnnotations(name, answer=text) for name in ("a.png", "b.png")}
        assert add_answers(pred, AnnotationSet("answers.json", nothing)) == pred


def test_judged_ai_images_without_a_score_are_zero_or_reported() -> None:
    # a, b, c are scored, 1 each, and all called AI. d is in the labels alone: not answered, so wrong in Acc.
    labels = {**dict.fromkeys(("a.png", "b.png", "c.png", "d.png"), True), "r.png": False}
    said = answers(dict.fromkeys(("a.png", "b.png", "c.png"), "yes") | {"r.png": "no"})
    truth = keep_images(TRUTH, {"a.png", "b.png", "c.png", "r.png"})
    found = read_verdicts(said, truth, labels, "empty")
    chosen = found.chosen("ai")
    pairing = pair_up(keep_images(said, chosen), keep_images(truth, chosen), "empty")
    result = detect(found, score(pairing.pairs, [alike([[1.0]])] * 3))
    # AI images: 1 1 1 0 is 3/4; with r, rightly judged and empty on both sides (1), 4/5. Acc: d is wrong, 4/5.
    assert (result["unscored"], result["ai_images"], result["all_images"]["images"]) == (1, 4, 5)
    assert (result["CSemAP"]["Full"], result["CSemF1"]["Phe"]) == (3 / 4, 3 / 4)
    assert result["all_images"]["CSemAP"]["Rea"] == pytest.approx(4 / 5)
    assert result["Acc"] == 4 / 5
    # Skipped: d is not judged. b, judged but in no pair, is left out of the means and counted.
    pairs = [pair([10], 1, name) for name in ("a.png", "c.png")]
    skipped = detect(read_verdicts(said, truth, labels, "skip"), score(pairs, [alike([[1.0]])] * 2))
    assert (skipped["judged"], skipped["unscored"], skipped["ai_images"]) == (4, 1, 2)
    assert (skipped["CSemAP"]["Full"], skipped["all_images"]["images"]) == (1.0, 3)


def test_bad_entries_of_real_images_are_not_those_of_the_scored_ones() -> None:
    bad = tuple(BadEntry("pred.json", image, 0, "no name") for image in ("x/a.png", "r.png"))
    kept = keep_images(replace(answers(SAID), bad=bad), {"a.png"})
    assert [entry.image for entry in kept.bad] == ["x/a.png"]


def test_only_the_part_of_a_split_is_judged() -> None:
    part = frozenset({"a.png", "r.png", "u.png"})
    pred = replace(answers({"a.png": "yes"}), part=part)
    said = AnnotationSet("s.json", {n: ImageAnnotations(n, answer="no") for n in ("b.png", "r.png")})
    joined = add_answers(pred, said)
    assert [*joined.images] == ["a.png", "r.png"]
    truth = replace(keep_images(TRUTH, {"a.png"}), part=part)
    with pytest.raises(UsageError, match=r"^1 image has no label \('u\.png'\); pass"):
        read_verdicts(joined, truth, LABELS)
    found = read_verdicts(joined, truth, LABELS, "empty")
    assert found.given == {"a.png": "yes", "r.png": "no"}
    assert found.unlabelled == ("u.png",)
    assert keep_images(joined, found.chosen("ai")).part == {"a.png"}
