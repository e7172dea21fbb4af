"""Anomalies as the benchmark's own files have them."""

from anomagent.state.classic_text import describe_severity
from anomagent.state.findings import Anomaly


def released_entry(anomaly: Anomaly) -> dict[str, str]:
    """An anomaly as the released tools write it: severity as text, "25/100 (clearly unnatural).".

    Reading it gives the same quadruple, except that a name loses a list prefix ("@1. Name: ") and outer white space.
    Objects and support have no place in it, nor in the next.
    """
    return {
        "Name": anomaly.name,
        "Observed Phenomenon": anomaly.phenomenon,
        "Reasoning": anomaly.reasoning,
        "Severity Score": f"{anomaly.severity}/100 ({describe_severity(anomaly.severity)}).",
    }


def project_page_entry(anomaly: Anomaly) -> dict[str, str | int]:
    """An anomaly as the project page has it: lower-case keys, severity as a number."""
    return anomaly.model_dump(include={"name", "phenomenon", "reasoning", "severity"})
