"""The catalogue is complete and its sentences can be filled in."""

from __future__ import annotations

import subprocess
import sys

import pytest

from anomagent.scenes import ANOMALIES, ANOMALY_BY_ID, AnomalyKind
from anomagent.scenes.catalogue import COLOUR_NAMES, KINDS, KINDS_BY_SETTING, ODD_COLOURS, USUAL_COLOURS
from anomagent.scenes.palette import COLOURS
from anomagent.scenes.shapes import SHAPES


def test_fourteen_kinds_with_unique_ids_and_titles() -> None:
    assert len(ANOMALIES) == len(ANOMALY_BY_ID) == len({kind.title for kind in ANOMALIES}) == 14


@pytest.mark.parametrize("kind", ANOMALIES, ids=lambda kind: kind.id)
def test_kind_is_usable(kind: AnomalyKind) -> None:
    assert set(kind.objects) <= set(KINDS)
    assert 0 <= kind.severity <= 100
    for sentence in (kind.describe("cat 1", "pink", "indoor"), kind.explain("cat 1", "pink", "indoor")):
        assert sentence.endswith(".")
        assert "{" not in sentence
    assert "cat 1" in kind.describe("cat 1", "pink", "indoor")


def test_relations_are_those_that_need_the_surroundings() -> None:
    relations = {kind.id for kind in ANOMALIES if kind.agent == "relation"}
    assert relations == {"floating", "oversized", "on_car", "no_shadow"}


def test_the_ground_has_the_word_of_the_setting() -> None:
    floating = ANOMALY_BY_ID["floating"]
    assert "above the floor" in floating.describe("cup", "red", "indoor")
    assert "above the ground" in floating.describe("cup", "red", "outdoor")


def test_tables_agree() -> None:
    assert set(COLOURS) == set(COLOUR_NAMES)
    assert set(SHAPES) == set(KINDS)
    assert {kind for kinds in KINDS_BY_SETTING.values() for kind in kinds} == set(KINDS)
    for kind, odd in ODD_COLOURS.items():
        assert not set(odd) & set(USUAL_COLOURS[kind])


def test_importing_scenes_loads_nothing_heavy() -> None:
    code = "import sys, anomagent.scenes; print(*({'numpy', 'torch', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
