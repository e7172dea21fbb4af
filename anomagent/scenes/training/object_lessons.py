"""What the steps that look at one object should reply, through their real prompts."""

from collections.abc import Callable
from typing import Final

from anomagent.prompts import anomaly_integrator, attribute_analyzer, relation_reasoner
from anomagent.scenes.training import facts
from anomagent.scenes.training.case import Case, Lesson
from anomagent.scenes.training.evidence import attribute_finding, relation_finding, report_item
from anomagent.scenes.training.facts import NOT_VISIBLE, truth
from anomagent.scenes.training.upstream import Listed, misobserved
from anomagent.state.findings import DetectedObject, Finding


def examine_attributes(case: Case, entry: Listed) -> Lesson:
    """AttributeAnalyzer.examine."""
    reply = attribute_analyzer.Examination(observations=_attributes_of(entry))
    return Lesson.of(attribute_analyzer.render_examine(entry.object), reply)


def list_attributes(case: Case, entry: Listed) -> Lesson:
    """AttributeAnalyzer.list: from observations that may err to what the image supports."""
    observed = [NOT_VISIBLE] if entry.item is None else facts.attribute_observations(misobserved(entry.item, case.rng))
    reply = attribute_analyzer.AttributeIssues(issues=_attribute_issues(case, entry))
    return Lesson.of(attribute_analyzer.render_list(entry.object, observed), reply)


def analyze_attributes(case: Case, entry: Listed) -> Lesson:
    """AttributeAnalyzer.analyze."""
    reply = attribute_analyzer.AttributeAnalysis(
        observations=_attributes_of(entry), issues=_attribute_issues(case, entry)
    )
    return Lesson.of(attribute_analyzer.render_analyze(entry.object), reply, 2.5)


def judge_relations(case: Case, entry: Listed) -> Lesson:
    """RelationReasoner.judge."""
    prompt = relation_reasoner.render_judge(entry.object, _others(case, entry), _known(case, entry))
    return Lesson.of(prompt, relation_reasoner.Judgement(observations=_relations_of(case, entry)))


def verify_relations(case: Case, entry: Listed) -> Lesson:
    """RelationReasoner.verify: from observations that may err to what the image supports."""
    setting = case.scene.setting
    observed = (
        [NOT_VISIBLE] if entry.item is None else facts.relation_observations(misobserved(entry.item, case.rng), setting)
    )
    prompt = relation_reasoner.render_verify(entry.object, _others(case, entry), _known(case, entry), observed)
    return Lesson.of(prompt, relation_reasoner.RelationIssues(issues=_relation_issues(case, entry)))


def reason_relations(case: Case, entry: Listed) -> Lesson:
    """RelationReasoner.reason."""
    prompt = relation_reasoner.render_reason(entry.object, _others(case, entry), _known(case, entry))
    reply = relation_reasoner.RelationAnalysis(
        observations=_relations_of(case, entry), issues=_relation_issues(case, entry)
    )
    return Lesson.of(prompt, reply, 2.5)


def consolidate_object(case: Case, entry: Listed) -> Lesson:
    """AnomalyIntegrator.consolidate: true findings stay, false ones become contradictions."""
    claims = case.all_reported_claims(entry)
    findings = [attribute_finding(claim) for claim in claims if claim.anomaly.agent == "attribute"]
    relations = [relation_finding(claim) for claim in claims if claim.anomaly.agent == "relation"]
    true = truth(case.scene, case.names)
    reply = anomaly_integrator.ConsolidatedReport(
        report=[anomaly_integrator.ReportEntry(**report_item(claim)) for claim in claims if claim in true],
        contradictions=[f"{claim.anomaly.phrase}: {NOT_VISIBLE}" for claim in claims if claim not in true],
    )
    return Lesson.of(anomaly_integrator.render_consolidate(entry.object, findings, relations), reply)


PER_OBJECT: Final[tuple[Callable[[Case, Listed], Lesson], ...]] = (
    examine_attributes,
    list_attributes,
    analyze_attributes,
    judge_relations,
    verify_relations,
    reason_relations,
    consolidate_object,
)


def _attributes_of(entry: Listed) -> list[str]:
    return [NOT_VISIBLE] if entry.item is None else facts.attribute_observations(entry.item)


def _relations_of(case: Case, entry: Listed) -> list[str]:
    return [NOT_VISIBLE] if entry.item is None else facts.relation_observations(entry.item, case.scene.setting)


def _attribute_issues(case: Case, entry: Listed) -> list[attribute_analyzer.AttributeIssue]:
    return [
        attribute_analyzer.AttributeIssue(
            name=claim.anomaly.title, issue=claim.anomaly.phrase, explanation=claim.reasoning
        )
        for claim in case.true_claims(entry, "attribute")
    ]


def _relation_issues(case: Case, entry: Listed) -> list[relation_reasoner.RelationIssue]:
    return [
        relation_reasoner.RelationIssue(
            objects=list(claim.objects), issue=claim.anomaly.phrase, reasoning=claim.reasoning
        )
        for claim in case.true_claims(entry, "relation")
    ]


def _others(case: Case, entry: Listed) -> list[DetectedObject]:
    return [other.object for other in case.listed if other is not entry]


def _known(case: Case, entry: Listed) -> list[Finding]:
    return [attribute_finding(claim) for claim in case.reported_claims(entry, "attribute")]
