"""Runs: one row for each time that somebody started work."""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from anomagent.store.database import clean, now
from anomagent.store.workspace import Workspace

_SECRET_NAMES = ("apikey", "password", "secret", "authorization", "accesstoken")


def start_run(workspace: Workspace, command: str, config: Mapping[str, Any], config_hash: str) -> str:
    """Begin a run and return its id, which sorts by time: 20260131-235959-1f2e3d.

    `config` is everything that decides what the run does. Raises `ValueError` where it could hold a secret.
    """
    if found := next(_secrets(config), None):
        raise ValueError(f"the configuration of a run must not hold secrets, but has {found!r}")
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    text = json.dumps(clean(dict(config)), ensure_ascii=False, sort_keys=True)
    with workspace.writing() as connection:
        connection.execute(
            "INSERT INTO runs (id, started, command, config_hash, config) VALUES (?, ?, ?, ?, ?)",
            (run_id, now(), clean(command), config_hash, text),
        )
    return run_id


def finish_run(workspace: Workspace, run_id: str) -> None:
    """Note that a run has ended by itself; one that was killed stays without an end."""
    with workspace.writing() as connection:
        connection.execute("UPDATE runs SET finished = ? WHERE id = ? AND finished IS NULL", (now(), run_id))


@dataclass(frozen=True)
class StoredRun:
    """A run as it was begun."""

    id: str
    config_hash: str
    config: dict[str, Any]


def read_last_run(workspace: Workspace, command: str) -> StoredRun | None:
    """The run of `command` that was begun last, if there was any; whatever clocks said meanwhile."""
    query = "SELECT id, config_hash, config FROM runs WHERE command = ? ORDER BY rowid DESC LIMIT 1"
    with workspace.reading() as connection:
        row = connection.execute(query, (command,)).fetchone()
    return StoredRun(row[0], row[1], json.loads(row[2])) if row else None


def _secrets(value: object) -> Iterator[str]:
    """The names inside `value`, however deep, under which people keep keys."""
    if isinstance(value, Mapping):
        for key, item in cast(Mapping[object, object], value).items():
            name = str(key).lower().replace("_", "").replace("-", "")
            if any(secret in name for secret in _SECRET_NAMES):
                yield str(key)
            yield from _secrets(item)
    elif isinstance(value, list | tuple):
        for item in cast(list[object], value):
            yield from _secrets(item)
