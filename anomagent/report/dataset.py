"""A data set's numbers as facts and tables, the paper's beside them where that is asked for."""

from collections.abc import Iterator, Mapping
from typing import Any

from anomagent.benchmark.kinds import KINDS, Kind, title_of
from anomagent.benchmark.published import DatasetFacts, dataset_facts
from anomagent.report.costs import count
from anomagent.report.tables import Row, Table

NOT_STATED = "(not stated)"
"""The source of images of which nobody said it."""


def stats_facts(stats: Mapping[str, Any]) -> list[str]:
    """What a reader must know before the tables: what is counted, what failed, what is not reviewed."""
    images, candidates, review = stats["images"], stats["candidates"], stats["review"]
    lines = [
        f"{stats['of']}: {count(images['all'], 'image')}, {images['analysed']:,} with a result; "
        f"{count(candidates['all'], 'candidate')}, {candidates['accepted']:,} accepted.",
    ]
    states = {
        "partial": images["partial"],
        "failed": images["failed"],
        "not finished": images["running"],
        "filtered out": images["dropped"],
        "real, with a description": images["described"],
    }
    if said := [f"{number:,} {what}" for what, number in states.items() if number]:
        lines.append(f"Images: {', '.join(said)}.")
    lines.append(
        f"Review: {candidates['rejected']:,} rejected, {candidates['unsure']:,} unsure, "
        f"{candidates['unreviewed']:,} unreviewed; {count(review['answers'], 'answer')} of "
        f"{count(review['people'], 'person', 'people')}"
        + (f", {review['unanimous']:,} of {review['shared']:,} judged twice agree." if review["shared"] else ".")
    )
    if images["superseded"]:
        lines.append(f"Superseded: reviewed results are older than {images['superseded']:,} newer analyses, and count.")
    lines.append("Before: all candidates. After: those that people accepted. Severity: 0 = completely implausible.")
    return lines


def stats_tables(stats: Mapping[str, Any], published: bool = False) -> list[Table]:
    """The tables that have something to show."""
    tables = [_sources(stats), _severity(stats), *_splits(stats), *_objects(stats), *_kinds(stats), _lengths(stats)]
    tables += _human(stats)
    return tables + (_published(dataset_facts()) if published else [])


def published_stats() -> dict[str, Any]:
    """The paper's figures, as JSON has them beside one's own."""
    facts = dataset_facts()
    human, agent = facts.human_and_agent
    return {
        "images": dict(facts.images),
        "train": facts.train,
        "test": facts.test,
        "candidates": facts.candidates,
        "annotations_per_image": {name: {"before": b, "after": a} for name, (b, a) in facts.per_image.items()},
        "human_on_1000_images": human,
        "agent_on_1000_images": agent,
    }


def _sources(stats: Mapping[str, Any]) -> Table:
    rows = [
        Row((
            one["source"] or NOT_STATED,
            *(f"{one[name]:,}" for name in ("images", "analysed", "candidates", "accepted")),
            *(_decimal(one[name]) for name in ("before", "after")),
        ))
        for one in stats["sources"]
    ]  # fmt: skip
    head = ("source", "images", "with result", "candidates", "accepted", "per image before", "after")
    return Table("Images and annotations by source", head, rows)


def _severity(stats: Mapping[str, Any]) -> Table:
    both = list(zip(stats["severity"]["before"], stats["severity"]["after"], strict=True))
    edges = (f"{10 * place}–{10 * place + 9 + (place == 9)}" for place in range(len(both)))
    rows = [Row((edge, f"{before:,}", f"{after:,}")) for edge, (before, after) in zip(edges, both, strict=True)]
    return Table("Severity", ("severity", "before", "after"), rows)


def _splits(stats: Mapping[str, Any]) -> Iterator[Table]:
    rows = [
        Row((f"{one['split']}: {one['part']}", *(f"{one[name]:,}" for name in ("images", "candidates", "accepted"))))
        for one in stats["splits"]
    ]
    if rows:
        yield Table("Splits", ("part", "images", "candidates", "accepted"), rows)


def _objects(stats: Mapping[str, Any]) -> Iterator[Table]:
    spread = stats["objects"]
    if not spread["number"]:
        return
    rows = [Row((name, f"{number:,}")) for name, number in list(stats["frequent_objects"].items())[:10]]
    caption = f"Objects per image: mean {spread['mean']:.1f}, median {spread['median']}, 90 % at most {spread['p90']}."
    yield Table("Most frequent objects", ("object", "times"), rows, caption)


def _kinds(stats: Mapping[str, Any]) -> Iterator[Table]:
    if stats["kinds"] is None:
        return
    found: Mapping[Kind, Mapping[str, int]] = stats["kinds"]
    rows = [Row((title_of(kind), *(f"{found[kind][side]:,}" for side in ("before", "after")))) for kind in KINDS]
    yield Table("Kinds, by rules", ("kind", "before", "after"), rows)


def _lengths(stats: Mapping[str, Any]) -> Table:
    rows = [
        Row((field, *(_whole(both[side][value]) for side in ("before", "after") for value in ("median", "p90"))))
        for field, both in stats["lengths"].items()
    ]
    return Table("Words", ("field", "median before", "90 % before", "median after", "90 % after"), rows)


def _human(stats: Mapping[str, Any]) -> Iterator[Table]:
    human = stats.get("human")
    if human is None:
        return
    rows = [
        Row((
            f"agents, {side}",
            *(f"{human[side][name]:,}" for name in ("images", "human", "agent", "matched")),
            *(_percent(human[side][name]) for name in ("human_share", "agent_share")),
        ))
        for side in ("before", "after")
    ]  # fmt: skip
    head = ("", "images", "people found", "agents found", "both", "of people's", "of agents'")
    only = f"Images of people alone: {human['only_human']:,}, of agents alone: {human['only_agent']:,}."
    yield Table(
        "People and agents", head, rows, f"The same: {human['similarity']} of {human['threshold']} or more. {only}"
    )


def _published(facts: DatasetFacts) -> list[Table]:
    rows = [
        Row((name, f"{images:,}", *(_decimal(value) for value in facts.per_image.get(name, (None, None)))))
        for name, images in facts.images.items()
    ]
    human, agent = facts.human_and_agent
    caption = (
        f"{facts.images_in_total:,} images, {facts.train:,} for training and {facts.test:,} for tests; "
        f"{facts.candidates:,} candidates. In 1,000 images people found {human:,} anomalies, the agents {agent:,}."
    )
    return [Table("The paper's data set", ("source", "images", "per image before", "after"), rows, caption)]


def _decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _whole(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
