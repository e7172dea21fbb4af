"""The checks of `anomagent doctor`. Each looks at one thing, changes nothing and never raises."""

import os
import platform
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from anomagent import __version__
from anomagent.config import Settings
from anomagent.errors import AnomagentError
from anomagent.models.registry import KEYS

EXTRAS = {
    "local": ("torch", "transformers"),
    "train": ("accelerate", "peft"),
    "studio": ("langgraph_cli", "langgraph_api"),
    "postgres": ("psycopg", "psycopg_pool"),
    "tongyi": ("langchain_community", "dashscope"),
    "anthropic": ("langchain_anthropic",),
    "google": ("langchain_google_genai",),
    "ollama": ("langchain_ollama",),
}
"""Extras of the package, and a module of each thing that they bring."""
LITTLE_SPACE, TOO_LITTLE_SPACE = 2_000_000_000, 100_000_000
"""Free bytes below which to warn, and below which work cannot begin."""
SERVER_SECONDS = 5.0


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    fix: str = ""
    """What to do, where something should be done."""


def check_machine() -> list[Check]:
    """What holds whatever the settings are."""
    here = [name for name, modules in EXTRAS.items() if all(map(find_spec, modules))]
    absent = [name for name in EXTRAS if name not in here]
    known = [*KEYS.values(), "HF_TOKEN"]
    keys = [name for name in known if os.environ.get(name)]
    return [
        Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        Check("anomagent", "ok", __version__),
        Check("extras", "ok", f"installed: {', '.join(here) or 'none'}; not installed: {', '.join(absent) or 'none'}"),
        Check("keys", "ok", f"set: {', '.join(keys) or 'none'} (of {', '.join(known)})"),
    ]


def check_settings(settings: Settings, load: bool) -> list[Check]:
    """What the configured models, workspace and checkpoints need. `load`: ask every model about an image."""
    from anomagent.cli.model_checks import check_models

    checks = check_models(settings, load)
    if settings.base_url:
        checks.append(check_server(settings.base_url, os.environ.get("OPENAI_API_KEY")))
    return [*checks, check_workspace(settings.workspace), check_space(settings.workspace), check_checkpoints(settings)]


def check_server(base_url: str, key: str | None = None, timeout: float = SERVER_SECONDS) -> Check:
    """Whether an OpenAI-compatible server answers at `base_url`."""
    name = "server"
    try:
        parts = urlsplit(base_url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        host = ""
    if not host or not base_url.startswith(("http://", "https://")):
        return Check(name, "fail", "base_url is no URL of a server", "give --base-url as http://HOST:PORT/v1")
    request = urllib.request.Request(f"{base_url.rstrip('/')}/models")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=timeout):
            return Check(name, "ok", f"{host} answers")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):
            return Check(name, "fail", f"{host} refuses the key ({error.code})", "set OPENAI_API_KEY to a key of it")
        return Check(name, "warn", f"{host} answers {error.code} to /models", "check that --base-url ends as in /v1")
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        return Check(name, "fail", f"{host} cannot be reached ({reason})", "start it or correct --base-url")


def check_workspace(path: Path) -> Check:
    """Whether results can be written."""
    from anomagent.store import Workspace

    folder = path.absolute()
    if not folder.exists():
        parent = _existing(folder)
        if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
            return Check("workspace", "ok", f"{folder} will be made by the first run")
        return Check("workspace", "fail", f"{folder} cannot be made", "choose another --workspace")
    if not (folder / "anomagent.db").exists():
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return Check("workspace", "ok", f"{folder} can be written, and has no results yet")
        return Check("workspace", "fail", f"{folder} is no folder that can be written", "choose another --workspace")
    try:
        with Workspace.open(folder).writing():
            return Check("workspace", "ok", f"{folder} can be written")
    except AnomagentError as error:
        return Check("workspace", "fail", str(error))


def check_space(path: Path) -> Check:
    """Whether there is room for results on the workspace's disk."""
    free = shutil.disk_usage(_existing(path.absolute())).free
    detail = f"{free / 1e9:,.1f} GB free"
    if free < TOO_LITTLE_SPACE:
        return Check("disk", "fail", detail, "free space or choose another --workspace")
    return Check("disk", "warn" if free < LITTLE_SPACE else "ok", detail, "free space" if free < LITTLE_SPACE else "")


def check_checkpoints(settings: Settings) -> Check:
    """Whether the place of the checkpoints can be used."""
    import asyncio

    from anomagent.graph.checkpoints import open_checkpointer

    if settings.checkpoints is None:
        return Check("checkpoints", "ok", "SQLite in the workspace")

    async def connect() -> None:
        async with open_checkpointer(settings.workspace / "checkpoints.db", settings.checkpoints):
            pass

    place = f"Postgres at {urlsplit(settings.checkpoints).hostname}"
    try:
        asyncio.run(connect())
    except Exception as error:  # drivers raise what they like; the URL in it may hold a password
        reason = str(error) if isinstance(error, AnomagentError) else type(error).__name__
        return Check("checkpoints", "fail", f"{place}: {reason}", "check the URL of `checkpoints` and the server")
    return Check("checkpoints", "ok", f"{place} answers")


def _existing(path: Path) -> Path:
    """`path`, or its nearest parent that exists."""
    return next(place for place in (path, *path.parents) if place.exists())
