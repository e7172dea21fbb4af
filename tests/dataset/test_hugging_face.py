"""A data set as Hugging Face's `datasets` reads it."""

import json
import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from anomagent.dataset.export import Card, Choices, export
from anomagent.errors import UsageError
from anomagent.store import Workspace
from anomagent.store.analyses import name_images
from anomagent.store.sources import Source, note_sources
from anomagent.store.splits import Placed, save_parts
from anomagent.store.steps import dataset_step
from tests.dataset.filling import add, anomaly, begin, judge

OPEN = Choices(undecided="include")


@pytest.fixture
def three(workspace: Workspace) -> list[str]:
    """Three reviewed images, the first with a prompt and a hostile source."""
    run = begin(workspace)
    hashes = [
        add(workspace, run, f"in/{name}.png", place, status="ok", anomalies=[anomaly(name), anomaly("sky", 90)])
        for place, name in enumerate(("leg", "arm", "ear"))
    ]
    for name, verdict in (("leg", "ACCEPT"), ("arm", "ACCEPT"), ("ear", "REJECT"), ("sky", "REJECT")):
        judge(workspace, name, verdict)  # type: ignore[arg-type]
    judge(workspace, "leg", "ACCEPT", "bob")
    judge(workspace, "arm", "REJECT", "bob")  # a tie: nobody is sure
    with workspace.writing() as connection:
        source = "a|b\n---\n<script>alert(1)</script> [x](y)"
        note_sources(connection, [Source(hashes[0], "in/leg.png", prompt="a man", source=source)])
    return hashes


def rows_of(folder: Path, part: str = "train") -> list[dict[str, Any]]:
    return [row for file in sorted(folder.glob(f"data/{part}-*")) for row in pq.read_table(file).to_pylist()]


def header_of(card: str) -> dict[str, Any]:
    return yaml.safe_load(card.split("---\n")[1])


def test_rows_with_images(workspace: Workspace, three: list[str], tmp_path: Path) -> None:
    counts = export(workspace, tmp_path / "out", "hf", OPEN)
    assert (counts.images, counts.anomalies, counts.unsure) == (3, 1, 1)

    first, second, third = rows_of(tmp_path / "out")
    assert Image.open(BytesIO(first["image"]["bytes"])).size == (first["width"], first["height"])
    assert (first["image"]["path"], first["sha256"], first["prompt"]) == ("leg.png", three[0], "a man")
    assert first["anomalies"] == [anomaly("leg")]
    assert [(row["review"], row["label"], row["description"]) for row in (first, second, third)] == [
        ("complete", "ai", None),
        ("open", None, None),
        ("complete", None, None),
    ]
    assert (second["anomalies"], third["anomalies"], third["source"]) == ([], [], None)

    schema = pq.read_schema(tmp_path / "out" / "data" / "train-00000-of-00001.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == schema.names
    assert features["image"] == {"_type": "Image"}
    assert list(features["anomalies"][0]) == list(first["anomalies"][0])


def test_the_card_states_facts(workspace: Workspace, three: list[str], tmp_path: Path) -> None:
    export(workspace, tmp_path / "out", "hf", replace(OPEN, card=Card(license="cc-by-4.0")))
    card = (tmp_path / "out" / "README.md").read_text()
    assert header_of(card)["license"] == "cc-by-4.0"
    assert header_of(card)["configs"][0]["data_files"] == [{"split": "train", "path": "data/train-*"}]
    assert "TODO" not in card
    # leg accepted; ear and the three skies rejected; arm is a tie.
    assert "Of 6 candidates people accepted 1 and rejected 4; of 1 nobody is sure, 0 are unreviewed." in card
    # Ann answered about all six, Bob about two; of these two, they agree on leg.
    assert "8 answers of 2 people; of 2 candidates judged by two or more, 50.0% have one answer of all." in card
    assert "openai:gpt\\-4o" in card
    assert "<script>" not in card
    assert "| a\\|b \\-\\-\\- &lt;script&gt;alert\\(1\\)&lt;/script&gt; \\[x\\]\\(y\\) | 1 |" in card

    export(workspace, tmp_path / "bare", "hf")
    card = (tmp_path / "bare" / "README.md").read_text()
    assert header_of(card)["license"] == "unknown"
    assert "**TODO: no license is stated.**" in card


def test_a_file_is_closed_when_it_is_large_enough(workspace: Workspace, three: list[str], tmp_path: Path) -> None:
    export(workspace, tmp_path / "out", "hf", replace(OPEN, card=Card(shard_bytes=1)))
    files = sorted(path.name for path in (tmp_path / "out" / "data").iterdir())
    assert files == [f"train-{number:05d}-of-00003.parquet" for number in range(3)]
    assert [row["sha256"] for row in rows_of(tmp_path / "out")] == three


def test_paths_and_parts(workspace: Workspace, three: list[str], tmp_path: Path) -> None:
    with dataset_step(workspace, "split", {}) as step:
        save_parts(workspace, step, "half", [Placed(three[0], "train", "hash"), Placed(three[1], "test", "hash")])
    export(workspace, tmp_path / "out", "hf", Choices(split="half", undecided="include", card=Card(images="paths")))

    (row,) = rows_of(tmp_path / "out", "test")
    assert row["image"]["bytes"] is None
    with Image.open(row["image"]["path"]) as picture:
        assert picture.size == (row["width"], row["height"])
    assert json.loads((tmp_path / "out" / "split.json").read_text()) == {"train": ["leg.png"], "test": ["arm.png"]}
    assert "not in the files" in (tmp_path / "out" / "README.md").read_text()


def test_an_image_that_is_gone_leaves_no_folder(workspace: Workspace, three: list[str], tmp_path: Path) -> None:
    next(workspace.images.glob(f"*/{three[2]}.*")).unlink()
    with pytest.raises(UsageError, match=r"the copy of 'in/ear.png' cannot be read"):
        export(workspace, tmp_path / "out", "hf")
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def test_the_card_is_about_the_files_beside_it(workspace: Workspace, three: list[str], tmp_path: Path) -> None:
    """Of leg, with two names, both are written; arm is undecided, ear in no part, and bad is partial."""
    name_images(workspace, [(three[0], "in/second.png")])
    bad = add(workspace, begin(workspace), "in/bad.png", 7, status="partial", anomalies=[anomaly("fin")])
    judge(workspace, "fin", "ACCEPT")
    with dataset_step(workspace, "split", {}) as step:
        save_parts(workspace, step, "half", [Placed(sha256, "train", "hash") for sha256 in (*three[:2], bad)])
    export(workspace, tmp_path / "out", "hf", Choices(split="half", statuses=["ok"]))
    assert [row["name"] for row in rows_of(tmp_path / "out")] == ["leg.png", "second.png"]
    card = (tmp_path / "out" / "README.md").read_text()
    # A leg and a sky in each of both rows; Ann answered about both candidates, Bob about the leg.
    assert "2 images, each with the semantic anomalies" in card
    assert "Of 4 candidates people accepted 2 and rejected 2; of 0 nobody is sure, 0 are unreviewed." in card
    assert "3 answers of 2 people; of 1 candidates judged by two or more, 100.0% have one answer of all." in card
    assert "\\[x\\]\\(y\\) | 2 | 2.00 | 1.00 |" in card
    assert "The prompt of 2 images is known." in card
    assert "| paper | openai:gpt\\-4o | 2 |" in card


def test_the_source_said_last_is_that_of_the_row(workspace: Workspace, three: list[str], tmp_path: Path) -> None:
    for name, source in (("z.png", "first"), ("b.png", "second"), ("c.png", None)):
        with workspace.writing() as connection:
            note_sources(connection, [Source(three[2], name, source=source)])
    export(workspace, tmp_path / "out", "hf", OPEN)
    assert rows_of(tmp_path / "out")[2]["source"] == "second"


def test_what_is_written_is_on_the_disk(
    workspace: Workspace, three: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    export(workspace, tmp_path / "out", "hf")
    assert {path.stat().st_ino for path in (tmp_path / "out").rglob("*")} <= synced
