"""Training data from files: what is in them, in which part, and the same bytes each time."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomagent.benchmark.reading import read_annotations
from anomagent.finetune.data import make_data
from anomagent.finetune.from_files import Pair
from anomagent.finetune.instances import read_instances
from anomagent.finetune.order import Order
from anomagent.prompts.anomaly_reporter import WORDINGS
from anomagent.state.classic_text import NO_ANOMALIES
from anomagent.store.images import hash_file
from tests.finetune.material import annotated, anomaly, counter, entry, lines, make, save_image

SAID = {
    "a.png": [entry("leg"), entry("arm"), entry("ear")],
    "b.png": [entry("sky")],
    "c.png": [],
}
REAL = {"r.png": "A street with\ntwo trees."}


def test_single_turn(tmp_path: Path) -> None:
    pair = annotated(tmp_path, SAID)
    report = make(tmp_path / "out", pair)

    said = {Path(one.image).name: one for one in read_instances(tmp_path / "out" / "train.jsonl")}
    assert said.keys() == SAID.keys()
    ((question, answer),) = said["b.png"].turns
    assert question.startswith(WORDINGS)
    assert NO_ANOMALIES in question
    assert answer == (
        "@1. Name: sky\n- Observed Phenomenon: The sky at the left edge is bent twice.\n"
        "- Reasoning: No sky bends like this.\n- Severity Score: 10/100 (extremely unnatural)"
    )
    assert said["c.png"].turns[0][1] == NO_ANOMALIES
    assert sorted(
        one.name for one in read_annotations(tmp_path / "out" / "train.jsonl").images[said["a.png"].image].anomalies
    ) == ["arm", "ear", "leg"]
    for name, one in said.items():
        file = (tmp_path / "out" / one.image).resolve()
        assert file == pair.images / name
        assert hash_file(file) == one.sha256
        assert one.id == f"{one.sha256[:12]}/{name}/1"
    numbers = {"instances": 3, "images": 3, "anomalies": 4, "empty": 1, "real": 0, "split": 0}
    assert report["parts"]["train"].items() >= numbers.items()
    assert report["left_out"] == {}


def test_two_turns_and_real_images(tmp_path: Path) -> None:
    report = make(
        tmp_path / "out", annotated(tmp_path, SAID), real=annotated(tmp_path, REAL, "real"), recipe="two-turn"
    )
    turns = {Path(one.image).name: one.turns for one in read_instances(tmp_path / "out" / "train.jsonl")}
    assert [turns[name][0][1] for name in ("a.png", "b.png", "c.png", "r.png")] == ["Yes.", "Yes.", "Yes.", "No."]
    assert turns["r.png"][1][1] == "A street with\ntwo trees."
    assert turns["c.png"][1][1] == NO_ANOMALIES
    assert all("AI-generated" in said[0][0] or "generator" in said[0][0] for said in turns.values())
    assert all("real photograph" in said[1][0] for said in turns.values())
    assert (report["parts"]["train"]["real"], report["parts"]["train"]["empty"]) == (1, 1)


def test_a_real_image_has_no_anomaly_in_one_turn(tmp_path: Path) -> None:
    make(tmp_path / "out", annotated(tmp_path, SAID), real=annotated(tmp_path, REAL, "real"))
    turns = {Path(one.image).name: one.turns for one in read_instances(tmp_path / "out" / "train.jsonl")}
    assert turns["r.png"][0][1] == NO_ANOMALIES


def test_images_without_anomalies_can_be_left_out(tmp_path: Path) -> None:
    report = make(tmp_path / "out", annotated(tmp_path, SAID), keep_empty=False)
    assert report["parts"]["train"]["images"] == 2
    assert report["left_out"] == {"no anomalies": {"count": 1, "named": ["c.png"]}}


def test_what_exceeds_the_limit_is_split_and_not_cut(tmp_path: Path) -> None:
    names = [f"thing {number}" for number in range(12)]
    pair = annotated(tmp_path, {"a.png": [entry(name) for name in names], "b.png": [entry("leg")]})
    report = make(tmp_path / "out", pair, max_tokens=500)

    whole = make(tmp_path / "whole", pair)["parts"]["train"]
    assert (whole["instances"], whole["split"]) == (2, 0)
    assert whole["tokens"]["most"] > 500 >= report["parts"]["train"]["tokens"]["most"]
    assert report["parts"]["train"]["split"] == 1
    read = read_annotations(tmp_path / "out" / "train.jsonl")
    assert sorted(one.name for one in read.images["../annotations-images/a.png"].anomalies) == sorted(names)
    ids = [one["id"][13:] for one in lines(tmp_path / "out" / "train.jsonl")]
    assert sorted(ids) == sorted([f"a.png/{number}" for number in range(1, len(ids))] + ["b.png/1"])


def test_parts_of_a_split(tmp_path: Path) -> None:
    pair = annotated(tmp_path, SAID | {"d.png": [entry("cup")]})
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"train": ["x/a.png"], "validation": ["b.png"], "test": ["c.png"]}))
    report = make(tmp_path / "out", pair, split=str(split))

    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["data.json", "samples.md", "test.jsonl", "train.jsonl", "val.jsonl"]
    assert [Path(one["image"]).name for one in lines(tmp_path / "out" / "val.jsonl")] == ["b.png"]
    assert report["left_out"] == {"in no part": {"count": 1, "named": ["d.png"]}}
    assert report["inputs"][str(split)] == hash_file(split)


def test_an_allow_list_of_lines_or_json(tmp_path: Path) -> None:
    pair = annotated(tmp_path, SAID)
    for number, text in enumerate(("b.png\n\n  c.png\nunknown.png\n", '["in/b.png", "c.png"]')):
        allow = tmp_path / f"allow-{number}"
        allow.write_text(text)
        report = make(tmp_path / f"out-{number}", pair, allow=allow)
        assert report["left_out"] == {"not allowed": {"count": 1, "named": ["a.png"]}}
        assert report["parts"]["train"]["images"] == 2


def test_images_by_a_manifests_names_and_ids(tmp_path: Path) -> None:
    said = tmp_path / "said.json"
    said.write_text(json.dumps({"17": [entry("leg")], "b.png": [entry("arm")]}))
    save_image(tmp_path / "deep" / "x.png", 1)
    save_image(tmp_path / "b.png", 2)
    manifest = tmp_path / "images.csv"
    manifest.write_text("image,id\ndeep/x.png,17\nb.png,18\n")
    make(tmp_path / "out", Pair(said, manifest))
    assert sorted(one["image"] for one in lines(tmp_path / "out" / "train.jsonl")) == ["../b.png", "../deep/x.png"]


def test_equal_input_gives_equal_bytes_in_any_order(tmp_path: Path) -> None:
    pair = annotated(tmp_path, SAID)
    make(tmp_path / "out", pair, formats=(), preferences=True)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    turned = {name: list(reversed(said)) for name, said in reversed(SAID.items())}
    pair.said.write_text(json.dumps(turned))
    report = make(tmp_path / "out", pair, replace=True, preferences=True)
    after = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    report_file = tmp_path / "out" / "data.json"
    assert after.pop(report_file) != before.pop(report_file), "the annotations' own hash"
    assert after == before
    assert report["files"] == {
        path.relative_to(tmp_path / "out").as_posix(): hashlib.sha256(data).hexdigest() for path, data in after.items()
    }

    make(tmp_path / "other", pair, seed=1)
    assert (tmp_path / "other" / "train.jsonl").read_bytes() != (tmp_path / "out" / "train.jsonl").read_bytes()


def test_wordings_are_drawn_by_image(tmp_path: Path) -> None:
    pair = annotated(tmp_path, {f"{number}.png": [entry("leg")] for number in range(24)})
    assert make(tmp_path / "five", pair)["parts"]["train"]["wordings"] == 5
    assert make(tmp_path / "one", pair, wordings=1)["parts"]["train"]["wordings"] == 1
    assert all(WORDINGS[0] in one["conversations"][0]["value"] for one in lines(tmp_path / "one" / "train.jsonl"))


NAMES = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=8).filter(
    lambda text: any(char.isalnum() for char in text)
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(NAMES, max_size=6, unique=True), min_size=1, max_size=4), st.integers(330, 700))
def test_reading_the_instances_gives_the_annotations(tmp_path: Path, said: list[list[str]], limit: int) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
    pair = annotated(
        tmp_path,
        {f"{place}.png": [entry(name) for name in names] for place, names in enumerate(said)} | {"empty.png": []},
    )
    asked = read_annotations(pair.said).by_base_name()
    report = make(tmp_path / "out", pair, max_tokens=limit, too_long="skip", bad_entries="skip")

    read = read_annotations(tmp_path / "out" / "train.jsonl").by_base_name()
    lost = {name for reason in report["left_out"].values() for name in reason["named"]}
    for name, image in read.items():
        kept = {" ".join(one.name.split()).strip("*_ ") for one in image.anomalies}
        wanted = {" ".join(one.name.split()).strip("*_ ") for one in asked[name].anomalies}
        assert kept == {one for one in wanted if f"{name}: {one}" not in lost}
    assert report["parts"]["train"]["tokens"]["most"] <= limit


def test_the_report_says_how_long_instances_are(tmp_path: Path) -> None:
    report = make(tmp_path / "out", annotated(tmp_path, SAID), max_tokens=1_000)
    tokens = report["parts"]["train"]["tokens"]
    assert sum(bin["instances"] for bin in tokens["histogram"]) == 3
    assert tokens["histogram"][0]["above"] < tokens["least"] <= tokens["most"] <= tokens["histogram"][-1]["up_to"]
    # Each image is 64 x 48 pixels, 70 cells (see test_tokens).
    assert tokens["of_images"] == 3 * 70
    totals = [70 + counter().text(one.turns) for one in read_instances(tmp_path / "out" / "train.jsonl")]
    assert (tokens["least"], tokens["most"], tokens["sum"]) == (min(totals), max(totals), sum(totals))
    assert json.loads((tmp_path / "out" / "data.json").read_text()) == report


def test_progress_goes_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    make_data(
        tmp_path / "out", Order(annotations=annotated(tmp_path, SAID)), counter(), False, lambda *at: told.append(at)
    )
    assert [one for one in told if one[1] == one[2]] == [("images", 3, 3), ("instances", 3, 3)]


def test_the_same_file_under_two_names_is_learned_once(tmp_path: Path) -> None:
    pair = annotated(tmp_path, SAID)
    shutil.copy(pair.images / "b.png", pair.images / "z.png")
    pair.said.write_text(json.dumps(SAID | {"z.png": [entry("sky")]}))
    report = make(tmp_path / "out", pair)
    assert report["left_out"] == {"equal files": {"count": 1, "named": ["z.png: the same file as b.png"]}}


def test_samples_are_there_to_read(tmp_path: Path) -> None:
    fenced = "The leg shows ``````` and <b>no</b> joint"
    make(tmp_path / "out", annotated(tmp_path, {"a.png": [entry("leg", reasoning=fenced)]}))
    text = (tmp_path / "out" / "samples.md").read_text()
    assert "▶@1. Name: leg" in text
    assert "(extremely unnatural)<|im_end|>◀" in text
    assert "\n````````text\n" in text, "a longer fence than any in the text"
    assert anomaly("leg").name in text
