"""What an analysis is known by: the image's content and everything that decides what is asked about it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from anomagent import __version__
from anomagent.prompts import SYSTEM, TEMPLATES
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import ImageRef


def thread_id(image: ImageRef, configuration: str) -> str:
    """The thread of an analysis: the image's content and the configuration's hash."""
    return f"{image['sha256'][:24]}-{configuration}"


def checkpoint_thread(thread: str, place: Path | None) -> str:
    """The thread's name among the checkpoints; workspaces that share a Postgres differ by their `place`.

    They must not share threads: a state refers to the image in its own workspace.
    """
    return thread if place is None else f"{thread}-{hashlib.sha256(str(place).encode()).hexdigest()[:8]}"


def configuration_hash(context: AnalysisContext, models: Mapping[str, str]) -> str:
    """Names the context, the identities of the models by role, and the prompts."""
    prompts = [SYSTEM, *(template.source for template in TEMPLATES)]
    text = json.dumps([__version__, context.model_dump(), dict(models), prompts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
