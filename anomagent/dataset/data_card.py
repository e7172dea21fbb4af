"""The card of a published data set, README.md with a YAML header: facts from the store, and what people must add."""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from anomagent.benchmark.kinds import title_of
from anomagent.dataset.stats import Stats, per_image

_MARKS: Final = re.compile(r"([\\`*_{}\[\]()#+!|~-])")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST: Final = 120
_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True)
class Contents:
    """What was written."""

    rows: Mapping[str, int]
    """Images by part."""
    accepted: bool
    """Whether the anomalies are those that people accepted."""
    with_images: bool
    license: str | None


def card_text(stats: Stats, contents: Contents) -> str:
    """The card. Names that somebody else wrote are escaped: they are text, whatever they look like."""
    return "\n".join([*_header(contents), "", *_body(stats, contents)]) + "\n"


def _header(contents: Contents) -> list[str]:
    total = sum(contents.rows.values())
    size = next((name for most, name in _SIZES if total < most), "n>1M")
    lines = ["---", f"license: {json.dumps(contents.license or 'unknown')}"]
    lines += ["task_categories:", "- image-to-text", "tags:", "- semantic-anomalies", "- ai-generated-images"]
    lines += ["size_categories:", f"- {json.dumps(size)}", "configs:", "- config_name: default", "  data_files:"]
    for part in contents.rows:
        lines += [f"  - split: {part}", f"    path: data/{part}-*"]
    return [*lines, "---"]


def _body(stats: Stats, contents: Contents) -> list[str]:
    candidates = stats.candidates
    which = "accepted in review" if contents.accepted else "as found, **whether people accepted them or not**"
    return [
        "# Semantic anomalies in images",
        "",
        *_license(contents),
        f"{sum(contents.rows.values()):,} images, each with the semantic anomalies that were found in it ({which}):",
        "name, phenomenon, reasoning, severity (0 = completely implausible, 100 = fully realistic: low is bad),",
        "objects and support.",
        _empty_lists(contents),
        "`label` is `real` where a description says why an image looks real, `ai` where a prompt is known, else empty.",
        *_real(stats),
        "" if contents.with_images else "\nThe images are not in the files: `path` is where they lie on one machine.\n",
        *_table("Parts", ("part", "images"), ((part, f"{rows:,}") for part, rows in contents.rows.items())),
        *_table(
            "Sources",
            ("source", "images", "candidates per image", "accepted per image"),
            (
                (plain(one.source or "not stated"), f"{one.images:,}", *map(_decimal, (mean.before, mean.after)))
                for one, mean in ((one, per_image(one)) for one in stats.sources)
            ),
        ),
        "## Review",
        "",
        f"Of {candidates['all']:,} candidates people accepted {candidates['accepted']:,} and rejected "
        f"{candidates['rejected']:,}; of {candidates['unsure']:,} nobody is sure, {candidates['unreviewed']:,} are "
        "unreviewed.",
        _agreement(stats),
        "",
        *_analyses(stats),
        *_kinds(stats),
        "Images and anomalies are counted over the rows of these files, answers over contents.",
    ]


def _empty_lists(contents: Contents) -> str:
    if not contents.accepted:
        return "An empty list means that nothing was found."
    return (
        "An empty list means that nothing was found or people accepted none of it; where `review` is `open` they are "
        "not done, and the list may lack something."
    )


def _real(stats: Stats) -> list[str]:
    number = stats.images["described"]
    return [f"{number:,} images are real: they have a description and no anomalies."] if number else []


def _license(contents: Contents) -> list[str]:
    if contents.license:
        return []
    return ["> **TODO: no license is stated.** State one here and in the header before you publish this.", ""]


def _agreement(stats: Stats) -> str:
    review = stats.review
    people = f"{review.answers:,} answers of {review.people:,} {'person' if review.people == 1 else 'people'}"
    if not review.shared:
        return f"{people}; no candidate was judged by two, so their agreement is unknown."
    share = review.unanimous / review.shared
    return f"{people}; of {review.shared:,} candidates judged by two or more, {share:.1%} have one answer of all."


def _analyses(stats: Stats) -> list[str]:
    rows = (
        (plain(one.schedule), plain(", ".join(sorted(set(one.models.values()))) or "none"), f"{one.images:,}")
        for one in stats.analyses
    )
    prompts = f"The prompt of {stats.images['prompts']:,} images is known.\n"
    return [*_table("How the candidates were found", ("schedule", "models", "images"), rows), prompts]


def _kinds(stats: Stats) -> list[str]:
    if stats.kinds is None:
        return []
    rows = ((title_of(kind), f"{both.before:,}", f"{both.after:,}") for kind, both in stats.kinds.items())
    return _table("Kinds, by rules", ("kind", "candidates", "accepted"), rows)


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    line = "|" + "|".join(" --- " for _ in head) + "|"
    return [f"## {title}", "", _cells(head), line, *(_cells(row) for row in rows), ""]


def _cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def plain(text: str) -> str:
    """`text` as Markdown shows it letter by letter: one bounded line, no markup, no HTML."""
    line = " ".join(_CONTROL.sub(" ", text).split())[:_LONGEST]
    return html.escape(_MARKS.sub(r"\\\1", line), quote=False)
