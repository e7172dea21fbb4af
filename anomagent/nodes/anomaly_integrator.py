"""AnomalyIntegrator: one report per object, pooled candidates per image, and their support."""

from anomagent.models.types import Ask
from anomagent.nodes.base import Context, Update
from anomagent.prompts import anomaly_integrator as prompts
from anomagent.state.analysis import AnalysisState, ObjectState, PoolTask
from anomagent.state.findings import Candidate, ObjectReport, PooledPass, ScanPass
from anomagent.state.naming import SAME_WORDING, likeness, same_object


async def consolidate_object(state: ObjectState, runtime: Context, *, ask: Ask) -> Update:
    """Step 1: one report from C_attr and C_rel; the end of the object's chain (`paper`)."""
    prompt = prompts.render_consolidate(state["object"], state["attributes"], state["relations"])
    answer = await ask(
        runtime.context, state["image"], prompt, prompts.ConsolidatedReport, object=state["object"]["name"]
    )
    report: ObjectReport = {
        "object": state["object"],
        "attribute_observations": state["attribute_observations"],
        "attributes": state["attributes"],
        "relation_observations": state["relation_observations"],
        "relations": state["relations"],
        "report": [
            {
                "phenomenon": entry.phenomenon,
                "source": entry.source,
                "details": entry.details,
                "explanation": entry.explanation,
            }
            for entry in answer.reply.report
        ],
        "contradictions": answer.reply.contradictions,
    }
    return {"reports": [report], "calls": [answer.call]}


async def pool_candidates(task: PoolTask, runtime: Context, *, ask: Ask) -> Update:
    """Step 2: one consolidation pass over all reports and scans."""
    scans = [scan["findings"] for scan in task["scans"]]
    prompt = prompts.render_pool(task["reports"], scans, consolidated=runtime.context.schedule == "paper")
    answer = await ask(runtime.context, task["image"], prompt, prompts.Candidates, slot=task["slot"])
    pooled: PooledPass = {
        "slot": task["slot"],
        "findings": [
            {
                "object": found.object,
                "phenomenon": found.phenomenon,
                "explanation": found.explanation,
                "sources": found.sources,
            }
            for found in answer.reply.candidates
        ],
    }
    return {"pools": [pooled], "calls": [answer.call]}


async def join_evidence(state: AnalysisState) -> Update:
    """Wait for all objects and all scans; nothing is decided here."""
    return {}


async def score_candidates(state: AnalysisState, runtime: Context) -> Update:
    """Unite the passes into candidates with their support, and prune what a single pass of several made up alone.

    Without any answer of the integrator there are no candidates, and the analysis fails. `lean` spends no call on
    formatting an empty list.
    """
    pools, failed = state.get("pools", []), any(f["role"] == "AnomalyIntegrator" for f in state.get("failures", []))
    if failed and not pools:
        return {}
    candidates = unite_passes(pools, state.get("scans", []))
    for candidate in candidates:
        unsupported = not candidate["sources"] and not candidate["scans"]
        if len(pools) > 1 and unsupported and len(candidate["passes"]) == 1:
            candidate["outcome"] = "pruned: named by one pass alone, from no source"
    if runtime.context.schedule == "lean" and not candidates:
        return {"candidates": [], "anomalies": []}
    return {"candidates": candidates}


def unite_passes(pools: list[PooledPass], scans: list[ScanPass]) -> list[Candidate]:
    """Candidates in the order in which the passes first name them, numbered from 1.

    Two findings of different passes are one candidate when they concern the same object in nearly the same words; of
    one pass only in the very same words, for a pass keeps different phenomena apart. A scan supports the candidate that
    it is most like. Law: every finding of every pass is in exactly one candidate.
    """
    candidates: list[Candidate] = []
    for pool in pools:
        for found in pool["findings"]:
            candidate = _most_like(candidates, found["object"], found["phenomenon"], pool["slot"])
            if candidate is None:
                candidate = Candidate(
                    id=len(candidates) + 1,
                    object=found["object"],
                    phenomenon=found["phenomenon"],
                    explanation=found["explanation"],
                    passes=[],
                    scans=[],
                    sources=[],
                    outcome="",
                )
                candidates.append(candidate)
            candidate["passes"] = sorted({*candidate["passes"], pool["slot"]})
            candidate["sources"] = sorted({*candidate["sources"], *found["sources"]})
    for scan in scans:
        for seen in scan["findings"]:
            candidate = _most_like(candidates, seen["objects"][0] if seen["objects"] else "", seen["phenomenon"])
            if candidate is not None:
                candidate["scans"] = sorted({*candidate["scans"], scan["slot"]})
    return candidates


def _most_like(
    candidates: list[Candidate], name: str, phenomenon: str, pass_slot: int | None = None
) -> Candidate | None:
    """The candidate about this object that is worded most alike, if any is alike enough."""

    def fits(candidate: Candidate, alike: float) -> bool:
        least = 100.0 if pass_slot in candidate["passes"] else SAME_WORDING
        return same_object(candidate["object"], name) and alike >= least

    scored = [(likeness(candidate["phenomenon"], phenomenon), candidate) for candidate in candidates]
    return max(
        (entry for entry in scored if fits(entry[1], entry[0])), key=lambda entry: entry[0], default=(0.0, None)
    )[1]
