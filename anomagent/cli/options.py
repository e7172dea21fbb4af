"""Options that several commands share, and how they become settings."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from anomagent.config import Settings

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", help="Folder of results and finished calls.", show_default="anomagent-workspace"),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", "-m", help="provider:model, e.g. openai:gpt-4o, qwen-vl:PATH.", show_default="embedded"),
]
BaseUrlOption = Annotated[
    str | None, typer.Option("--base-url", help="An OpenAI-compatible server for models named openai:...")
]
RolesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        metavar="ROLE=MODEL",
        help="Another model for one role, e.g. RelationReasoner=openai:gpt-4o; may be given several times.",
    ),
]


def settings_of(roles: list[str] | None = None, **flags: Any) -> "Settings":
    """The settings in force, with these flags on top. Raises `ConfigurationError`."""
    from anomagent.config import load_settings

    return load_settings(**flags, **dict(map(_role_model, roles or [])))


def _role_model(text: str) -> tuple[str, str]:
    """`ObjectPerceiver=openai:gpt-4o` or `object_perceiver=...` as a setting and its value."""
    from anomagent.state.context import AgentRole, role_field

    name, _, model = text.partition("=")
    known: tuple[AgentRole, ...] = get_args(AgentRole)
    field = next((role_field(role) for role in known if name.strip() in (role, role_field(role))), None)
    if field is None:
        raise ConfigurationError(f"--role {text}: no role {name!r}; known: {', '.join(known)}")
    if not model.strip():
        raise ConfigurationError(f"--role {text}: no model; write it as {name}=provider:model")
    return field, model.strip()


def check_writable(file: Path | None) -> None:
    """Raises `ConfigurationError` if `file` cannot be written, before any work is done for it."""
    if file is None:
        return
    try:
        if file.is_dir() or not os.access(file.parent, os.W_OK):
            raise ConfigurationError(f"cannot write {file}: it is a folder, or its folder is missing or not writable")
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from error


def check_folder(folder: Path | None) -> None:
    """Raises `ConfigurationError` if files cannot be written into `folder`, which need not exist yet."""
    if folder is None:
        return
    try:
        existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    except OSError as error:
        raise ConfigurationError(f"cannot write into {folder}: {error.strerror}") from error
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise ConfigurationError(f"cannot write into {folder}: {existing} is no folder or not writable")
