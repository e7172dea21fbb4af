"""What this workspace's own analyses cost: calls, tokens and seconds of each step, same schedule, same models."""

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from anomagent.models.image_tokens import image_tokens, scaled_size
from anomagent.state.context import AnalysisContext, roles_of
from anomagent.store import Workspace
from anomagent.store.database import select

NEWEST = 500
"""As many analyses are looked at, the newest first."""

_PASSES = ("perception_passes", "consolidation_passes", "scans", "max_objects")


@dataclass(frozen=True)
class StepCost:
    """One step of one role, in the mean over images and requests."""

    role: str
    step: str
    calls: float
    """Requests an image, repairs and repetitions included."""
    text_tokens: float
    """Input tokens of a request without the image."""
    output_tokens: float


@dataclass(frozen=True)
class History:
    """What finished analyses without a failure tell."""

    images: int
    objects: float
    """N, in the mean."""
    steps: tuple[StepCost, ...]
    cached: float
    """Share of the input tokens that the servers said to have read from a cache, 0 to 1."""
    seconds: float | None
    """Of one request, in the mean; None where the ledger lies elsewhere."""
    error: float | None
    """Two standard errors of the mean tokens of an image, as a share of that mean; None for a single image."""


def read_history(workspace: Workspace, context: AnalysisContext) -> History | None:
    """The history under the schedule, the passes and the models of `context`; None where there is none."""
    with workspace.reading() as connection:
        analyses = _analyses(connection, context)
        ids = json.dumps([row["id"] for row in analyses])
        objects = _objects(connection, ids)
        requests = _requests(connection, ids)
    if not requests:
        return None
    seconds = sum(row["seconds"] for row in requests)
    tokens = sum(row["input_tokens"] for row in requests)
    return History(
        images=len(analyses),
        objects=objects / len(analyses),
        steps=_steps(requests, len(analyses), context),
        cached=sum(row["cached_input_tokens"] for row in requests) / tokens if tokens else 0.0,
        seconds=seconds / len(requests) if seconds else None,
        error=_error(requests),
    )


def _analyses(connection: sqlite3.Connection, context: AnalysisContext) -> list[dict[str, Any]]:
    """The newest analyses that were made as `context` would make them, one for each image."""
    models = {role: context.model_for(role) for role in roles_of(context.schedule)}
    query = f"""
        SELECT max(a.id) AS id FROM analyses a JOIN runs r ON r.id = a.run_id
        WHERE a.status = 'ok' AND a.schedule = ? AND a.models = ?
            AND {" AND ".join(f"json_extract(r.config, '$.{name}') = ?" for name in _PASSES)}
        GROUP BY a.sha256 ORDER BY 1 DESC LIMIT {NEWEST}"""
    wanted = json.dumps(models, ensure_ascii=False, sort_keys=True)
    return select(connection, query, [context.schedule, wanted, *(getattr(context, name) for name in _PASSES)])


def _objects(connection: sqlite3.Connection, ids: str) -> int:
    query = "SELECT count(*) AS n FROM objects WHERE analysis_id IN (SELECT value FROM json_each(?))"
    return select(connection, query, [ids])[0]["n"]


def _requests(connection: sqlite3.Connection, ids: str) -> list[dict[str, Any]]:
    """Every answered request behind the analyses. One that two of them share counts for both: each would pay for it.

    Where the ledger lies elsewhere there are no rows in `calls`; what the analyses paid for stands in for them.
    """
    query = """
        SELECT a.analysis_id, a.role, a.step, coalesce(c.input_tokens, a.input_tokens) AS input_tokens,
            coalesce(c.cached_input_tokens, a.cached_input_tokens) AS cached_input_tokens,
            coalesce(c.output_tokens, a.output_tokens) AS output_tokens, coalesce(c.seconds, 0) AS seconds,
            i.width, i.height
        FROM analysis_calls a JOIN analyses n ON n.id = a.analysis_id JOIN images i ON i.sha256 = n.sha256
            LEFT JOIN calls c ON c.key = a.key
        WHERE a.analysis_id IN (SELECT value FROM json_each(?))
            AND CASE WHEN c.key IS NULL THEN a.ledger_hit = 0
                ELSE c.status != 'spare' AND c.finish_reason != 'error' END"""
    return select(connection, query, [ids])


def _steps(requests: Sequence[dict[str, Any]], images: int, context: AnalysisContext) -> tuple[StepCost, ...]:
    by_step: defaultdict[tuple[Any, str], list[dict[str, Any]]] = defaultdict(list)
    for row in requests:
        by_step[row["role"], row["step"]].append(row)
    return tuple(
        StepCost(
            role,
            step,
            calls=len(rows) / images,
            text_tokens=sum(_text_tokens(row, context.model_for(role), context) for row in rows) / len(rows),
            output_tokens=sum(row["output_tokens"] for row in rows) / len(rows),
        )
        for (role, step), rows in by_step.items()
    )


def _error(requests: Sequence[dict[str, Any]]) -> float | None:
    by_image: defaultdict[int, int] = defaultdict(int)
    for row in requests:
        by_image[row["analysis_id"]] += row["input_tokens"] + row["output_tokens"]
    totals = list(by_image.values())
    if len(totals) < 2 or not any(totals):
        return None
    return 2 * stdev(totals) / math.sqrt(len(totals)) / mean(totals)


def _text_tokens(row: dict[str, Any], model_id: str, context: AnalysisContext) -> int:
    """What the server counted, less the image; all of it where nobody knows what the image counts for."""
    width, height = scaled_size(row["width"], row["height"], context.image_max_pixels)
    return max(0, row["input_tokens"] - (image_tokens(model_id, width, height).tokens or 0))
