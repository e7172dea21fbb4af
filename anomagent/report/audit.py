"""An audit of generators as facts, tables and a page."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from anomagent.audit.audit import Generator
from anomagent.audit.measures import measure_image
from anomagent.benchmark.annotations import ImageAnnotations
from anomagent.benchmark.kinds import KINDS, title_of
from anomagent.report.costs import count, describe_usage
from anomagent.report.metrics import Example, Page, Plot, write_metrics
from anomagent.report.plots import draw_bars, draw_histogram, draw_stacks
from anomagent.report.tables import Row, Table
from anomagent.state.findings import Anomaly, UsageTotals

MEASURES = {
    "mai": "MAI",
    "af": "AF",
    "cap_mean": "CAP mean",
    "cap_of_means": "CAP of\nmeans",
    "without_anomaly": "without\nanomaly",
}
FindImage = Callable[[str, str], str | None]
"""From a generator and an image's key to the picture's data URL."""


def facts_of(result: Mapping[str, Any]) -> list[str]:
    """What a reader must know before the figures."""
    entries = result["generators"]
    failures, bad = (sum(entry[name] for entry in entries) for name in ("failures", "bad_entries"))
    lines = [
        f"{count(len(entries), 'generator')}, {count(sum(entry['images'] for entry in entries), 'image')} with a "
        f"result, {failures} failed and in no mean, {count(bad, 'entry', 'entries')} left out. Lower is better.",
        f"95 % intervals from {result['resamples']:,} resamples of the images, seed {result['seed']}. "
        "CAP of means is the published kind; CAP mean averages the images' own.",
        f"Kinds by {result['kinds_by']}, failed for {count(result['kinds_failed'], 'image')}{_kinds_cost(result)}.",
    ]
    if partial := sum(entry["partial"] for entry in entries):
        lines.append(f"{count(partial, 'image')} analysed in part only: what was found in them counts.")
    if coverage := result.get("manifest"):
        lines.append(_coverage(coverage, entries))
    if (paired := result["paired"]) and paired["no_p_values"]:
        lines.append(f"Prompt by prompt: {paired['no_p_values']}.")
    if result["not_paired"]:
        lines.append(f"Not compared prompt by prompt: {result['not_paired']}.")
    return lines


def tables_of(result: Mapping[str, Any]) -> list[Table]:
    """Every table that the result has figures for."""
    tables = [_measures(result["generators"], "Generators"), _kinds(result["generators"])]
    if paired := result["paired"]:
        title = f"On the {count(paired['prompts'], 'prompt')} that all generators have"
        tables += [_measures(paired["generators"], title), _pairs(paired["pairs"])]
    if "agreement" in result:
        tables.append(_agreement("Rank agreement with the other audit", result["agreement"]))
    if "published" in result:
        tables.append(_published(result["published"]))
        for assessor, found in result["published_agreement"].items():
            tables.append(_agreement(f"Rank agreement with the published {assessor}", found))
    return tables


def write_audit(
    result: Mapping[str, Any],
    generators: Sequence[Generator],
    kind_of: Callable[[Anomaly], str],
    find: FindImage,
    file: Path,
) -> None:
    """Write the audit's page to `file`. Raises `UsageError` where it cannot be written."""
    figures = [
        *_cap_plot(result, generators, find),
        *_severity_plot(generators, find),
        *_kind_plot(result, generators, kind_of, find),
        *_clean_plot(result, generators, find),
    ]
    write_metrics(Page("Generator audit", facts_of(result), tables_of(result), figures), file)


def _kinds_cost(result: Mapping[str, Any]) -> str:
    usage = result.get("kinds_usage")
    return f"; {describe_usage(UsageTotals.model_validate(usage))}" if usage else ""


def _coverage(coverage: Mapping[str, int], entries: Sequence[Mapping[str, Any]]) -> str:
    lacking = [f"{entry['generator']} {entry['without_result']}" for entry in entries if entry.get("without_result")]
    by_generator = f" ({', '.join(lacking)})" if lacking else ""
    return (
        f"Listed by the manifest and without a result, in no mean: {coverage['without_result']}{by_generator}; "
        f"with a result and not listed: {coverage['unknown']}."
    )


def _measures(entries: Sequence[Mapping[str, Any]], title: str) -> Table:
    """Each measure with its interval in the row below."""
    rows: list[Row] = []
    for entry in entries:
        counted = str(entry["images"]) if "images" in entry else ""
        rows.append(Row((entry["generator"], counted, *(_number(entry.get(name)) for name in MEASURES)), own=True))
        limits: Mapping[str, Any] = entry["intervals"] or {}
        if any(limits.values()):
            for end, words in enumerate(("  95 % from", "  to")):
                rows.append(Row((words, "", *(_number(limits[name] and limits[name][end]) for name in MEASURES))))
        if failed := entry.get("failures"):
            rows.append(Row(("  failed", str(failed), *[""] * len(MEASURES))))
    return Table(title, ("generator", "images", *MEASURES.values()), rows)


def _kinds(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Anomalies of each kind in an image, on average."""
    names = list(entries[0]["kinds"])
    rows = [Row((_title(name), *(_number(entry["kinds"][name]["per_image"]) for entry in entries))) for name in names]
    return Table("Kinds of anomaly, each per image", ("kind", *(entry["generator"] for entry in entries)), rows)


def _pairs(pairs: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        Row(
            (
                f"{pair['a']} - {pair['b']}",
                _number(pair["difference"]),
                *(_number(pair["interval"] and pair["interval"][end]) for end in (0, 1)),
                _number(pair["p_value"], 4),
                _number(pair["p_adjusted"], 4),
            )
        )
        for pair in pairs
    ]
    head = ("difference in CAP mean", "A - B", "95 % from", "to", "p", "p (Holm)")
    return Table("Paired over prompts", head, rows, "Negative: A has fewer or milder anomalies.")


def _agreement(title: str, found: Mapping[str, Any]) -> Table:
    rows = [
        Row((measure, *_coefficients(values.get("spearman")), *_coefficients(values.get("kendall")), _why(values)))
        for measure, values in found["measures"].items()
    ]
    return Table(title, ("measure", "Spearman", "p", "Kendall", "p", "note"), rows)


def _coefficients(value: Mapping[str, float] | None) -> tuple[str, str]:
    return ("–", "–") if value is None else (_number(value["coefficient"]), _number(value["p_value"], 4))


def _why(values: Mapping[str, Any]) -> str:
    return str(values.get("reason") or "")


def _published(rows: Mapping[str, Mapping[str, float]]) -> Table:
    columns = list(next(iter(rows.values())))
    shown = [Row((name, *(f"{figures[column]:.2f}" for column in columns))) for name, figures in rows.items()]
    return Table("Published: Table 3", ("generator", *(column.replace("_", "\n") for column in columns)), shown)


def _cap_plot(result: Mapping[str, Any], generators: Sequence[Generator], find: FindImage) -> Iterator[Plot]:
    worst = [example for generator in generators if (example := _worst(generator, find))]
    if bars := _bars(result, "cap_of_means", "CAP of means (lower is better)"):
        yield Plot("CAP of means", bars, "With each generator's worst image.", worst)


def _severity_plot(generators: Sequence[Generator], find: FindImage) -> Iterator[Plot]:
    """With the images of the most and of the least severe anomaly of all."""
    found = sorted(_anomalies(generators), key=lambda one: one[0].severity)
    if found:
        svg = draw_histogram(
            [anomaly.severity for anomaly, _, _ in found],
            "severity (0 = completely implausible, 100 = realistic)",
            most=100,
        )
        ends = [
            _example(generator, image, f"severity {anomaly.severity}: {anomaly.name}", find)
            for anomaly, image, generator in (found[0], found[-1])
        ]
        yield Plot("Severity of all anomalies", svg, "", ends)


def _kind_plot(
    result: Mapping[str, Any], generators: Sequence[Generator], kind_of: Callable[[Anomaly], str], find: FindImage
) -> Iterator[Plot]:
    """With one image of each kind."""
    shares = {
        entry["generator"]: {_title(name): kind["per_image"] or 0.0 for name, kind in entry["kinds"].items()}
        for entry in result["generators"]
    }
    firsts: dict[str, Example] = {}
    for anomaly, image, generator in _anomalies(generators):
        if (kind := kind_of(anomaly)) not in firsts:
            firsts[kind] = _example(generator, image, f"{_title(kind)}: {anomaly.name}", find)
    if firsts:
        svg = draw_stacks(shares, "anomalies per image")
        yield Plot("Kinds of anomaly", svg, "With one image of each kind.", [firsts[kind] for kind in sorted(firsts)])


def _clean_plot(result: Mapping[str, Any], generators: Sequence[Generator], find: FindImage) -> Iterator[Plot]:
    clean = [example for generator in generators if (example := _clean(generator, find))]
    if clean and (bars := _bars(result, "without_anomaly", "share of images without anomaly")):
        yield Plot("Images without anomaly", bars, "With one such image of each generator.", clean)


def _bars(result: Mapping[str, Any], measure: str, label: str) -> str | None:
    """The generators' bars with their intervals; None where no generator was measured."""
    entries = [entry for entry in result["generators"] if entry[measure] is not None]
    values = {entry["generator"]: entry[measure] for entry in entries}
    limits = {entry["generator"]: entry["intervals"] and entry["intervals"][measure] for entry in entries}
    return draw_bars(values, limits, label) if values else None


def _anomalies(generators: Sequence[Generator]) -> Iterator[tuple[Anomaly, ImageAnnotations, Generator]]:
    for generator in generators:
        for image in generator.annotations.images.values():
            for anomaly in image.anomalies:
                yield anomaly, image, generator


def _worst(generator: Generator, find: FindImage) -> Example | None:
    images = [image for image in generator.annotations.images.values() if image.anomalies]
    if not images:
        return None
    image = max(images, key=lambda each: measure_image(each.anomalies).cap)
    measured = measure_image(image.anomalies)
    note = f"CAP {measured.cap:.2f} = MAI {measured.mai:.2f} · AF {measured.af:g}"
    return _example(generator, image, f"{generator.name}: {note}", find)


def _clean(generator: Generator, find: FindImage) -> Example | None:
    images = generator.annotations.images.values()
    clean = next((image for image in images if not image.anomalies and image.failure is None), None)
    return _example(generator, clean, f"{generator.name}: no anomaly", find) if clean else None


def _example(generator: Generator, image: ImageAnnotations, note: str, find: FindImage) -> Example:
    return Example(image.key, find(generator.name, image.key), note)


def _number(value: float | None, places: int = 3) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def _title(kind: str) -> str:
    """A kind as people call it; names that are none of the taxonomy's stay as they are."""
    return next((title_of(known) for known in KINDS if known == kind), kind)
