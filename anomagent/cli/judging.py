"""A language model asked about anomalies' texts: opened, estimated, asked with a progress bar, through the ledger."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomagent.cli.console import note
from anomagent.cli.scoring import counted_progress
from anomagent.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from anomagent.config import Settings
    from anomagent.evaluation.evaluate import Evaluation
    from anomagent.evaluation.human_pairs import HumanPair
    from anomagent.evaluation.judge import Judgement
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

    def report(self, evaluation: "Evaluation") -> "dict[str, Any]":
        """Ask about every image and compare: see `report_judge`. `SemF1` is None where every answer failed."""
        from anomagent.evaluation.judge import estimate
        from anomagent.evaluation.judge_report import report_judge

        pairs = evaluation.pairing.pairs
        expected = estimate(pairs)
        note(
            f"judge {self.model}: at most {expected.calls:,} calls, about {expected.input_tokens:,} input tokens; "
            f"finished ones are in {self.settings.workspace}"
        )
        judgements = asyncio.run(_judge(self.settings, pairs))
        rules = evaluation.scores.rules
        try:
            return report_judge(
                self.model,
                pairs,
                judgements,
                evaluation.similarities,
                empty=rules.empty,
                thresholds=rules.thresholds,
                scores=evaluation.scores,
                humans=self.people,
            )
        except UsageError as nothing_judged:
            # BERTScore's figures may have taken hours, and are right without a judge.
            return {"model": self.model, "SemF1": None, "failures": _failures(judgements), "note": str(nothing_judged)}


def _failures(judgements: "Sequence[Judgement]") -> list[dict[str, str]]:
    return [
        {"image": said.image, "error": said.failure["error"], "reason": said.failure["message"]}
        for said in judgements
        if said.failure
    ]


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
