"""DirectDetector: the whole task in one call."""

from anomagent.models.types import Ask
from anomagent.nodes.base import Context, Update
from anomagent.prompts import direct_detector as prompts
from anomagent.state.analysis import AnalysisState
from anomagent.state.findings import Anomaly


async def detect_directly(state: AnalysisState, runtime: Context, *, ask: Ask) -> Update:
    """Ask once for everything (`direct`)."""
    answer = await ask(runtime.context, state["image"], prompts.render_detect(), prompts.DirectReport)
    anomalies = [Anomaly(**entry.model_dump(), support=1) for entry in answer.reply.anomalies]
    return {"anomalies": [anomaly.model_dump() for anomaly in anomalies], "calls": [answer.call]}
