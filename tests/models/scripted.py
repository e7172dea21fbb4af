"""A real seam over the shipped scripted model, its script in a file as a user's would be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomagent.models.ledger import MemoryLedger
from anomagent.models.registry import resolve
from anomagent.models.seam import Seam
from anomagent.state.context import AnalysisContext


def script(folder: Path, *says: dict[str, Any], role: str | None = None) -> AnalysisContext:
    """Write a script that says these one after another, and return the context of its model."""
    path = folder / "script.json"
    path.write_text(json.dumps({"rules": [{"role": role, "says": list(says)}]}))
    return AnalysisContext(model=f"fake:{path}")


def seam_over(ledger: MemoryLedger | None = None) -> Seam:
    """A seam that resolves model ids as everybody else's does."""
    return Seam(ledger or MemoryLedger(), lambda model_id, context: resolve(model_id))


def reply(**fields: Any) -> dict[str, Any]:
    """Something to say: a reply."""
    return {"reply": fields}


def errors(ledger: MemoryLedger) -> Sequence[str | None]:
    """What was wrong with each request, in order."""
    return [row["error"] for row in ledger.attempts]
