"""What other trainers get: each shape as its trainer reads it, with everything that the instances say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from anomagent.benchmark.reading import read_annotations
from anomagent.finetune.exports import FORMATS, Facts, Format
from anomagent.finetune.exports.write import image_path
from anomagent.finetune.instances import Instance, read_instances
from tests.finetune.material import annotated, entry, lines, make

SAID = {"a b.png": [entry("leg"), entry("arm", phenomenon="A “quoted”\nläg")], "c.png": []}


@pytest.fixture(scope="module", params=["single", "two-turn"])
def out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    split = folder / "split.json"
    split.write_text(json.dumps({"train": ["a b.png"], "test": ["c.png", "r.png"]}))
    real = annotated(folder, {"r.png": "A street."}, "real")
    pair = annotated(folder, SAID)
    make(folder / "out", pair, real=real, split=str(split), recipe=request.param, formats=tuple(FORMATS))
    return folder / "out"


def instances(out: Path) -> list[tuple[str, int, Instance]]:
    return [
        (part, place, one)
        for part in ("train", "test")
        for place, one in enumerate(read_instances(out / f"{part}.jsonl"))
    ]


def rows(out: Path, format: Format, part: str) -> list[dict[str, Any]]:
    file = out / format / part
    if FORMATS[format].lines:
        return lines(file.with_suffix(".jsonl"))
    return json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))


def plain(one: Instance) -> list[dict[str, str]]:
    """The turns as roles and texts, without the image's mark."""
    return [
        {"role": role, "content": text}
        for turn in one.turns
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]


@pytest.mark.parametrize("format", [Format.LLAMA_FACTORY, Format.MS_SWIFT])
def test_messages_with_a_mark_for_each_image(out: Path, format: Format) -> None:
    for part, place, one in instances(out):
        row = rows(out, format, part)[place]
        assert row.keys() == {"messages", "images"}
        marks = sum(message["content"].count("<image>") for message in row["messages"])
        assert marks == len(row["images"]) == 1
        unmarked = [{**row["messages"][0], "content": row["messages"][0]["content"].removeprefix("<image>\n")}]
        assert unmarked + row["messages"][1:] == plain(one)
        (image,) = row["images"]
        assert Path(image).is_absolute() == (format is Format.MS_SWIFT)
        assert (out / format / image).resolve() == (out / one.image).resolve()
        assert (out / format / image).is_file()


def test_llama_factory_finds_its_files_and_roles(out: Path) -> None:
    info = json.loads((out / "llama-factory" / "dataset_info.json").read_text())
    assert info.keys() == {"anomagent_anomalies_train", "anomagent_anomalies_test"}
    for part in ("train", "test"):
        assert info[f"anomagent_anomalies_{part}"] == {
            "file_name": f"{part}.json",
            "formatting": "sharegpt",
            "columns": {"messages": "messages", "images": "images"},
            "tags": {
                "role_tag": "role",
                "content_tag": "content",
                "user_tag": "user",
                "assistant_tag": "assistant",
            },
        }
        for row in rows(out, Format.LLAMA_FACTORY, part):
            roles = [message["role"] for message in row["messages"]]
            assert roles == ["user", "assistant"] * (len(roles) // 2)


def test_trl_has_no_marks_and_absolute_paths(out: Path) -> None:
    for part, place, one in instances(out):
        row = rows(out, Format.TRL, part)[place]
        assert row == {"images": [str((out / one.image).resolve())], "messages": plain(one)}


def test_axolotl_has_parts(out: Path) -> None:
    for part, place, one in instances(out):
        row = rows(out, Format.AXOLOTL, part)[place]
        first, *others = row["messages"]
        image, text = first["content"]
        assert image == {"type": "image", "path": str((out / one.image).resolve())}
        assert text["type"] == "text"
        said = [{"role": first["role"], "content": text["text"]}]
        said += [{"role": other["role"], "content": other["content"][0]["text"]} for other in others]
        assert said == plain(one)
        assert all(len(other["content"]) == 1 for other in others)


def test_llava_is_the_benchmarks_instruction_data(out: Path) -> None:
    for part, place, one in instances(out):
        row = rows(out, Format.LLAVA, part)[place]
        whole = one.model_dump(by_alias=True)
        assert row == {"id": one.id, "image": row["image"], "conversations": whole["conversations"]}
        assert (out / "llava" / row["image"]).resolve() == (out / one.image).resolve()
    read = read_annotations(out / "llava" / "train.json").by_base_name()
    assert sorted(said.name for said in read["a b.png"].anomalies) == ["arm", "leg"]


def test_each_says_how_to_train(out: Path) -> None:
    for format in FORMATS:
        text = (out / format / "README.md").read_text()
        assert "50176" in text
        assert "614656" in text
        assert "{" not in text
    assert "cutoff_len: 4096" in (out / "llama-factory" / "README.md").read_text()


def test_lora_targets_are_the_papers_modules() -> None:
    targets = Facts("m", 1, 2, 3, layers=28).lora_targets
    assert len(targets) == 21
    paper = re.compile(r".*language_model\.layers\.(0|4|8|12|16|20|24)\.self_attn\.(q_proj|k_proj|v_proj)")
    assert all(paper.fullmatch(name) for name in targets)
    assert Facts("m", 1, 2, 3, layers=None).lora_targets == []


def test_paths_count_from_where_they_are_read() -> None:
    out = Path("/data/out")
    assert image_path("../images/a.png", out, out / "llava", False) == "../../images/a.png"
    assert image_path("../images/a.png", out, out / "trl", True) == "/data/images/a.png"
    assert image_path("/elsewhere/a.png", out, out / "trl", True) == "/elsewhere/a.png"
