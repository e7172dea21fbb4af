"""A data set in numbers, as the paper's Figure 4: by source, before and after the review, by severity, kind and length.

"Before" are all candidates, "after" those that people accepted. Severity: 0 = completely implausible.
"""

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from anomagent.benchmark.kinds import KINDS, Kind, kind_of
from anomagent.errors import StoreError, UsageError
from anomagent.store import Workspace
from anomagent.store.annotations import NewestAnalyses, Tally, reading_newest
from anomagent.store.candidates import save_kinds
from anomagent.store.dataset_facts import (
    Analysed,
    PartCounts,
    Reviewed,
    SourceCounts,
    count_by_part,
    count_by_severity,
    count_by_source,
    count_described,
    count_dropped,
    count_objects,
    count_prompts,
    count_unsorted,
    names_of_objects,
    prepare,
    read_analysed,
    read_reviewed,
    read_texts,
)

BINS: Final = 10
"""Of the severity histogram: 0 to 9, 10 to 19, ..., 90 to 100."""
QUICK: Final = 10_000
"""More candidates of unknown kind are sorted on request alone: the rules take a minute or two for 100,000."""
FIELDS: Final = ("name", "phenomenon", "reasoning")
_FREQUENT = 20
_NUMBER = re.compile(r"[\s#(]*\d+\)?$")


@dataclass(frozen=True)
class Spread:
    """A number of many things: how many things, their mean, and the values that half and nine tenths do not pass."""

    number: int
    mean: float | None
    median: int | None
    p90: int | None


@dataclass(frozen=True)
class BeforeAfter:
    """The same of all candidates and of the accepted ones."""

    before: Any
    after: Any


@dataclass(frozen=True)
class Stats:
    """The numbers of a data set."""

    of: str
    """The run or the workspace."""
    images: Mapping[str, int]
    """all, prompts (known), described (real ones), analysed, ok, partial, failed, running, dropped (not in the data
    set), superseded (counted by a reviewed analysis, though a newer one exists that nobody reviewed)."""
    dropped: Mapping[str, int]
    """By step; with a run: none, they are not counted."""
    candidates: Mapping[str, int]
    """all, accepted, rejected, unsure, unreviewed."""
    sources: list[SourceCounts]
    severity: BeforeAfter
    """Ten counts each, from 0 to 9 up to 90 to 100."""
    objects: Spread
    """Perceived in an image."""
    frequent_objects: Mapping[str, int]
    """Their names, in lower case and without the number that tells two of a name apart."""
    kinds: Mapping[Kind, BeforeAfter] | None
    """By kind; None where they were not counted."""
    lengths: Mapping[str, BeforeAfter]
    """Words, a `Spread` each, by field."""
    splits: list[PartCounts]
    review: Reviewed
    analyses: list[Analysed]

    def as_json(self) -> dict[str, Any]:
        """As plain values, with annotations per image added to the sources."""
        sources = [one._asdict() | asdict(per_image(one)) for one in self.sources]
        splits, analyses = ([one._asdict() for one in many] for many in (self.splits, self.analyses))
        return asdict(self) | {
            "sources": sources,
            "splits": splits,
            "review": self.review._asdict(),
            "analyses": analyses,
        }


def dataset_stats(
    workspace: Workspace, run_id: str | None = None, split: str | None = None, kinds: bool | None = None
) -> Stats:
    """The numbers of the images that belong to the data set, or of those of a run.

    `split`: the parts of this split alone; `kinds`: None counts them where there are at most `QUICK` candidates whose
    kind is not known yet; kinds are kept for the next time. Of a content the newest analysis counts that people
    reviewed. Raises `UsageError` where there is no such run or split, or no image at all.
    """
    fresh: dict[int, Kind] = {}
    whole = run_id is None
    with reading_newest(workspace, run_id, "sha256", accepted=True, kept=True, may_be_empty=whole) as newest:
        if split is not None:
            newest.parts(split)
        stats = stats_of(newest, split, kinds, whole=whole, fresh=fresh)
    if whole and not stats.images["all"]:
        raise UsageError(f"workspace {workspace.path}: its data set has no image; ingest some first")
    if fresh:
        with suppress(StoreError):  # nobody asked for this: without it the next time only takes as long again
            save_kinds(workspace, fresh)
    return stats


def stats_of(
    newest: NewestAnalyses, split: str | None, kinds: bool | None, *, whole: bool, fresh: dict[int, Kind] | None = None
) -> Stats:
    """The same of what is being read; once for a reading. `whole`: images that were not analysed count as well.

    `fresh` takes up the kinds that were not known, by the candidate's row.
    """
    prepare(newest, whole)
    sources, severities = count_by_source(newest), count_by_severity(newest)
    tallies = newest.tallies()
    sort = kinds if kinds is not None else count_unsorted(newest) <= QUICK
    lengths, by_kind = _read_texts(newest, sort, {} if fresh is None else fresh)
    return Stats(
        of=newest.source,
        images={
            "all": sum(one.images for one in sources),
            "prompts": count_prompts(newest),
            "described": count_described(newest),
            "analysed": sum(one.analysed for one in sources),
            **{status: tallies.get(status, Tally()).images for status in ("ok", "partial", "failed")},
            "running": newest.running,
            "dropped": newest.dropped,
            "superseded": newest.superseded,
        },
        dropped=count_dropped(newest) if whole else {},
        candidates=_decisions(list(tallies.values())),
        sources=sources,
        severity=BeforeAfter(
            _histogram({one.severity: one.candidates for one in severities}),
            _histogram({one.severity: one.accepted for one in severities}),
        ),
        objects=spread(Counter(dict(count_objects(newest)))),
        frequent_objects=_frequent(newest),
        kinds=by_kind,
        lengths=lengths,
        splits=count_by_part(newest, split),
        review=read_reviewed(newest),
        analyses=read_analysed(newest),
    )


def per_image(counts: SourceCounts | PartCounts) -> BeforeAfter:
    """Annotations per image with a result; None where there is no such image."""
    if not counts.analysed:
        return BeforeAfter(None, None)
    return BeforeAfter(counts.candidates / counts.analysed, counts.accepted / counts.analysed)


def spread(counts: "Counter[int]") -> Spread:
    """The spread of values that occur so many times: its quantiles are values that occur (nearest rank)."""
    number = counts.total()
    if not number:
        return Spread(0, None, None, None)
    mean = sum(value * times for value, times in counts.items()) / number
    return Spread(number, mean, _quantile(counts, 0.5), _quantile(counts, 0.9))


def _quantile(counts: "Counter[int]", share: float) -> int:
    """The smallest value that at least this share of all does not pass."""
    below, needed = 0, share * counts.total()
    for value in sorted(counts):
        below += counts[value]
        if below >= needed:
            return value
    raise ValueError("a quantile of nothing")


def _histogram(by_severity: Mapping[int, int]) -> list[int]:
    bins = [0] * BINS
    for severity, number in by_severity.items():
        bins[min(severity * BINS // 100, BINS - 1)] += number
    return bins


def _decisions(tallies: list[Tally]) -> dict[str, int]:
    said = {name: sum(getattr(tally, name) for tally in tallies) for name in ("accepted", "rejected", "unsure")}
    total = sum(tally.candidates for tally in tallies)
    return {"all": total, **said, "unreviewed": total - sum(said.values())}


def _frequent(newest: NewestAnalyses) -> dict[str, int]:
    names: Counter[str] = Counter()
    for name, times in names_of_objects(newest):
        names[_NUMBER.sub("", name.strip().lower()) or name.strip().lower()] += times
    return dict(sorted(names.items(), key=lambda item: (-item[1], item[0]))[:_FREQUENT])


def _read_texts(
    newest: NewestAnalyses, kinds: bool, fresh: dict[int, Kind]
) -> tuple[dict[str, BeforeAfter], dict[Kind, BeforeAfter] | None]:
    """Lengths and kinds, in one pass over all candidates; kinds that were not known are added to `fresh`."""
    words: dict[tuple[str, bool], Counter[int]] = {(f, after): Counter() for f in FIELDS for after in (False, True)}
    found: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
    for row, anomaly, accepted, known in read_texts(newest):
        sides = (False, True) if accepted else (False,)
        length = {name: len(getattr(anomaly, name).split()) for name in FIELDS}
        kind = (known or fresh.get(row) or fresh.setdefault(row, kind_of(anomaly))) if kinds else ""
        for after in sides:
            found[after][kind] += 1
            for name in FIELDS:
                words[name, after][length[name]] += 1
    lengths = {name: BeforeAfter(spread(words[name, False]), spread(words[name, True])) for name in FIELDS}
    if not kinds:
        return lengths, None
    return lengths, {kind: BeforeAfter(found[False][kind], found[True][kind]) for kind in KINDS}
