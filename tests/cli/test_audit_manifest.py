"""`audit --manifest`: results brought together with the images that a table lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cli.conftest import Cli, Outcome
from tests.cli.scored import entry, write

Audit = Callable[..., Outcome]


@pytest.fixture
def audit(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda *arguments: cli("audit", *arguments, "--bootstrap", 100)


def audited(outcome: Outcome, code: int = 0) -> dict[str, Any]:
    assert outcome.code == code, outcome.err
    return json.loads(outcome.out)


def test_manifest_gives_results_their_generators_and_prompts(audit: Audit, tmp_path: Path) -> None:
    rows, said = ["image,prompt,generator"], {}
    for name, count in (("one", 1), ("two", 2)):
        for number, prompt in enumerate(("a cat", "a dog")):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.new("RGB", (2, 2)).save(tmp_path / name / f"{number}.png")
            rows.append(f"{name}/{number}.png,{prompt},{name}")
            said[f"{name}/{number}.png"] = [entry(f"x{i}", 0) for i in range(count)]
    Path("manifest.csv").write_text("\n".join(rows))
    results = write("results.json", said | {"lost.png": []})

    outcome = audit(results, "--manifest", "manifest.csv", "--json")

    found = audited(outcome)
    assert outcome.err == "results.json: 1 image of no generator, such as lost.png\n"
    assert [one["generator"] for one in found["generators"]] == ["one", "two"]
    assert found["paired"]["prompts"] == 2
    (pair,) = found["paired"]["pairs"]
    assert (pair["a"], pair["b"], pair["difference"], pair["interval"]) == ("one", "two", -3.0, [-3.0, -3.0])  # 1 - 4
    table = audit(results, "--manifest", "manifest.csv")
    assert "On the 2 prompts that all generators have" in table.out
    assert "Paired over prompts" in table.out


def _listed(tmp_path: Path) -> None:
    """manifest.csv lists two images of one and one of two."""
    for name in ("one/1.png", "one/2.png", "two/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    Path("manifest.csv").write_text("image,generator\none/1.png,one\none/2.png,one\ntwo/1.png,two\n")


def test_listed_images_without_a_result_are_counted_and_code_3(audit: Audit, tmp_path: Path) -> None:
    _listed(tmp_path)
    results = write("all.json", {"one/1.png": [], "lost.png": []})

    outcome = audit(results, "--manifest", "manifest.csv", "--json")

    found = audited(outcome, code=3)
    assert found["manifest"] == {"without_result": 2, "unknown": 1}
    assert {one["generator"]: one["without_result"] for one in found["generators"]} == {"one": 1, "two": 1}
    assert "all.json: 2 images without a result, such as one/2.png" in outcome.err
    said = " ".join(audit(results, "--manifest", "manifest.csv").out.split())
    assert "without a result, in no mean: 2 (one 1, two 1); with a result and not listed: 1." in said


def test_coverage_of_a_named_generator_is_of_its_own_images(audit: Audit, tmp_path: Path) -> None:
    _listed(tmp_path)
    results = write("r.json", {"1.png": [], "lost.png": []})  # one and two both have a 1.png

    found = audited(audit(f"one={results}", "--manifest", "manifest.csv", "--json"), code=3)
    assert found["manifest"] == {"without_result": 1, "unknown": 1}
    whole = audited(audit(f"two={results}", "--manifest", "manifest.csv", "--json"))
    assert whole["manifest"] == {"without_result": 0, "unknown": 1}
    assert audited(audit(results, "--json"))["manifest"] is None
