import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Cli
from tests.cli.test_dataset_import import ENTRY, prepare
from tests.evaluation.similarity.tiny import LAYER, save


@pytest.fixture
def filled(cli: Cli, tmp_path: Path) -> Path:
    """A reviewed anomaly in a.png, none in b.png."""
    prepare(tmp_path, {"a.png": [ENTRY], "b.png": []})
    source = "[b]x\x1b[1m"
    (tmp_path / "list.jsonl").write_text(
        "".join(json.dumps({"image": f"images/{name}.png", "source": source}) + "\n" for name in "ab")
    )
    assert cli("dataset", "import", "x.json", "--images", "list.jsonl", "--reviewed-by", "ann").code == 0
    return tmp_path


@pytest.mark.usefixtures("filled")
def test_tables(cli: Cli) -> None:
    outcome = cli("dataset", "stats", "--published")
    assert (outcome.code, outcome.err) == (0, "")
    assert "2 images, 2 with a result; 1 candidate, 1 accepted" in " ".join(outcome.out.split())
    assert "[b]x[1m" in outcome.out, "letter by letter, without its control character"
    assert "\x1b" not in outcome.out
    assert "21,539 images" in outcome.out


def test_json_and_picture(cli: Cli, filled: Path) -> None:
    outcome = cli("dataset", "stats", "--json", "--published", "--png", "f.png")
    found = json.loads(outcome.out)
    assert found["candidates"] == {"all": 1, "accepted": 1, "rejected": 0, "unsure": 0, "unreviewed": 0}
    assert found["published"]["candidates"] == 174_872
    with Image.open(filled / "f.png") as picture:
        assert picture.width > 1_000
    assert [path.name for path in filled.iterdir() if path.name.startswith(".")] == []


def test_people_beside_agents(cli: Cli, filled: Path) -> None:
    other = {"Name": "Sky", "Observed Phenomenon": "Green clouds.", "Reasoning": "Weather.", "Severity Score": "9"}
    (filled / "human.json").write_text(json.dumps({"a.png": [ENTRY, other], "z.png": [other]}))
    found = json.loads(cli("dataset", "stats", "--human", "human.json", "--json").out)["human"]
    assert (found["only_human"], found["only_agent"], found["threshold"]) == (1, 1, 0.55)
    counts = {"images": 1, "human": 2, "agent": 1, "matched": 1, "human_share": 0.5, "agent_share": 1.0}
    assert found["before"] == found["after"] == counts
    assert "likeness of words of 0.55 or more" in cli("dataset", "stats", "--human", "human.json").out


def test_people_beside_agents_by_a_model(cli: Cli, filled: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Equal texts have similarity 1, whatever the model."""
    (filled / "human.json").write_text(json.dumps({"a.png": [ENTRY], "b.png": [ENTRY]}))
    model = save("bert", tmp_path_factory.mktemp("backbone"))
    arguments = ("--human", "human.json", "--backbone", model, "--layer", LAYER, "--threshold", "0.999")
    found = json.loads(cli("dataset", "stats", *arguments, "--json").out)["human"]
    assert (found["before"]["human"], found["before"]["agent"], found["before"]["matched"]) == (2, 1, 1)
    assert found["similarity"].startswith("BERTScore F1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--run", "x"), "no run 'x'"),
        (("-w", "elsewhere"), "nothing there"),
        (("--png", "none/f.png"), "cannot write"),
        (("--split", "nonsense"), "no split 'nonsense'"),
        (("--backbone", "x"), "--backbone belongs to --human"),
        (("--threshold", "0.5"), "--threshold belongs to --human"),
        (("--human", "none.json"), "no such file"),
    ],
)
@pytest.mark.usefixtures("filled")
def test_wrong_use_is_one_line(cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    outcome = cli("dataset", "stats", *arguments)
    assert (outcome.code, outcome.err.count("\n"), outcome.out) == (2, 1, "")
    assert message in outcome.err


def test_before_anything_is_analysed(cli: Cli, tmp_path: Path) -> None:
    prepare(tmp_path, {})
    assert cli("dataset", "ingest", "images", "--source", "flux", "--min-pixels", "1").code == 0
    outcome = cli("dataset", "stats", "--png", "f.png")
    assert outcome.code == 0, outcome.err
    assert "2 images, 0 with a result" in " ".join(outcome.out.split())
    assert "flux" in outcome.out
