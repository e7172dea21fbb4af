"""`audit` of results: prediction files, runs, workspaces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anomagent.errors import UsageError
from anomagent.store import Workspace, ingest_image, save_analysis, start_run
from tests.cli.conftest import Cli, Outcome
from tests.cli.scored import HOSTILE, Page, assert_harmless, entry, images, refused, script, write
from tests.report.examples import picture
from tests.store.helpers import result

Audit = Callable[..., Outcome]


@pytest.fixture
def audit(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda *arguments: cli("audit", *arguments, "--bootstrap", 100)


def audited(outcome: Outcome, code: int = 0) -> dict[str, Any]:
    assert outcome.code == code, outcome.err
    return json.loads(outcome.out)


def _generators() -> tuple[str, str]:
    """Good has one anomaly of severity 50 in two images; poor two of severity 0 in one, and one of 100 in the other."""
    good = write("good.json", {"a.png": [entry("a hand with six fingers", 50)], "b.png": []})
    poor = write("poor.json", {"a.png": [entry("x", 0), entry("y", 0)], "b.png": [entry("z", 100)]})
    return good, poor


def test_json_is_the_contract(audit: Audit) -> None:
    found = audited(audit(*_generators(), "--json"))

    measures = [
        {name: one[name] for name in ("generator", "images", "mai", "af", "cap_mean", "cap_of_means", "rank")}
        for one in found["generators"]
    ]
    # good: MAI (0.5 + 0) / 2, AF (1 + 0) / 2, CAP (0.5 * 1 + 0) / 2, and 0.25 * 0.5.
    # poor: MAI (2 + 0) / 2, AF (2 + 1) / 2, CAP (2 * 2 + 0) / 2, and 1 * 1.5.
    assert measures == [
        {"generator": "good", "images": 2, "mai": 0.25, "af": 0.5, "cap_mean": 0.25, "cap_of_means": 0.125, "rank": 1},
        {"generator": "poor", "images": 2, "mai": 1.0, "af": 1.5, "cap_mean": 2.0, "cap_of_means": 1.5, "rank": 2},
    ]
    assert [one["without_anomaly"] for one in found["generators"]] == [0.5, 0.0]
    assert found["generators"][0]["kinds"]["anatomy"]["count"] == 1
    assert (found["paired"], found["kinds_by"], found["resamples"]) == (None, "rules", 100)
    assert "no prompt is known" in found["not_paired"]


def test_generators_are_named_as_asked(audit: Audit) -> None:
    good, poor = _generators()

    found = audited(audit(f"Best ={good}", poor, "--json"))
    assert [one["generator"] for one in found["generators"]] == ["Best", "poor"]
    assert "two generators are called 'poor'" in refused(audit(f"poor={good}", poor))
    assert "write it as NAME=PATH" in refused(audit(f"={good}"))


def test_runs_and_workspaces_are_audited_without_what_failed(audit: Audit) -> None:
    workspace = Workspace.open("anomagent-workspace")
    run = start_run(workspace, "run", {}, "hash")
    for image, colour, changes in (("a.png", "red", {}), ("b.png", "blue", {"status": "failed", "anomalies": []})):
        sha256 = ingest_image(workspace, picture(colour), image)["sha256"]
        save_analysis(workspace, run, result(sha256, image, **changes))

    outcome = audit(f"run={run}", "folder=anomagent-workspace", "--json")

    found = audited(outcome, code=3)
    # One anomaly of severity 10 in the one image that counts.
    assert [(one["generator"], one["images"], one["failures"], one["mai"]) for one in found["generators"]] == [
        ("folder", 1, 1, 0.9),
        ("run", 1, 1, 0.9),
    ]
    assert "run: b.png failed: RelationReasoner: floor: refused: no" in outcome.err


def test_bad_entries_are_counted_where_they_are_skipped(audit: Audit) -> None:
    bad = write("bad.json", {"a.png": [entry("x"), entry("y", "high")]})

    assert "'a.png' entry 2" in refused(audit(bad))
    outcome = audit(bad, "--bad-entries", "skip", "--json")
    assert audited(outcome, code=3)["generators"][0]["bad_entries"] == 1


def test_equal_words_in_two_images_may_be_two_kinds(audit: Audit) -> None:
    # The first anomaly has the same words in both images.
    rules = {"a.png": [entry("x")], "b.png": [entry("x"), entry("y")]}
    model = script({"reply": {"kinds": ["anatomy"]}}, {"reply": {"kinds": ["light", "light"]}}, role="KindClassifier")

    (found,) = audited(audit(write("g.json", rules), "--kinds", model, "--json"))["generators"]

    assert (found["kinds"]["anatomy"]["count"], found["kinds"]["light"]["count"]) == (1, 2)


def test_failed_kinds_have_a_reason_and_a_price(audit: Audit) -> None:
    model = script({"error": "refused", "text": "not these words"}, role="KindClassifier")

    outcome = audit(*_generators(), "--kinds", model, "--json")

    found = audited(outcome, code=3)
    assert found["kinds_failed"] == 3
    assert found["kinds_usage"]["calls"] == 3
    assert "kinds: good.json: a.png: not these words" in outcome.err
    assert "failed for 3 images; " in " ".join(audit(*_generators(), "--kinds", model).out.split())
    assert audited(audit(*_generators(), "--json"))["kinds_usage"] is None


def test_pictures_of_generators_that_name_images_alike(audit: Audit, tmp_path: Path) -> None:
    for name in ("good/a.png", "a.png"):
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), "red").save(tmp_path / "pictures" / name)

    outcome = audit(*_generators(), "--html", "page.html", "--images", "pictures")

    assert outcome.code == 0, outcome.err
    # good/a.png is good's worst and the first of its kind; every other example is poor's or called b.png.
    assert Page.read("page.html").pictures("png") == 2


def test_figures_are_printed_before_the_page_is_written(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise UsageError("cannot write page.html: No space left on device")

    monkeypatch.setattr("anomagent.report.audit.write_metrics", full)

    outcome = audit(*_generators(), "--html", "page.html", "--json")

    assert len(audited(outcome, code=2)["generators"]) == 2
    assert outcome.err == "anomagent: cannot write page.html: No space left on device\n"


def _calls() -> int:
    with Workspace.open("anomagent-workspace").reading() as connection:
        return connection.execute("SELECT count(*) FROM calls").fetchone()[0]


def test_kinds_by_a_model_are_paid_once(audit: Audit) -> None:
    model = script(
        {"reply": {"kinds": ["anatomy"]}},
        {"reply": {"kinds": ["light", "light"]}},
        {"error": "refused"},
        role="KindClassifier",
    )
    files = _generators()

    found = audited(audit(*files, "--kinds", model, "--json"), code=3)
    kinds = {
        one["generator"]: {name: kind["count"] for name, kind in one["kinds"].items()} for one in found["generators"]
    }
    assert (kinds["good"]["anatomy"], kinds["poor"]["light"], kinds["poor"]["unknown"]) == (1, 2, 1)
    assert (found["kinds_by"], found["kinds_failed"]) == (model, 1)
    # What failed is asked again, and the script begins anew; then there is nothing left to ask.
    assert (audited(audit(*files, "--kinds", model, "--json"))["kinds_failed"], _calls()) == (0, 4)
    assert (audit(*files, "--kinds", model).code, _calls()) == (0, 4)
    assert "--kinds embedded: it only knows rendered scenes" in refused(audit(*files, "--kinds", "embedded"))


def test_other_audits_are_compared_by_rank(audit: Audit) -> None:
    files = [write(f"{name}.json", images(a=["x"] * count)) for name, count in (("p", 1), ("q", 2), ("r", 3))]
    Path("before.json").write_text(audit(*files, "--json").out)

    found = audited(audit(*files, "--against", "before.json", "--published", "--json"))

    assert found["agreement"]["generators"] == ["p", "q", "r"]
    assert found["agreement"]["measures"]["af"]["spearman"]["coefficient"] == pytest.approx(1)
    assert len(found["published"]) == 15
    assert found["published_agreement"]["AnomAgent"]["measures"]["mai"]["spearman"] is None
    table = audit(*files, "--against", "before.json", "--published")
    for part in ("Published: Table 3", "Sana 1.5", "0 generators in common; an order needs 3"):
        assert part in table.out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--against", "good.json"), "good.json: is no result of an audit"),
        (("--against", "missing.json"), "missing.json"),
        (("--manifest", "missing.csv"), "missing.csv"),
        (("--html", "missing/page.html"), "cannot write missing/page.html"),
        (("--html", "p.html", "--images", "missing"), "--images missing: no such folder"),
        (("--images", "."), "--images belongs to --html"),
        (("--prompts", "prompts.json"), "--prompts belongs to folders of images"),
        (("--manifest", "good.json", "--prompts", "prompts.json"), "--prompts belongs to folders of images"),
        (("--kinds", "fake:missing.json"), "missing.json"),
        (("--seed", "-1"), "--seed"),
        (("missing.json",), "no such file"),
        (("x" * 300,), "no such file"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_wrong_use_is_one_line(audit: Audit, wrong: tuple[str, ...], said: str) -> None:
    assert said in refused(audit(*_generators(), *wrong))


def test_too_few_resamples_are_refused(cli: Cli) -> None:
    assert "10 resamples are too few" in refused(cli("audit", *_generators(), "--bootstrap", 10))


def test_too_many_resamples_are_refused(cli: Cli) -> None:
    assert "--bootstrap" in refused(cli("audit", *_generators(), "--bootstrap", 1_000_001))


def test_hostile_names_are_harmless_everywhere(audit: Audit, tmp_path: Path) -> None:
    name = f"{HOSTILE}.png"
    for folder in (HOSTILE, "q"):
        (tmp_path / "pictures" / folder).mkdir(parents=True)
        Image.new("RGB", (8, 6), "red").save(tmp_path / "pictures" / folder / name)
    sides = write("p.json", {name: [entry(HOSTILE, 0)]}), write("q.json", {"a.png": [], name: [entry("x" * 500, 90)]})

    outcome = audit(f"{HOSTILE}={sides[0]}", sides[1], "--html", "page.html", "--images", "pictures", "--published")

    assert outcome.code == 0, outcome.err
    assert "<script>" in outcome.out
    assert not {"\x1b", "\u202e"} & set(outcome.out + outcome.err)
    page = Page.read("page.html")
    assert_harmless(page)
    assert page.pictures("svg+xml") == 4
    assert page.pictures("png") >= 4
    assert "<script>alert('x') \"&amp; " in page.text
    assert "http" not in Path("page.html").read_text("utf-8").replace("http-equiv", "")
