"""Calls, tokens and money, added up for people to read."""

from collections.abc import Sequence
from dataclasses import dataclass

from anomagent.state.findings import CallRef, UsageTotals


@dataclass(frozen=True)
class CallGroup:
    """The calls of one role and step."""

    role: str
    step: str
    answers: int
    """Answers asked for, whether a model or the ledger gave them."""
    totals: UsageTotals


def group_calls(calls: Sequence[CallRef]) -> list[CallGroup]:
    """Calls by role and step, in the order in which they first appear."""
    groups: dict[tuple[str, str], list[CallRef]] = {}
    for call in calls:
        groups.setdefault((call["role"], call["step"]), []).append(call)
    return [CallGroup(role, step, len(group), UsageTotals.of(group)) for (role, step), group in groups.items()]


def describe_usage(usage: UsageTotals) -> str:
    """An analysis' calls, tokens and money in one line."""
    return (
        f"{count(usage.calls, 'call')}, {usage.ledger_hits:,} from the ledger, {usage.input_tokens:,} input tokens"
        f" ({usage.cached_input_tokens:,} cached), {usage.output_tokens:,} output tokens, {describe_money(usage.usd)}"
    )


def count(number: int, singular: str, plural: str = "") -> str:
    """A number with its noun: "1 call", "2 calls", "0 anomalies"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def describe_money(usd: float | None) -> str:
    """US dollars, to the hundredth of a cent; what nobody knows is not called free."""
    return "price unknown" if usd is None else f"{usd:.4f} USD"
