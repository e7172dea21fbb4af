"""From a candidate of the review back to everything that the agents said on the way to it."""

from anomagent.store.analyses import read_analysis
from anomagent.store.results import StoredAnalysis
from anomagent.store.workspace import Workspace


def analysis_behind(workspace: Workspace, anomaly: int) -> tuple[StoredAnalysis, int] | None:
    """The analysis that reports an anomaly, by its row, and its position there; None where there is no such row."""
    with workspace.reading() as connection:
        query = "SELECT analysis_id, position FROM anomalies WHERE id = ?"
        found = connection.execute(query, (anomaly,)).fetchone()
    return None if found is None else (read_analysis(workspace, found[0]), found[1])
