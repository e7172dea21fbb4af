"""What is asked and the only reply that is accepted: one module for each agent role."""

from anomagent.prompts import (
    anomaly_formatter,
    anomaly_integrator,
    anomaly_judge,
    anomaly_reporter,
    attribute_analyzer,
    deepfake_detector,
    direct_detector,
    kind_classifier,
    object_perceiver,
    relation_reasoner,
    scene_scanner,
)
from anomagent.prompts.base import SYSTEM, PlainText, Prompt, Reply, Template, Turn

TEMPLATES: tuple[Template, ...] = (
    object_perceiver.LIST,
    object_perceiver.MERGE,
    attribute_analyzer.EXAMINE,
    attribute_analyzer.LIST,
    attribute_analyzer.ANALYZE,
    relation_reasoner.JUDGE,
    relation_reasoner.VERIFY,
    relation_reasoner.REASON,
    scene_scanner.SCAN,
    anomaly_integrator.CONSOLIDATE,
    anomaly_integrator.POOL,
    anomaly_formatter.FORMAT,
    direct_detector.DETECT,
)
"""Every template of the agents, in the order in which the pipeline asks them."""

ASSESSORS: tuple[Template, ...] = (anomaly_judge.MATCH, kind_classifier.CLASSIFY)
"""The templates that are about finished results: text alone, each with a system text of its own."""

PREDICTORS: tuple[Template, ...] = (anomaly_reporter.REPORT, anomaly_reporter.REPORT_JSON, deepfake_detector.ASK)
"""The templates of those who answer alone, in plain text, in the words that models are fine-tuned on."""

__all__ = ["ASSESSORS", "PREDICTORS", "SYSTEM", "TEMPLATES", "PlainText", "Prompt", "Reply", "Template", "Turn"]
