"""The store: a workspace folder with one SQLite database. The only package that knows SQL."""

from anomagent.store.analyses import begin_analysis, find_analyses, list_analyses, read_analysis, save_analysis
from anomagent.store.images import check_image, find_image, ingest_image
from anomagent.store.ledger import SqliteLedger, read_calls
from anomagent.store.results import AnalysisResult, AnalysisSummary, StoredAnalysis
from anomagent.store.runs import finish_run, start_run
from anomagent.store.workspace import Workspace

__all__ = [
    "AnalysisResult",
    "AnalysisSummary",
    "SqliteLedger",
    "StoredAnalysis",
    "Workspace",
    "begin_analysis",
    "check_image",
    "find_analyses",
    "find_image",
    "finish_run",
    "ingest_image",
    "list_analyses",
    "read_analysis",
    "read_calls",
    "save_analysis",
    "start_run",
]
