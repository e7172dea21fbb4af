"""What the steps that look at the whole image should reply, through their real prompts."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from anomagent.prompts import (
    anomaly_formatter,
    anomaly_integrator,
    direct_detector,
    object_perceiver,
    scene_scanner,
)
from anomagent.scenes.compose import Scene
from anomagent.scenes.training import facts
from anomagent.scenes.training.case import Case, Lesson
from anomagent.scenes.training.evidence import candidates_for, object_reports, scan_finding
from anomagent.scenes.training.facts import NOT_VISIBLE, Claim, truth
from anomagent.scenes.training.upstream import perception, reported
from anomagent.state.findings import Source


def list_objects(case: Case) -> Lesson:
    """ObjectPerceiver.list: plain nouns; numbers are given by code."""
    return Lesson.of(object_perceiver.render_list(case.rng.randrange(3)), _object_list(case.scene, None), 2.0)


def merge_objects(case: Case) -> Lesson:
    """ObjectPerceiver.merge: what any pass saw and the image shows."""
    passes = [perception(case.scene, case.rng, trouble=3.0) for _ in range(case.rng.choice((2, 3, 3, 3)))]
    seen = {entry.item.id for listed in passes for entry in listed if entry.item is not None}
    prompt = object_perceiver.render_merge([[entry.object for entry in listed] for listed in passes])
    return Lesson.of(prompt, _object_list(case.scene, seen))


def scan_scene(case: Case) -> Lesson:
    """SceneScanner.scan."""
    found = [scene_scanner.ScannedAnomaly(**scan_finding(claim)) for claim in truth(case.scene)]
    return Lesson.of(scene_scanner.render_scan(case.rng.randrange(3)), scene_scanner.Scan(anomalies=found), 2.0)


def pool_candidates(case: Case) -> Lesson:
    """AnomalyIntegrator.pool: what the image shows, with everybody who reported it."""
    lean = case.rng.random() < 0.6
    claims = {entry.object["name"]: case.all_reported_claims(entry) for entry in case.listed}
    reports = object_reports(case.listed, claims, consolidated=not lean)
    scans = [reported(truth(case.scene), case.scene, {}, case.rng) for _ in range(_scan_count(case.rng, lean))]
    said = [claim for made in claims.values() for claim in made]
    scanned = [claim for scan in scans for claim in scan]
    true = zip(truth(case.scene, case.names), truth(case.scene), strict=True)
    candidates = [_pooled(claim, claim in said, own in scanned) for claim, own in true]
    found = [[scan_finding(claim) for claim in scan] for scan in scans]
    prompt = anomaly_integrator.render_pool(reports, found, consolidated=not lean)
    return Lesson.of(prompt, anomaly_integrator.Candidates(candidates=candidates), 1.5)


def format_anomalies(case: Case) -> Lesson:
    """AnomalyFormatter.format: the true candidates become quadruples, the others are dropped."""
    true = truth(case.scene, case.names)
    claims = reported(true, case.scene, case.names, case.rng)
    if claims and case.rng.random() < 0.08:
        claims.append(case.rng.choice(claims))
    if case.rng.random() < 0.85:
        order = [entry.object["name"] for entry in case.listed]
        claims.sort(key=lambda claim: order.index(claim.name) if claim.name in order else len(order))
    candidates = candidates_for(claims, true, case.rng)
    anomalies = [
        anomaly_formatter.FormattedAnomaly(
            **_quadruple(claim), covers=[i for i, other in enumerate(claims, start=1) if other == claim]
        )
        for claim in true
        if claim in claims
    ]
    dropped = [
        anomaly_formatter.DroppedCandidate(candidate=i, reason=NOT_VISIBLE)
        for i, claim in enumerate(claims, start=1)
        if claim not in true
    ]
    prompt = anomaly_formatter.render_format([entry.object for entry in case.listed], candidates)
    return Lesson.of(prompt, anomaly_formatter.FinalReport(anomalies=anomalies, dropped=dropped))


def detect_anomalies(case: Case) -> Lesson:
    """DirectDetector.detect: the whole task in one answer."""
    anomalies = [direct_detector.DirectAnomaly(**_quadruple(claim)) for claim in truth(case.scene)]
    return Lesson.of(direct_detector.render_detect(), direct_detector.DirectReport(anomalies=anomalies), 1.5)


PER_IMAGE: Final[tuple[Callable[[Case], Lesson], ...]] = (
    list_objects,
    merge_objects,
    scan_scene,
    pool_candidates,
    format_anomalies,
    detect_anomalies,
)


def _object_list(scene: Scene, seen: set[int] | None) -> object_perceiver.ObjectList:
    objects = [
        object_perceiver.PerceivedObject(name=item.kind, description=facts.describe(item))
        for item in scene.objects
        if seen is None or item.id in seen
    ]
    return object_perceiver.ObjectList(objects=objects)


def _pooled(claim: Claim, said: bool, scanned: bool) -> anomaly_integrator.PooledCandidate:
    """The candidate for a true claim, with those who reported it."""
    agent: Source = "attributes" if claim.anomaly.agent == "attribute" else "relations"
    return anomaly_integrator.PooledCandidate(
        object=claim.name,
        phenomenon=claim.anomaly.phrase,
        explanation=claim.reasoning,
        sources=[*([agent] if said else []), *(["scan"] if scanned else [])],
    )


def _scan_count(rng: Random, lean: bool) -> int:
    return rng.choices((0, 1), (0.12, 0.88))[0] if lean else rng.choices((0, 1, 2, 3), (0.05, 0.1, 0.15, 0.7))[0]


def _quadruple(claim: Claim) -> dict[str, Any]:
    return {
        "name": claim.anomaly.title,
        "phenomenon": claim.phenomenon,
        "reasoning": claim.reasoning,
        "severity": claim.anomaly.severity,
        "objects": list(claim.objects),
    }
