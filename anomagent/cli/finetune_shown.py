"""What `anomagent finetune data` says of the folder that it wrote."""

from collections.abc import Mapping
from typing import Any

from anomagent.cli.console import flat, note, plain, stdout
from anomagent.cli.tables import print_tables
from anomagent.report.costs import count
from anomagent.report.tables import Row, Table

_HEAD = ("part", "images", "instances", "anomalies", "split", "empty", "real", "median", "p95", "longest")
_MOST_NAMED = 5


def print_report(report: Mapping[str, Any]) -> None:
    """The counts of each part, and how long its instances are, on stdout."""
    from anomagent.finetune.histogram import histogram_lines

    settings, model = report["settings"], report["model"]
    bounds = f"{model['min_pixels']:,} to {model['max_pixels']:,} pixels"
    caption = (
        "split: images whose anomalies are in several instances; empty: images whose answer is that there is no "
        "anomaly; median, p95, longest: tokens of an instance"
    )
    facts = [f"tokens of {model['source']}, at most {settings['max_tokens']:,} an instance, images of {bounds}"]
    rows = [Row(_cells(part, said)) for part, said in report["parts"].items()]
    print_tables(facts, [Table("Instances", _HEAD, rows, caption)])
    console = stdout()
    for part, said in report["parts"].items():
        console.print(plain(f"\n{part}: instances by tokens", "bold"))
        for line in histogram_lines(said["tokens"]["histogram"]):
            console.print(plain(line), soft_wrap=True)
    pairs_of: Mapping[str, int] = report["preferences"]["pairs"] if report["preferences"] else {}
    for part, pairs in pairs_of.items():
        console.print(plain(f"{part}: {count(pairs, 'preference pair')}"))


def note_left_out(report: Mapping[str, Any]) -> bool:
    """What was left out, on stderr; returns whether any of it is wrong with the input, and not merely not wanted."""
    from anomagent.finetune.left_out import CHOSEN

    for reason, said in report["left_out"].items():
        note(f"left out, {reason}: {said['count']:,}")
        if reason in CHOSEN:
            continue
        for name in said["named"][:_MOST_NAMED]:
            note(f"{reason}: {flat(name)[:200]}")
    if report["preferences"] and not report["preferences"]["pairs"]:
        note("no preference pairs: of no image that was learned from a candidate was rejected")
    near = report["near_duplicates"]
    if len(report["parts"]) > 1 and near["not_compared"]:
        images = count(near["not_compared"], "image")
        note(f"near-duplicates: {images} without a fingerprint, not compared; `anomagent dataset dedupe` takes them")
    return not report["left_out"].keys() <= CHOSEN


def _cells(part: str, said: Mapping[str, Any]) -> list[str]:
    own = [said[name] for name in ("images", "instances", "anomalies", "split", "empty", "real")]
    tokens = [said["tokens"][name] for name in ("median", "p95", "most")]
    return [part, *(f"{number:,}" for number in (*own, *tokens))]
