"""The published figures, cell by cell where it counts."""

import pytest

from anomagent.benchmark.published import (
    dataset_facts,
    published_audit,
    published_deepfake,
    published_since,
    published_table,
)

METRICS = ("SemAP_Phe", "SemAP_Rea", "SemAP_Full", "SemF1_Phe", "SemF1_Rea", "SemF1_Full")


@pytest.mark.parametrize(
    ("backbone", "title", "semap_full", "semf1_phe"),
    [
        ("distilbert-base-uncased", "Table 1", 0.4727, 0.5304),
        ("distilbert/distilbert-base-uncased", "Table 1", 0.4727, 0.5304),
        ("FacebookAI/roberta-large-mnli", "Table 4", 0.3083, 0.3707),
        ("roberta-large-mnli", "Table 4", 0.3083, 0.3707),
        ("google/mt5-large", "Table 5", 0.2387, 0.2933),
    ],
)
def test_the_table_of_each_backbone(backbone: str, title: str, semap_full: float, semf1_phe: float) -> None:
    table = published_table(backbone)
    assert table is not None
    assert (table.title, table.columns, len(table.rows)) == (title, METRICS, 18)
    assert (table.backbone or "").rpartition("/")[2] == backbone.rpartition("/")[2]
    figures = table.figures("GPT-4o")
    assert (figures["SemAP_Full"], figures["SemF1_Phe"]) == (semap_full, semf1_phe)


@pytest.mark.parametrize("backbone", ["bert-base-uncased", "./distilbert-base-uncased", "me/mt5-large", ""])
def test_a_backbone_that_nobody_published(backbone: str) -> None:
    assert published_table(backbone) is None


def test_deepfake_detection() -> None:
    table = published_deepfake()
    assert table.columns == ("Acc_percent", *(f"C{metric}" for metric in METRICS))
    assert len(table.rows) == 18
    assert table.figures("AnomReasonor-7B")["Acc_percent"] == 82.61
    # Over AI images only: 0.3612 / 0.4727 = 0.76 of GPT-4o's SemAP is kept.
    semap = published_table("distilbert-base-uncased")
    assert semap is not None
    assert table.figures("GPT-4o")["CSemAP_Full"] / semap.figures("GPT-4o")["SemAP_Full"] == pytest.approx(
        0.764, abs=1e-3
    )


def test_the_audits_cap_is_the_product_of_the_means() -> None:
    table = published_audit()
    assert (len(table.rows), len(table.columns), table.backbone) == (15, 6, None)
    for row in table.rows:
        figures = table.figures(row)
        for assessor in ("AnomReasonor", "AnomAgent"):
            mai, af, cap = (figures[f"{assessor}_{column}"] for column in ("MAI", "AF", "CAP"))
            # Both factors are rounded to 0.005, so the product is known to within 0.005 * (mai + af), 0.08 at most.
            assert mai * af == pytest.approx(cap, abs=0.005 * (mai + af) + 0.005)


@pytest.mark.parametrize("backbone", ["distilbert-base-uncased", "roberta-large-mnli", "google/mt5-large"])
def test_every_row_is_as_wide_as_its_table(backbone: str) -> None:
    for table in (published_table(backbone), published_deepfake(), published_audit()):
        assert table is not None
        assert {len(figures) for figures in table.rows.values()} == {len(table.columns)}


def test_the_data_set() -> None:
    facts = dataset_facts()
    assert facts.images == {"Midjourney": 9911, "SD3.5": 4645, "Flux": 6983}
    assert sum(facts.images.values()) == facts.images_in_total == 21539
    assert facts.train + facts.test == facts.images_in_total
    assert facts.images_in_total - facts.images_kept == 6
    assert facts.tokens / facts.images_in_total == pytest.approx(194_000, abs=1000)
    assert facts.per_image["Flux"] == (8.2, 5.88)
    assert facts.candidates / facts.images_in_total == pytest.approx(8.1, abs=0.1)
    assert facts.human_and_agent == (4884, 8290)


def test_later_papers() -> None:
    assert published_since()["AnomReason-Deepfake"]["SPARED (2026)"] == {"Acc_percent": 92.18, "CSemAP_Full": 0.5207}
