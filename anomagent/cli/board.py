"""What is known about an analysis in progress, from the events of its calls."""

from dataclasses import dataclass, field

from anomagent.models.seam import Event

CHAIN = ("AttributeAnalyzer", "RelationReasoner", "AnomalyIntegrator")
"""The agents that look at one object, in their order."""


@dataclass
class Cell:
    """The calls of one agent about one object, or of one step about the whole image."""

    asked: set[str] = field(default_factory=set[str])
    done: set[str] = field(default_factory=set[str])
    failed: str = ""
    """The code of the last failure."""
    news: str = ""
    """Why a call takes longer than usual: a retry, a repair, an answer that was cut off."""

    def add(self, event: Event) -> None:
        """Take in one event."""
        self.asked.add(event.key)
        self.news = ""
        match event.kind:
            case "answered" | "ledger_hit":
                self.done.add(event.key)
            case "failed":
                self.failed = event.detail
            case "retry" | "repair" | "cut_off":
                self.news = f"{event.kind.replace('_', ' ')}: {event.detail}"
            case "sent":
                pass

    @property
    def running(self) -> bool:
        """Whether an answer is still awaited."""
        return not self.failed and self.done != self.asked


@dataclass
class Board:
    """The state of one image's analysis."""

    objects: dict[str, dict[str, Cell]] = field(default_factory=dict[str, dict[str, Cell]])
    """Object name to agent to cell, for the per-object chains."""
    steps: dict[str, Cell] = field(default_factory=dict[str, Cell])
    """"role.step" to cell, for calls about the whole image."""
    requests: int = 0
    ledger_hits: int = 0
    _tokens: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])

    def add(self, event: Event) -> None:
        """Take in one event."""
        self.requests += event.kind in ("sent", "retry")
        self.ledger_hits += event.kind == "ledger_hit"
        self._tokens[event.key] = event.usage.input_tokens, event.usage.output_tokens
        if event.object is None:
            cell = self.steps.setdefault(f"{event.role}.{event.step}", Cell())
        else:
            cell = self.objects.setdefault(event.object, {}).setdefault(event.role, Cell())
        cell.add(event)

    @property
    def tokens(self) -> tuple[int, int]:
        """Input and output tokens so far."""
        spent = list(self._tokens.values())
        return sum(tokens for tokens, _ in spent), sum(tokens for _, tokens in spent)
