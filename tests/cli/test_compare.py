from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Outcome
from tests.cli.scored import PREDICTIONS, TRUTH, entry, images, refused, write
from tests.evaluation.similarity.tiny import LAYER, save

Compare = Callable[..., Outcome]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save("bert", tmp_path_factory.mktemp("backbone"))


@pytest.fixture
def compare(cli: Cli, backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda *arguments: cli("compare", *arguments, "--backbone", backbone, "--layer", LAYER)


@pytest.mark.parametrize("protocol", ["released", "paper"])
def test_equal_systems_differ_by_nothing(compare: Compare, protocol: str) -> None:
    outcome = compare(PREDICTIONS, PREDICTIONS, TRUTH, "--protocol", protocol, "--json", "--bootstrap", 200)

    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert found["a"] == found["b"]
    assert (found["a"]["protocol"], found["ground_truth"]) == (protocol, str(TRUTH))
    for name in ("SemAP", "SemF1"):
        for cell in found["difference"][name].values():
            assert cell == {"difference": 0.0, "interval": [0.0, 0.0], "p": 1.0}


def test_better_system_wins(compare: Compare) -> None:
    # Every image 1 against 0, so every resample has the difference 1: p = 2 (1 + 0) / (200 + 1).
    truth = images(**{stem: [stem] for stem in "abcdefghij"})
    silent = images(**{stem: [] for stem in "abcdefghij"})
    sides = write("good.json", truth), write("silent.json", silent), write("t.json", truth)

    outcome = compare(*sides, "--bootstrap", 200, "--json")

    cell = json.loads(outcome.out)["difference"]["SemF1"]["Full"]
    assert cell == {"difference": 1.0, "interval": [1.0, 1.0], "p": pytest.approx(2 / 201)}
    reverse = json.loads(compare(sides[1], sides[0], sides[2], "--bootstrap", 200, "--json").out)
    assert reverse["difference"]["SemF1"]["Full"]["difference"] == -1.0


def test_few_images_have_no_p_value(compare: Compare) -> None:
    truth = write("t.json", images(a=["x"], b=["y"]))
    arguments = (truth, write("silent.json", images(a=[], b=[])), truth, "--bootstrap", 200)

    assert json.loads(compare(*arguments, "--json").out)["difference"]["SemF1"]["Full"]["p"] is None
    table = compare(*arguments).out
    assert ["p", *["–"] * 6] in [line.split() for line in table.splitlines()]
    assert "2 images: too few for a p-value" in " ".join(table.split())


def test_table_for_people(compare: Compare) -> None:
    outcome = compare(PREDICTIONS, TRUTH, TRUTH, "--bootstrap", 200)

    assert outcome.code == 0
    for part in ("A against B", "A - B", "95 % from", "Paired bootstrap of A - B over 10 images", "200 resamples"):
        assert part in " ".join(outcome.out.split())


def test_cut_texts_and_the_effect_of_bf16_are_said_of_each(compare: Compare) -> None:
    # The phenomenon and the reasoning of the long one are one text, which is counted once.
    long, short = write("long.json", images(a=["far too long " * 400])), write("short.json", images(a=["x"]))

    arguments = (long, short, short, "--bootstrap", 100, "--precision", "bf16")
    found = json.loads(compare(*arguments, "--json").out)

    assert (found["a"]["truncated_texts"], found["b"]["truncated_texts"]) == (1, 0)
    assert found["b"]["precision_effect"].keys() == {"comparisons", "largest", "mean"}
    said = " ".join(compare(*arguments).out.split())
    assert "texts cut at the backbone's limit 1." in said
    assert "B: bf16 moves BERTScore F1 by at most" in said


def test_failures_of_either_are_code_3(compare: Compare) -> None:
    truth = write("t.json", images(a=["x"]))
    bad = write("bad.json", {"a.png": [entry("x"), {"Name": "?"}]})

    outcome = compare(truth, bad, truth, "--bad-entries", "skip", "--json")

    assert outcome.code == 3
    assert json.loads(outcome.out)["b"]["bad_entries"]["predictions"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((TRUTH, "missing.json", TRUTH), "no such file"),
        ((TRUTH, "other.json", TRUTH), "1 only in other.json"),
        ((TRUTH, TRUTH, TRUTH, "--bootstrap", 10), "--bootstrap"),
        ((TRUTH, TRUTH, TRUTH, "--bootstrap", 1_000_001), "--bootstrap"),
        ((TRUTH, TRUTH, TRUTH, "--part", "test"), "--part belongs to --split FILE"),
        ((TRUTH, TRUTH, TRUTH, "--rank-by", "listed"), "--rank-by belongs to --protocol paper"),
    ],
    ids=["no file", "other images", "few resamples", "many resamples", "part", "rank-by"],
)
def test_wrong_use_is_said_before_any_work(
    compare: Compare, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], said: str
) -> None:
    monkeypatch.setattr("anomagent.evaluation.similarity.Scorer.similarities", lambda *_: pytest.fail("it works"))
    write("other.json", images(a=["x"]))

    assert said in refused(compare(*arguments))
