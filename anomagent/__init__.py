"""Finds and explains semantic anomalies in AI-generated images.

from anomagent import analyze
analysis = await analyze("image.png", model="openai:gpt-4o")
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomagent.graph.analyze import Analyzer, analyze
    from anomagent.state.findings import Analysis, Anomaly

__version__ = version("anomagent")
__all__ = ["Analysis", "Analyzer", "Anomaly", "__version__", "analyze"]

_HOMES = {
    "Analysis": "anomagent.state.findings",
    "Analyzer": "anomagent.graph.analyze",
    "Anomaly": "anomagent.state.findings",
    "analyze": "anomagent.graph.analyze",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import anomagent` stays light."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
