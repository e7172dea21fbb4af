"""The classic text form of an anomaly list: what fine-tuned models are trained to write, and what they really write.

    @1. Name: Suspended chair
    - Observed Phenomenon: ...
    - Reasoning: ...
    - Severity Score: 10/100 (extremely unnatural)

The writer emits exactly this. The reader takes every variant in the wild, in any mix: with or without `@`, numbers,
bold marks and dashes, `Phenomenon` or `Severity` for short, values over several lines, a severity in whatever words.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from anomagent.state.findings import Anomaly

NO_ANOMALIES = "No semantic anomalies."
"""How an empty list is written; every text without a labelled line is read as one."""

_MARKS = " \t*_#>-–—•"
_ORDINAL = re.compile(r"@?\s*\d+\s*[.):]?")
_LABEL = re.compile(
    r"@?(name|(?:observed )?phenomenon|reasoning|severity(?: score)?)[\s*_]*[::][ \t*_]*", re.IGNORECASE
)
_NUMBER = r"(?P<number>[-−+]?\d+(?:\.\d+)?)(?P<range>\s*(?:-|–|—|to)\s*\d+(?:\.\d+)?)?"
_OUT_OF = re.compile(_NUMBER + r"\s*(?:/|out of)\s*(?P<scale>\d+)", re.IGNORECASE)
_PERCENT = re.compile(_NUMBER + r"\s*[%％]")
_PLAIN = re.compile(_NUMBER)
_LONGEST_SEVERITY = 500

_SEVERITY_WORDS = (
    (10, "extremely unnatural"),
    (30, "clearly unnatural"),
    (50, "noticeably unnatural"),
    (70, "mildly unnatural"),
    (90, "barely noticeable"),
    (100, "realistic"),
)


@dataclass(frozen=True)
class Refusal:
    """An entry of the list that is no anomaly, and why."""

    name: str
    """The entry's name as far as it has one, else "entry 3"."""
    reason: str
    position: int
    """Of the entry in the list, from 0."""


@dataclass(frozen=True)
class AnomalyList:
    """What a text holds: the anomalies in their order, and what had to be refused."""

    anomalies: list[Anomaly] = field(default_factory=list[Anomaly])
    refusals: list[Refusal] = field(default_factory=list[Refusal])


def format_anomalies(anomalies: Iterable[Anomaly]) -> str:
    """The classic text of `anomalies`; each value on one line. The inverse of `parse_anomalies` up to white space."""
    blocks = [_format(number, anomaly) for number, anomaly in enumerate(anomalies, start=1)]
    return "\n\n".join(blocks) or NO_ANOMALIES


def parse_anomalies(text: str) -> AnomalyList:
    """Read an anomaly list in any variant of the classic text. Never raises: what cannot be read is a refusal."""
    found = AnomalyList()
    for position, entry in enumerate(_entries(text)):
        name = entry.get("name") or f"entry {position + 1}"
        try:
            found.anomalies.append(_anomaly(entry))
        except ValueError as error:
            found.refusals.append(Refusal(name, str(error), position))
    return found


def parse_severity(value: str | int | float) -> int:
    """The severity in `value`: 0 = completely implausible, 100 = fully realistic.

    "25/100 (noticeable)", "20", "15 / 100", "30%". The first number counts, "of 100" before a percentage before a bare
    one; words behind it may hold others. Raises `ValueError` with the reason where there is none, or a range, another
    scale, or a number outside of 0 to 100: nothing is clamped.
    """
    text = str(value)[:_LONGEST_SEVERITY]
    match = _OUT_OF.search(text) or _PERCENT.search(text) or _PLAIN.search(text)
    if match is None:
        raise ValueError(f"severity {one_line(text)!r} has no number")
    if match["range"]:
        raise ValueError(f"severity {one_line(text)!r} is a range, not a number")
    if match.re is _OUT_OF and int(match["scale"]) != 100:
        raise ValueError(f"severity {one_line(text)!r} is not out of 100")
    number = float(match["number"].replace("−", "-"))
    if not 0 <= number <= 100:
        raise ValueError(f"severity {one_line(text)!r} is not between 0 and 100")
    return round(number)


def describe_severity(severity: int) -> str:
    """Words for a severity, from "extremely unnatural" (0) to "realistic" (100)."""
    return next(words for most, words in _SEVERITY_WORDS if severity <= most)


def one_line(text: str) -> str:
    """`text` as the form can hold it: one line, without bold marks around it."""
    return " ".join(text.split()).strip("*_ ")


def _format(number: int, anomaly: Anomaly) -> str:
    return (
        f"@{number}. Name: {one_line(anomaly.name)}\n"
        f"- Observed Phenomenon: {one_line(anomaly.phenomenon)}\n"
        f"- Reasoning: {one_line(anomaly.reasoning)}\n"
        f"- Severity Score: {anomaly.severity}/100 ({describe_severity(anomaly.severity)})"
    )


def _entries(text: str) -> list[dict[str, str]]:
    """The labelled values of each entry; a name, or a label that the entry already has, begins the next one."""
    entries: list[dict[str, list[str]]] = []
    key = ""
    for line in text.splitlines():
        label, value = _labelled(line)
        if label:
            if not entries or label == "name" or label in entries[-1]:
                entries.append({})
            key = label
            entries[-1][key] = [value]
        elif entries:
            entries[-1][key].append(line)
    return [{key: one_line(" ".join(lines)) for key, lines in entry.items()} for entry in entries]


def _labelled(line: str) -> tuple[str, str]:
    """The label at the start of a line, in its short form, and what follows it; ("", line) where there is none."""
    bare = line.lstrip(_MARKS)
    if ordinal := _ORDINAL.match(bare):
        bare = bare[ordinal.end() :].lstrip(_MARKS)
    match = _LABEL.match(bare)
    if match is None:
        return "", line
    label = match[1].lower().removeprefix("observed ").removesuffix(" score")
    return label, bare[match.end() :]


def _anomaly(entry: dict[str, str]) -> Anomaly:
    """Raises `ValueError` for a missing or an empty part, and for a severity that cannot be read."""
    for part in ("name", "phenomenon", "reasoning", "severity"):
        if not entry.get(part):
            raise ValueError(f"it has no {part}")
    severity = parse_severity(entry["severity"])
    return Anomaly(name=entry["name"], phenomenon=entry["phenomenon"], reasoning=entry["reasoning"], severity=severity)
