"""What several tests of the store need: other processes, small disks, example rows."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

from anomagent.models.types import Attempt
from anomagent.store import AnalysisResult, database


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run Python code in a process of its own, with `arguments` in `sys.argv[1:]`."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    root = Path(__file__).parents[2]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str], tell: str | None = None) -> str:
    """Wait for a process, which must end well, and return what it printed."""
    output, errors = process.communicate(tell, timeout=60)
    assert process.returncode == 0, errors
    return output.strip()


def shrink_disk(monkeypatch: pytest.MonkeyPatch, module: object, spare_pages: int) -> None:
    """Let the connections that `module` opens from now on grow the database by no more than some pages."""

    def connect(path: Path) -> sqlite3.Connection:
        connection = database.connect(path)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + spare_pages}")
        return connection

    monkeypatch.setattr(module, "connect", connect)


def attempt(key: str = "k", status: Literal["good", "bad"] = "good", **changes: Any) -> Attempt:
    row = {
        "key": key,
        "role": "AttributeAnalyzer",
        "step": "list",
        "object": "chair",
        "slot": 0,
        "model": "openai:gpt-4o",
        "image_sha256": "a" * 64,
        "prompt": "What is wrong?",
        "status": status,
        "error": None if status == "good" else "malformed",
        "text": '{"issues": []}',
        "odds": None,
        "finish_reason": "stop",
        "input_tokens": 11,
        "cached_input_tokens": 5,
        "output_tokens": 7,
        "usd": 0.25,
        "seconds": 1.5,
    }
    return Attempt(**{**row, **changes})  # type: ignore[typeddict-item]


def result(sha256: str, image: str = "a.png", **changes: Any) -> AnalysisResult:
    """An analysis with one of everything."""
    chair = {"name": "chair", "description": "a red chair"}
    issue = {"objects": ["chair"], "name": "floating", "issue": "it floats", "explanation": "gravity"}
    report = {
        "object": chair,
        "attribute_observations": ["no legs"],
        "attributes": [issue | {"source": "attributes"}],
        "relation_observations": [],
        "relations": [issue | {"source": "relations", "objects": ["chair", "floor"]}],
        "report": [{"phenomenon": "floats", "source": "both", "details": "above the floor", "explanation": "gravity"}],
        "contradictions": ["stands or floats"],
    }
    seen = {"objects": ["chair"], "phenomenon": "floats", "explanation": "gravity"}
    pooled = {"object": "chair", "phenomenon": "floats", "explanation": "gravity", "sources": ["attributes"]}
    call = {
        "key": "k",
        "role": "AttributeAnalyzer",
        "step": "list",
        "object": "chair",
        "slot": 0,
        "ledger_hit": False,
        "attempts": 1,
        "input_tokens": 11,
        "cached_input_tokens": 5,
        "output_tokens": 7,
        "usd": 0.25,
    }
    everything = {
        "image": image,
        "sha256": sha256,
        "thread_id": "thread",
        "status": "partial",
        "schedule": "paper",
        "models": {"AttributeAnalyzer": "openai:gpt-4o"},
        "perceptions": [[chair], []],
        "objects": [chair, {"name": "floor", "description": "wood"}],
        "reports": [report],
        "scans": [{"slot": 0, "findings": [seen]}, {"slot": 2, "findings": []}],
        "pools": [{"slot": 1, "findings": [pooled]}],
        "candidates": [{**pooled, "id": 1, "passes": [1], "scans": [0], "outcome": "kept"}],
        "anomalies": [
            {
                "name": "Floating chair",
                "phenomenon": "A chair floats.",
                "reasoning": "Gravity.",
                "severity": 10,
                "objects": ["chair"],
                "support": 2,
            }
        ],
        "failures": [{"role": "RelationReasoner", "object": "floor", "error": "refused", "message": "no"}],
        "calls": [call, {**call, "key": "l", "ledger_hit": True, "attempts": 0, "object": None}],
        "seconds": 2.0,
    }
    return AnalysisResult(**{**everything, **changes})  # type: ignore[typeddict-item]
