"""The checks of `anomagent doctor` that concern models: whether each can be used, and if asked, whether it answers."""

import asyncio
import hashlib
import tempfile
from pathlib import Path

from anomagent.cli.checks import Check
from anomagent.config import Settings
from anomagent.errors import AnomagentError
from anomagent.graph.session import resolve_for
from anomagent.models.types import Client, Request
from anomagent.prompts.object_perceiver import render_list
from anomagent.scenes.compose import compose
from anomagent.scenes.draw import draw
from anomagent.state.context import AnalysisContext, Role, roles_of

_ROOM = 512
"""Tokens for the answer of a trial call."""


def check_models(settings: Settings, load: bool) -> list[Check]:
    """A check for each model in use; `load` also asks it about one rendered scene, at the price of one call."""
    context = AnalysisContext(**settings.options)
    resolve = resolve_for(settings)
    checks: list[Check] = []
    for model_id, roles in _models_in_use(context).items():
        name = f"model {model_id}"
        try:
            client = resolve(model_id, context)
            said = asyncio.run(_try(client, context)) if load else "can be used"
        except AnomagentError as error:
            checks.append(Check(name, "fail", str(error)))
        else:
            checks.append(Check(name, "ok", f"{said}, for {', '.join(roles)}"))
    return checks


def _models_in_use(context: AnalysisContext) -> dict[str, list[Role]]:
    """Model ids with the roles that they play in this schedule."""
    used: dict[str, list[Role]] = {}
    for role in roles_of(context.schedule):
        used.setdefault(context.model_for(role), []).append(role)
    return used


async def _try(client: Client, context: AnalysisContext) -> str:
    """Ask about a rendered scene, past ledger and workspace. Raises a `ModelError` where no answer comes."""
    with tempfile.TemporaryDirectory(prefix="anomagent-doctor-") as folder:
        path = Path(folder) / "scene.png"
        draw(compose(1), 504).save(path)
        request = Request(
            prompt=render_list(0),
            image_path=str(path),
            image_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            max_pixels=context.image_max_pixels,
            max_tokens=_ROOM,
            temperature=context.temperature,
        )
        try:
            completion = await client.complete(request)
        finally:
            await client.aclose()
    return f"answers ({completion.usage.output_tokens} tokens)"
