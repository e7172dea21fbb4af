"""The whole trail of one analysis, drawn for a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from anomagent.cli.console import flat, plain
from anomagent.cli.results import draw_result
from anomagent.report.costs import describe_money, group_calls
from anomagent.report.trail import Section, trail_of
from anomagent.state.findings import Analysis, CallRef, Candidate
from anomagent.store import StoredAnalysis


def draw_analysis(stored: StoredAnalysis) -> RenderableType:
    """The result, then what every agent said, the candidates and the calls."""
    result = Analysis.model_validate({name: stored[name] for name in Analysis.model_fields})
    parts: list[RenderableType] = [
        draw_result(result),
        plain(f"run {stored['run_id']}, {stored['finished']}, sha256 {stored['sha256']}", "dim"),
        plain(", ".join(f"{role}: {model}" for role, model in stored["models"].items()), "dim"),
        Text(""),
        draw_trail(trail_of(stored)),
    ]
    if stored["candidates"]:
        parts.append(draw_candidates(stored["candidates"]))
    if stored["calls"]:
        parts.append(draw_calls(stored["calls"]))
    return Group(*parts)


def draw_trail(sections: Sequence[Section]) -> Tree:
    """A branch for each agent and place, its statements below."""
    tree = Tree(Text("What the agents said", "bold"))
    for section in sections:
        branch = tree.add(Text.assemble(Text(section.agent, "cyan"), "  ", plain(flat(section.about), "bold")))
        for said in section.statements:
            line = plain(said.title)
            if said.text:
                line.append_text(plain(f"\n{said.text}", "dim"))
            branch.add(line)
        if not section.statements:
            branch.add(Text("nothing found", "dim"))
    return tree


def draw_candidates(candidates: Sequence[Candidate]) -> Table:
    """Each candidate with its support and what became of it."""
    table = Table(title="Candidates", title_justify="left", title_style="bold", box=SIMPLE_HEAD, expand=True)
    table.add_column("#", justify="right")
    for header, ratio in (("Object", 2), ("Phenomenon", 5)):
        table.add_column(header, ratio=ratio)
    table.add_column("Passes", justify="right")
    table.add_column("Scans", justify="right")
    table.add_column("Sources", ratio=2)
    table.add_column("Outcome", ratio=3)
    for candidate in candidates:
        table.add_row(
            str(candidate["id"]),
            plain(candidate["object"]),
            plain(candidate["phenomenon"]),
            _slots(candidate["passes"]),
            _slots(candidate["scans"]),
            ", ".join(candidate["sources"]),
            plain(candidate["outcome"]),
        )
    return table


def draw_calls(calls: Sequence[CallRef]) -> Table:
    """Requests, tokens and money by agent and step; failed calls are among the failures."""
    table = Table(title="Calls", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("Agent and step")
    for header in ("Answers", "From ledger", "Requests", "Input", "Cached", "Output", "Money"):
        table.add_column(header, justify="right")
    for group in group_calls(calls):
        totals = group.totals
        counts = (group.answers, totals.ledger_hits, totals.calls)
        tokens = (totals.input_tokens, totals.cached_input_tokens, totals.output_tokens)
        numbers = [f"{number:,}" for number in (*counts, *tokens)]
        table.add_row(f"{group.role}.{group.step}", *numbers, describe_money(totals.usd))
    return table


def _slots(slots: Sequence[int]) -> str:
    """Slots as people count: from 1."""
    return " ".join(str(slot + 1) for slot in slots)
