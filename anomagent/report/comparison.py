"""The comparison of two systems on one ground truth as facts and a table."""

from collections.abc import Mapping
from typing import Any

from anomagent.report.costs import count
from anomagent.report.scores import HEAD, VIEWS, facts_of, metric_cells
from anomagent.report.tables import Row, Table


def comparison_facts(result: Mapping[str, Any]) -> list[str]:
    """What a reader must know before the comparison of two systems."""
    difference = result["difference"]
    lines = [f"A: {result['a']['predictions']}. B: {result['b']['predictions']}. {facts_of(result['a'])[0]}"]
    lines += [f"{name.upper()}: {line}" for name in ("a", "b") for line in facts_of(result[name])[1:]]
    lines.append(
        f"Paired bootstrap of A - B over {count(difference['images'], 'image')} that both have, "
        f"{difference['resamples']:,} resamples, seed {difference['seed']}; images that only A counts "
        f"{difference['only_first']}, only B {difference['only_second']}."
    )
    return lines + ([difference["note"]] if difference["note"] else [])


def comparison_table(result: Mapping[str, Any]) -> Table:
    """Both systems' metrics, their difference, its 95 % interval and two-sided p-value, "–" where there is none."""
    found = {name: result["difference"][name] for name in ("SemAP", "SemF1")}
    cells = [found[name][view] for name in found for view in VIEWS]
    rows = [
        Row(("A", *metric_cells(result["a"]))),
        Row(("B", *metric_cells(result["b"]))),
        Row(("A - B", *(f"{cell['difference']:+.4f}" for cell in cells)), own=True),
        Row(("95 % from", *(f"{cell['interval'][0]:+.4f}" for cell in cells))),
        Row(("to", *(f"{cell['interval'][1]:+.4f}" for cell in cells))),
        Row(("p", *("–" if cell["p"] is None else f"{cell['p']:.4f}" for cell in cells))),
    ]
    return Table("A against B", HEAD, rows)
