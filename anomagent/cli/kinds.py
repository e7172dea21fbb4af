"""The kinds of anomalies, by the rules of the taxonomy or by a model."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anomagent.cli.console import note
from anomagent.cli.judging import prepare, settings_for
from anomagent.cli.scoring import progress_bar
from anomagent.report.costs import count

if TYPE_CHECKING:
    from anomagent.benchmark.annotations import AnnotationSet
    from anomagent.config import Settings
    from anomagent.models.classify import Classification
    from anomagent.state.findings import Anomaly

RULES = "rules"
UNKNOWN = "unknown"
"""The kind of anomalies that the model gave none for."""

Words = tuple[str, str, str]


@dataclass
class Kinds:
    """Names kinds; with a model one call for each image, through the ledger."""

    settings: "Settings | None"
    """None where the rules name them."""
    failed: int = 0
    """Images whose anomalies the model could not name."""

    @classmethod
    def of(cls, by: str, base_url: str | None, settings: "Settings") -> "Kinds":
        """`rules`, or a model that is made now, before any work. Raises `ConfigurationError`."""
        if by == RULES:
            return cls(None)
        chosen = settings_for(by, base_url, settings, "--kinds")
        asyncio.run(prepare(chosen, "KindClassifier"))
        return cls(chosen)

    def assign(self, sets: "Sequence[AnnotationSet]") -> "Callable[[Anomaly], str]":
        """What names the kind of each anomaly of these sets."""
        from anomagent.benchmark.kinds import kind_of

        if self.settings is None:
            return kind_of
        lists = [image.anomalies for one in sets for image in one.images.values() if image.anomalies]
        note(f"naming kinds: at most {count(len(lists), 'call')} of {self.settings.model}")
        said = asyncio.run(_classify(self.settings, lists))
        self.failed = sum(one.kinds is None for one in said)
        known: dict[Words, str] = {
            _words(anomaly): kind
            for anomalies, one in zip(lists, said, strict=True)
            for anomaly, kind in zip(anomalies, one.kinds or (), strict=False)
        }
        return lambda anomaly: known.get(_words(anomaly), UNKNOWN)


async def _classify(settings: "Settings", lists: "Sequence[Sequence[Anomaly]]") -> "list[Classification]":
    from anomagent.graph.session import open_session
    from anomagent.models.classify import classify
    from anomagent.models.many import map_all
    from anomagent.state.context import AnalysisContext

    done, context = 0, AnalysisContext(**settings.options)
    with progress_bar("naming kinds") as show:

        def shown(_: object) -> None:
            nonlocal done
            done += 1
            show(done, len(lists))

        async with open_session(settings) as session:

            async def one(anomalies: "Sequence[Anomaly]") -> "Classification":
                return await classify(session.seam.ask, context, anomalies)

            return await map_all(one, lists, on_done=shown)


def _words(anomaly: "Anomaly") -> Words:
    return anomaly.name, anomaly.phenomenon, anomaly.reasoning
