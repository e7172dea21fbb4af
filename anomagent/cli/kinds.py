"""The kinds of anomalies, by the rules of the taxonomy or by a model."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anomagent.cli.console import note
from anomagent.cli.judging import prepare, settings_for
from anomagent.cli.scoring import counted_progress, note_some
from anomagent.report.costs import count
from anomagent.state.findings import Anomaly, UsageTotals

if TYPE_CHECKING:
    from anomagent.benchmark.annotations import AnnotationSet
    from anomagent.config import Settings
    from anomagent.models.classify import Classification

RULES = "rules"
UNKNOWN = "unknown"
"""The kind of anomalies that the model gave none for."""


@dataclass
class Kinds:
    """Names kinds; with a model one call for each image, through the ledger."""

    settings: "Settings | None"
    """None where the rules name them."""
    failed: int = 0
    """Images whose anomalies the model could not name."""
    usage: UsageTotals | None = None
    """What the calls cost; None where there were none."""
    _named: dict[int, tuple[Anomaly, str]] = field(default_factory=dict[int, tuple[Anomaly, str]])
    """By identity: equal words in two images may be two kinds. Each anomaly is held, so that its identity stays."""

    @classmethod
    def of(cls, by: str, base_url: str | None, settings: "Settings") -> "Kinds":
        """`rules`, or a model that is made now, before any work. Raises `ConfigurationError`."""
        if by == RULES:
            return cls(None)
        chosen = settings_for(by, base_url, settings, "--kinds")
        asyncio.run(prepare(chosen, "KindClassifier"))
        return cls(chosen)

    def assign(self, sets: "Sequence[AnnotationSet]") -> Callable[[Anomaly], str]:
        """What names the kind of each anomaly of these sets."""
        from anomagent.benchmark.kinds import kind_of

        if self.settings is None:
            return kind_of
        images = [(one.source, image) for one in sets for image in one.images.values() if image.anomalies]
        note(f"naming kinds: at most {count(len(images), 'call')} of {self.settings.model}")
        said = asyncio.run(_classify(self.settings, [image.anomalies for _, image in images]))
        self.usage = UsageTotals.of(one.call for one in said if one.call)
        failures: list[str] = []
        for (source, image), one in zip(images, said, strict=True):
            if one.kinds is None:
                reason = one.failure["message"] if one.failure else "no answer"
                failures.append(f"{source}: {image.key}: {reason}")
            for anomaly, kind in zip(image.anomalies, one.kinds or (), strict=False):
                self._named[id(anomaly)] = anomaly, kind
        self.failed = len(failures)
        note_some("kinds", failures)
        return self._kind_of

    def _kind_of(self, anomaly: Anomaly) -> str:
        return self._named[id(anomaly)][1] if id(anomaly) in self._named else UNKNOWN


async def _classify(settings: "Settings", lists: Sequence[Sequence[Anomaly]]) -> "list[Classification]":
    from anomagent.graph.session import open_session
    from anomagent.models.classify import classify
    from anomagent.models.many import map_all
    from anomagent.state.context import AnalysisContext

    context = AnalysisContext(**settings.options)
    with counted_progress("naming kinds", len(lists)) as done:
        async with open_session(settings) as session:

            async def one(anomalies: Sequence[Anomaly]) -> "Classification":
                return await classify(session.seam.ask, context, anomalies)

            return await map_all(one, lists, on_done=done)
