from __future__ import annotations

from pathlib import Path
from typing import Any

from anomagent.audit.agreement import agreement, audited_measures
from anomagent.audit.audit import Generator, audit
from anomagent.benchmark.annotations import AnnotationSet
from anomagent.report.audit import facts_of, tables_of, write_audit
from anomagent.report.tables import Table
from anomagent.state.findings import Anomaly, UsageTotals
from tests.audit.builders import annotations, generator
from tests.cli.scored import HOSTILE, Page, assert_harmless

GOOD, POOR = generator("good", [[50], []]), generator("poor", [[0, 0], [100]])


def kind_of(anomaly: Anomaly) -> str:
    return "anatomy"


def audited(*generators: Generator, **more: Any) -> dict[str, Any]:
    return {
        **audit(generators, resamples=100, kind_of=kind_of),
        "kinds_by": "rules",
        "kinds_failed": 0,
        **more,
    }


def tables(*generators: Generator, **more: Any) -> dict[str, Table]:
    found = {table.title: table for table in tables_of(audited(*generators, **more))}
    for table in found.values():
        assert {len(row.cells) for row in table.rows} <= {len(table.head)}
    return found


def write(file: Path, *generators: Generator, picture: str | None = None) -> Page:
    write_audit(audited(*generators), generators, kind_of, lambda _name, _key: picture, file)
    return Page.read(file)


def test_measures_have_their_intervals_below() -> None:
    rows = [list(row.cells) for row in tables(GOOD, POOR)["Generators"].rows]

    assert rows[0] == ["good", "2", "0.250", "0.500", "0.250", "0.125", "0.500"]
    assert [row[0] for row in rows] == ["good", "  95 % from", "  to", "poor", "  95 % from", "  to"]
    assert rows[1][2:] == ["0.000"] * 5  # an interval that begins at 0 is an interval
    assert rows[2][2] == "0.500"


def test_single_image_has_no_interval_and_nothing_analysed_no_figure() -> None:
    failed = Generator("failed", annotations({}, failed=["a.png"]))
    rows = [list(row.cells) for row in tables(generator("one", [[0]]), failed)["Generators"].rows]

    assert rows == [
        ["one", "1", "1.000", "1.000", "1.000", "1.000", "0.000"],
        ["failed", "0", *["–"] * 5],
        ["  failed", "1", *[""] * 5],
    ]


def test_facts_count_what_is_in_no_mean() -> None:
    failed = Generator("failed", annotations({"b.png": [1]}, failed=["a.png"], bad=["b.png"]))

    found = audited(GOOD, failed, kinds_failed=1)
    found["generators"][0]["partial"] = 2
    said = facts_of(found)
    assert said[0] == (
        "2 generators, 3 images with a result, 1 failed and in no mean, 1 entry left out. Lower is better."
    )
    assert "100 resamples" in said[1]
    assert said[2] == "Kinds by rules, failed for 1 image."
    assert said[3] == "2 images analysed in part only: what was found in them counts."
    assert said[4].startswith("Not compared prompt by prompt: no prompt is known for")


def test_facts_of_a_manifest_and_of_a_model_that_names_kinds() -> None:
    paired = [generator(name, [[0], [0]], ["a cat", "a dog"]) for name in ("p", "q")]
    usage = UsageTotals(calls=2, input_tokens=30, usd=0.5).model_dump()
    found = audited(*paired, kinds_usage=usage, manifest={"without_result": 3, "unknown": 4})
    found["generators"][1]["without_result"] = 3

    said = facts_of(found)
    assert said[2].startswith("Kinds by rules, failed for 0 images; 2 calls, 0 from the ledger, 30 input tokens")
    assert said[3] == (
        "Listed by the manifest and without a result, in no mean: 3 (q 3); with a result and not listed: 4."
    )
    assert said[4] == "Prompt by prompt: 2 common prompts: too few for a p-value, which needs 10."


def test_few_prompts_have_no_p_value() -> None:
    paired = [generator(name, [[0], [0]], ["a cat", "a dog"]) for name in ("p", "q")]

    assert list(tables(*paired)["Paired over prompts"].rows[0].cells) == ["p - q", "0.000", "0.000", "0.000", "–", "–"]


def test_pairs_and_agreement_are_tables() -> None:
    paired = [generator(name, [[0] * count, [0]], ["a cat", "a dog"]) for name, count in (("p", 1), ("q", 2), ("r", 3))]
    measures = audited_measures(audited(*paired))

    found = tables(*paired, agreement=agreement(measures, measures))

    assert len(found["Paired over prompts"].rows) == 3
    assert list(found["Paired over prompts"].rows[0].cells[:2]) == ["p - q", "-1.500"]  # CAP 1 and 1 against 4 and 1
    assert list(found["Rank agreement with the other audit"].rows[1].cells[:2]) == ["af", "1.000"]
    assert "On the 2 prompts that all generators have" in found


def test_page_has_a_plot_for_each_question(tmp_path: Path) -> None:
    page = write(tmp_path / "page.html", GOOD, POOR, picture="data:image/png;base64,AAAA")

    assert page.pictures("svg+xml") == 4
    # worst of both, least and most severe, one of the kind, the clean one
    assert page.pictures("png") == 6
    for part in (
        "poor: CAP 4.00 = MAI 2.00 · AF 2",
        "severity 0: Odd hand",
        "severity 100: Odd hand",
        "Anatomy: Odd hand",
        "good: no anomaly",
    ):
        assert part in page.text


def test_pages_without_anomalies_or_results_are_pages(tmp_path: Path) -> None:
    assert write(tmp_path / "page.html", generator("clean", [[], []])).pictures("svg+xml") == 2
    nothing = Generator("failed", annotations({}, failed=["a.png"]))
    assert write(tmp_path / "page.html", nothing).pictures("svg+xml") == 0
    assert write(tmp_path / "page.html", Generator("empty", AnnotationSet("x", {}))).pictures("svg+xml") == 0


def test_hostile_generators_stay_text(tmp_path: Path) -> None:
    page = write(tmp_path / "page.html", generator(HOSTILE, [[0], []]), generator("_" * 300, [[9]]))

    assert_harmless(page)
    assert "<script>alert('x') \"&amp; " in page.text
