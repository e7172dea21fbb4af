"""The file of predictions: what a record says, and that nothing is lost between a model's answer and `evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomagent.benchmark.reading import read_annotations
from anomagent.errors import StoreError
from anomagent.prediction.output import record_of, write_predictions
from anomagent.prediction.reading import read_list
from anomagent.state.classic_text import format_anomalies
from anomagent.state.findings import Anomaly
from anomagent.store.predictions import Prediction
from tests.prediction.shelf import CHAIR

_words = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=8)
_line = st.lists(_words, min_size=1, max_size=5).map(" ".join).filter(lambda text: text == " ".join(text.split()))
_name = _line.filter(lambda text: text[0].isalpha())
_anomaly = st.builds(
    Anomaly, name=_name, phenomenon=_line, reasoning=_line, severity=st.integers(min_value=0, max_value=100)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(anomalies=st.lists(_anomaly, max_size=4), suffix=st.sampled_from(["json", "jsonl"]))
def test_a_written_list_is_read_back_as_it_was(anomalies: list[Anomaly], suffix: str, tmp_path: Path) -> None:
    reading = read_list(format_anomalies(anomalies))
    prediction = Prediction("folder/a.png", "0" * 64, reading.status, reading.anomalies)
    path = tmp_path / f"out.{suffix}"
    write_predictions(path, [record_of(prediction)])
    image = read_annotations(path).images["folder/a.png"]
    assert list(image.anomalies) == anomalies
    assert image.failure is None


def test_a_record_of_each_kind() -> None:
    ok = Prediction("a.png", "00", "ok", (CHAIR,), text="as it came")
    assert record_of(ok, {"source": "painter"}) == {
        "image": "a.png",
        "anomalies": [
            {
                "name": "Floating chair",
                "phenomenon": "it hangs in the air",
                "reasoning": "nothing holds it",
                "severity": 10,
            }
        ],
        "sha256": "00",
        "source": "painter",
    }
    failed = Prediction("a.png", None, "failed", error="refused", message="not this", text="I cannot")
    assert record_of(failed) == {
        "image": "a.png",
        "anomalies": [],
        "failure": "refused: not this",
        "text": "I cannot",
        "sha256": None,
    }
    partial = record_of(Prediction("a.png", "00", "partial", (CHAIR,), error="bad_entries", message="1 of 2", text="t"))
    assert (partial["partial"], partial["text"], len(partial["anomalies"])) == ("bad_entries: 1 of 2", "t", 1)
    real = record_of(Prediction("a.png", "00", "ok", answer="No.", p_yes=0.1, description="A boat."))
    assert (real["answer"], real["verdict"], real["p_yes"], real["description"]) == ("No.", "no", 0.1, "A boat.")


def test_a_list_of_none_and_of_many_is_json(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    for names in ([], ["a"], ["a", "b", "c"]):
        write_predictions(path, ({"image": name} for name in names))
        assert [record["image"] for record in json.loads(path.read_text())] == names
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old")

    def records() -> object:
        yield {"image": "a"}
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="disk full"):
        write_predictions(path, records())  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(StoreError, match="cannot be written"):
        write_predictions(tmp_path / "lost" / "out.jsonl", [])


def test_half_a_surrogate_pair_is_written_as_json_can(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    write_predictions(path, [{"image": "a\ud800"}])
    assert json.loads(path.read_bytes()) == {"image": "a\ud800"}
