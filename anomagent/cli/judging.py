"""A language model asked about anomalies' texts: opened, estimated, asked with a progress bar, through the ledger."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomagent.cli.console import note
from anomagent.cli.scoring import counted_progress
from anomagent.errors import ConfigurationError
from anomagent.report.costs import count

if TYPE_CHECKING:
    from anomagent.config import Settings
    from anomagent.evaluation.evaluate import Evaluation
    from anomagent.evaluation.human_pairs import HumanPair
    from anomagent.evaluation.judge import Judgement
    from anomagent.evaluation.judge_report import Judged
    from anomagent.evaluation.pairs import Pair
    from anomagent.state.context import Role


def settings_for(model: str, base_url: str | None, settings: "Settings", flag: str) -> "Settings":
    """The settings with `model` in every role. Raises `ConfigurationError` for a model that only knows its scenes."""
    if model == "embedded":
        raise ConfigurationError(f"{flag} embedded: it only knows rendered scenes; give openai:NAME, qwen-vl:PATH, ...")
    return settings.model_copy(update={"model": model, "base_url": base_url or settings.base_url})


@dataclass(frozen=True)
class Judging:
    """A judge that is known to work, and the pairs that people judged."""

    model: str
    settings: "Settings"
    people: "list[HumanPair] | None"

    @classmethod
    def of(cls, model: str, base_url: str | None, human_pairs: Path | None, settings: "Settings") -> "Judging":
        """Read everything and make the client, before any work. Raises `ConfigurationError` and `UsageError`."""
        from anomagent.evaluation.human_pairs import read_human_pairs

        people = read_human_pairs(human_pairs) if human_pairs else None
        chosen = settings_for(model, base_url, settings, "--judge")
        asyncio.run(prepare(chosen, "AnomalyJudge"))
        return cls(model, chosen, people)

    def check(self, pairs: "Sequence[Pair]") -> None:
        """Raises `UsageError` where people judged a pair that is not there."""
        from anomagent.evaluation.human_pairs import check_human_pairs

        check_human_pairs(self.people or (), pairs)

    def report(self, evaluation: "Evaluation") -> "tuple[dict[str, Any], list[Judged]]":
        """Ask about every image and compare, see `report_judge`; and the judged images behind the figures."""
        from anomagent.evaluation.judge import estimate
        from anomagent.evaluation.judge_report import match_images, report_judge

        pairs = evaluation.pairing.pairs
        expected = estimate(pairs)
        note(
            f"judge {self.model}: at most {count(expected.calls, 'call')}, about {expected.input_tokens:,} input "
            f"tokens; finished ones are in {self.settings.workspace}"
        )
        judgements = asyncio.run(_judge(self.settings, pairs))
        judged = match_images(pairs, judgements, evaluation.similarities)
        scores, people = evaluation.scores, self.people
        rules = scores.rules.empty, scores.rules.thresholds
        report = report_judge(
            self.model, pairs, judgements, judged, empty=rules[0], thresholds=rules[1], scores=scores, humans=people
        )
        return report, judged


async def prepare(settings: "Settings", role: "Role") -> None:
    """Make the client of `role`. Raises `ConfigurationError` where its model cannot be used."""
    from anomagent.graph.session import open_session
    from anomagent.state.context import AnalysisContext

    async with open_session(settings) as session:
        await session.seam.prepare(AnalysisContext(**settings.options), (role,))


async def _judge(settings: "Settings", pairs: "tuple[Pair, ...]") -> "list[Judgement]":
    from anomagent.evaluation.judge import judge
    from anomagent.graph.session import open_session
    from anomagent.state.context import AnalysisContext

    with counted_progress("judging", len(pairs)) as done:
        async with open_session(settings) as session:
            return await judge(session.seam.ask, AnalysisContext(**settings.options), pairs, on_done=done)
