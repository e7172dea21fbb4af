"""The audit: generators ranked by the anomalies of their images, with intervals, kinds and a paired comparison."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anomagent.audit.measures import MEASURES, ImageTable, measure_images
from anomagent.audit.pairing import compare_paired, rows_by_prompt
from anomagent.audit.resampling import estimate
from anomagent.benchmark.annotations import AnnotationSet
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly
from anomagent.statistics.resampling import check_resampling

KindOf = Callable[[Anomaly], str]
"""Names the kind of an anomaly."""


@dataclass(frozen=True)
class Generator:
    """A generator and what was found in its images."""

    name: str
    annotations: AnnotationSet
    prompts: Mapping[str, str] = field(default_factory=dict[str, str])
    """By image key, what the image was to show; images may be missing here."""


def audit(
    generators: Sequence[Generator], *, resamples: int = 9999, seed: int = 0, kind_of: KindOf | None = None
) -> dict[str, Any]:
    """Compare generators; the result is JSON. Lower is better in every measure but `without_anomaly`.

    `generators` is ordered by `cap_of_means`, the measure of the published table, and by name where it is equal;
    generators without an analysed image come last, with None for every measure. `rank` is shared by equals.
    `images` counts those analysed, `failures` those without a result, which are in no mean, `partial` those whose
    analysis failed in part, and `bad_entries` the entries that could not be read. `kinds` is empty without `kind_of`;
    with it, every kind that any generator shows is listed for all, `share` being of the generator's anomalies (None
    where it has none).
    `paired` is None where generators cannot be compared prompt by prompt, for the reason in `not_paired`.

    Raises `UsageError` for no generator, for two of one name, and for settings that cannot work.
    """
    check_resampling(resamples, seed)
    _check_names([generator.name for generator in generators])
    tables = {generator.name: measure_images(generator.annotations) for generator in generators}
    kinds = {generator.name: _count_kinds(generator, tables[generator.name], kind_of) for generator in generators}
    names = sorted({kind for counts in kinds.values() for kind in counts})
    entries = [
        _entry(generator, tables[generator.name], resamples, seed)
        | {"kinds": _describe_kinds(kinds[generator.name], names, tables[generator.name])}
        for generator in generators
    ]
    ranked = _rank(entries)
    prompts = {generator.name: generator.prompts for generator in generators}
    by_prompt = {name: rows_by_prompt(tables[name], prompts[name]) for name in (entry["generator"] for entry in ranked)}
    paired, not_paired = compare_paired(by_prompt, resamples, seed)
    return {"generators": ranked, "paired": paired, "not_paired": not_paired, "resamples": resamples, "seed": seed}


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise UsageError("there is no generator to audit; name at least one folder or prediction file")
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise UsageError(f"two generators are called {repeated[0]!r}; give each its own name")


def _entry(generator: Generator, table: ImageTable, resamples: int, seed: int) -> dict[str, Any]:
    estimates = estimate(table.rows, resamples, seed)
    return {
        "generator": generator.name,
        "images": len(table.keys),
        "failures": len(table.failed),
        "partial": sum(image.partial is not None for image in generator.annotations.images.values()),
        "bad_entries": len(generator.annotations.bad),
        **(estimates.values or dict.fromkeys(MEASURES)),
        "intervals": estimates.intervals,
        "no_intervals": estimates.reason,
    }


def _rank(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries in their order, each with its rank from 1; None for those that cannot be ranked."""
    measured = [entry for entry in entries if entry["cap_of_means"] is not None]
    others = [entry for entry in entries if entry["cap_of_means"] is None]
    caps = [entry["cap_of_means"] for entry in measured]
    ranked = [entry | {"rank": 1 + sum(cap < entry["cap_of_means"] for cap in caps)} for entry in measured]
    return sorted(ranked, key=lambda entry: (entry["cap_of_means"], entry["generator"])) + [
        entry | {"rank": None} for entry in sorted(others, key=lambda entry: entry["generator"])
    ]


def _count_kinds(generator: Generator, table: ImageTable, kind_of: KindOf | None) -> Counter[str]:
    if kind_of is None:
        return Counter()
    images = generator.annotations.images
    return Counter(kind_of(anomaly) for key in table.keys for anomaly in images[key].anomalies)


def _describe_kinds(counts: Counter[str], names: Sequence[str], table: ImageTable) -> dict[str, dict[str, Any]]:
    total, images = counts.total(), len(table.keys)
    return {
        name: {
            "count": counts[name],
            "per_image": counts[name] / images if images else None,
            "share": counts[name] / total if total else None,
        }
        for name in names
    }
