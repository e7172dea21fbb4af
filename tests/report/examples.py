"""An analysis in which every agent said something, some of it hostile."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image

from anomagent.state.findings import CallRef
from anomagent.store import (
    AnalysisResult,
    StoredAnalysis,
    Workspace,
    find_analyses,
    ingest_image,
    save_analysis,
    start_run,
)

HOSTILE = "[bold red]chair[/] <script>alert('x')</script> \x1b[31m\u202e{{ 7 * 7 }}"
"""Markup for rich, HTML, a terminal colour, a reversed reading direction and a template."""


def picture(colour: str = "red") -> bytes:
    """The bytes of a small PNG."""
    buffer = BytesIO()
    Image.new("RGB", (32, 24), colour).save(buffer, "PNG")
    return buffer.getvalue()


def call_ref(role: str, step: str, *, hit: bool = False, about: str | None = None, usd: float | None = 0.25) -> CallRef:
    """A call that cost 100 + 10 tokens, or a ledger hit."""
    return {
        "key": f"{role}.{step}",
        "role": role,
        "step": step,
        "object": about,
        "slot": 0,
        "ledger_hit": hit,
        "attempts": 0 if hit else 1,
        "input_tokens": 0 if hit else 100,
        "cached_input_tokens": 0 if hit else 40,
        "output_tokens": 0 if hit else 10,
        "usd": 0.0 if hit else usd,
    }


def result_of(sha256: str, image: str = "a.png", said: str = "The chair floats.") -> AnalysisResult:
    """A partial analysis: one anomaly, one failure, a statement of every agent."""
    return {
        "image": image,
        "sha256": sha256,
        "thread_id": f"thread-{image}",
        "status": "partial",
        "schedule": "paper",
        "models": {"ObjectPerceiver": "fake:x"},
        "perceptions": [[{"name": "chair", "description": said}]],
        "objects": [{"name": "chair", "description": said}],
        "reports": [
            {
                "object": {"name": "chair", "description": said},
                "attribute_observations": [said],
                "attributes": [
                    {"objects": ["chair"], "name": said, "issue": said, "explanation": said, "source": "attributes"}
                ],
                "relation_observations": [said],
                "relations": [
                    {"objects": ["chair"], "name": said, "issue": said, "explanation": said, "source": "relations"}
                ],
                "report": [{"phenomenon": said, "source": "both", "details": said, "explanation": said}],
                "contradictions": [said],
            }
        ],
        "scans": [{"slot": 0, "findings": [{"objects": ["chair"], "phenomenon": said, "explanation": said}]}],
        "pools": [
            {
                "slot": 0,
                "findings": [{"object": "chair", "phenomenon": said, "explanation": said, "sources": ["attributes"]}],
            }
        ],
        "candidates": [
            {
                "id": 1,
                "object": "chair",
                "phenomenon": said,
                "explanation": said,
                "passes": [0, 2],
                "scans": [0],
                "sources": ["attributes", "scan"],
                "outcome": "kept",
            }
        ],
        "anomalies": [
            {
                "name": said,
                "phenomenon": said,
                "reasoning": said,
                "severity": 10,
                "objects": ["chair"],
                "support": 3,
            }
        ],
        "failures": [
            {"role": "RelationReasoner", "object": "table", "error": "refused", "message": said},
        ],
        "calls": [
            call_ref("ObjectPerceiver", "list"),
            call_ref("AttributeAnalyzer", "examine", about="chair"),
            call_ref("ObjectPerceiver", "list", hit=True),
        ],
        "seconds": 1.5,
    }


def store_example(workspace: Workspace, image: str = "a.png", said: str = "The chair floats.") -> StoredAnalysis:
    """Save an analysis in a run of its own, and read it back."""
    reference = ingest_image(workspace, picture(), name=image)
    run = start_run(workspace, "run", {}, "hash")
    save_analysis(workspace, run, result_of(reference["sha256"], image, said))
    return find_analyses(workspace, run)[0]


def workspace_in(folder: Path) -> Workspace:
    """A new workspace where the command line looks for one."""
    return Workspace.open(folder / "anomagent-workspace")
