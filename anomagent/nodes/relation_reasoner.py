"""RelationReasoner: C_rel(i), what is impossible between one object and the others."""

from collections.abc import Sequence

from anomagent.models.types import Ask
from anomagent.nodes.base import Context, Update
from anomagent.prompts import relation_reasoner as prompts
from anomagent.state.analysis import ObjectState
from anomagent.state.findings import Finding, ObjectReport


async def judge_relations(state: ObjectState, runtime: Context, *, ask: Ask) -> Update:
    """Step 1: judge every relation and keep the evidence."""
    prompt = prompts.render_judge(state["object"], state["others"], state["attributes"])
    answer = await ask(runtime.context, state["image"], prompt, prompts.Judgement, object=state["object"]["name"])
    return {"relation_observations": answer.reply.observations, "calls": [answer.call]}


async def verify_relations(state: ObjectState, runtime: Context, *, ask: Ask) -> Update:
    """Step 2: verify the evidence and list the issues."""
    observations = state["relation_observations"]
    prompt = prompts.render_verify(state["object"], state["others"], state["attributes"], observations)
    answer = await ask(runtime.context, state["image"], prompt, prompts.RelationIssues, object=state["object"]["name"])
    return {"relations": _findings(answer.reply.issues), "calls": [answer.call]}


async def reason_relations(state: ObjectState, runtime: Context, *, ask: Ask) -> Update:
    """Both steps in one call, and the end of the object's chain (`lean`)."""
    prompt = prompts.render_reason(state["object"], state["others"], state["attributes"])
    answer = await ask(
        runtime.context, state["image"], prompt, prompts.RelationAnalysis, object=state["object"]["name"]
    )
    relations = _findings(answer.reply.issues)
    report: ObjectReport = {
        "object": state["object"],
        "attribute_observations": state["attribute_observations"],
        "attributes": state["attributes"],
        "relation_observations": answer.reply.observations,
        "relations": relations,
        "report": [],
        "contradictions": [],
    }
    return {"relations": relations, "reports": [report], "calls": [answer.call]}


def _findings(issues: Sequence[prompts.RelationIssue]) -> list[Finding]:
    return [
        {
            "objects": issue.objects,
            "name": issue.issue,
            "issue": issue.issue,
            "explanation": issue.reasoning,
            "source": "relations",
        }
        for issue in issues
    ]
