"""AttributeAnalyzer: C_attr(i), the issues of one object by itself."""

from collections.abc import Sequence

from anomagent.models.types import Ask
from anomagent.nodes.base import Context, Update
from anomagent.prompts import attribute_analyzer as prompts
from anomagent.state.analysis import ObjectState
from anomagent.state.findings import Finding


async def examine_attributes(state: ObjectState, runtime: Context, *, ask: Ask) -> Update:
    """Step 1: look broadly and keep the evidence."""
    prompt = prompts.render_examine(state["object"])
    answer = await ask(runtime.context, state["image"], prompt, prompts.Examination, object=state["object"]["name"])
    return {"attribute_observations": answer.reply.observations, "calls": [answer.call]}


async def list_attributes(state: ObjectState, runtime: Context, *, ask: Ask) -> Update:
    """Step 2: verify the evidence and list the issues."""
    prompt = prompts.render_list(state["object"], state["attribute_observations"])
    answer = await ask(runtime.context, state["image"], prompt, prompts.AttributeIssues, object=state["object"]["name"])
    return {"attributes": _findings(state, answer.reply.issues), "calls": [answer.call]}


async def analyze_attributes(state: ObjectState, runtime: Context, *, ask: Ask) -> Update:
    """Both steps in one call (`lean`)."""
    prompt = prompts.render_analyze(state["object"])
    answer = await ask(
        runtime.context, state["image"], prompt, prompts.AttributeAnalysis, object=state["object"]["name"]
    )
    return {
        "attribute_observations": answer.reply.observations,
        "attributes": _findings(state, answer.reply.issues),
        "calls": [answer.call],
    }


def _findings(state: ObjectState, issues: Sequence[prompts.AttributeIssue]) -> list[Finding]:
    return [
        {
            "objects": [state["object"]["name"]],
            "name": issue.name,
            "issue": issue.issue,
            "explanation": issue.explanation,
            "source": "attributes",
        }
        for issue in issues
    ]
