"""What people made of an analysis: the candidates that they accepted and rejected, for models to learn from."""

import json
from typing import NamedTuple

from anomagent.state.findings import Anomaly
from anomagent.store.annotations import NewestAnalyses


class Judged(NamedTuple):
    """The candidates of one analysis by what was decided about them, each list in the order of the analysis."""

    accepted: tuple[Anomaly, ...]
    rejected: tuple[Anomaly, ...]
    undecided: int
    """Candidates that nobody has answered yet, or of which nobody is sure."""
    description: str | None
    """Of a real image, as it was imported: why it looks real."""


def read_judged(newest: NewestAnalyses, analysis_id: int) -> Judged:
    """The candidates of one of these analyses."""
    query = """
        SELECT name, phenomenon, reasoning, severity, objects, support, coalesce(verdict, '')
        FROM anomalies LEFT JOIN decided ON anomaly_id = anomalies.id WHERE analysis_id = ? ORDER BY position"""
    found: dict[str, list[Anomaly]] = {"ACCEPT": [], "REJECT": [], "UNSURE": [], "": []}
    for name, phenomenon, reasoning, severity, objects, support, verdict in newest.query(query, [analysis_id]):
        texts = {"name": name, "phenomenon": phenomenon, "reasoning": reasoning}
        found[verdict].append(Anomaly(**texts, severity=severity, objects=json.loads(objects), support=support))
    query = "SELECT item ->> 'text' FROM findings WHERE analysis_id = ? AND kind = 'description'"
    described = newest.query(query, [analysis_id]).fetchone()
    undecided = len(found["UNSURE"]) + len(found[""])
    return Judged(tuple(found["ACCEPT"]), tuple(found["REJECT"]), undecided, described[0] if described else None)
