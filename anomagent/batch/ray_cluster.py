"""The way to a Ray cluster, and how much of each limit one of its workers gets."""

import importlib.util
import math
import os
import socket
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from anomagent.config import Settings
from anomagent.errors import ConfigurationError

_CALLS_A_WORKER = 64
"""Calls in flight that one process, with its one event loop, serves well."""
_REACH_SECONDS = 5.0


def check_settings(settings: Settings) -> None:
    """Raises `ConfigurationError` where `settings` cannot work on many machines."""
    for name in ("ledger", "checkpoints"):
        url: str | None = getattr(settings, name)
        if url is None:
            raise ConfigurationError(
                f"`{name}` must be a Postgres that every node reaches; give postgresql://USER@HOST:PORT/NAME"
            )
        if any(secret in argument for secret in _secrets(url) for argument in sys.argv):
            # Ray shows the command line of a job to everybody who can see its dashboard.
            raise ConfigurationError(f"the command line holds a password; give `{name}` in anomagent.toml or .env")


def connect() -> tuple[Any, bool]:
    """The module `ray`, connected to the cluster of `RAY_ADDRESS` or of this machine, and whether that is our doing.

    Blocks. Raises `ConfigurationError` where Ray is not installed or there is no cluster.
    """
    if importlib.util.find_spec("ray") is None:
        raise ConfigurationError("--engine ray needs an extra: pip install 'anomagent[ray]'")
    # Ray prints what happens on other nodes to our stdout, where the summary goes. Read when Ray is imported.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    ray: Any = import_module("ray")
    if ray.is_initialized():
        return ray, False
    address = os.environ.get("RAY_ADDRESS", "auto")
    if "://" in address:
        raise ConfigurationError("RAY_ADDRESS must be HOST:PORT; run the batch on a node of the cluster")
    _check_reachable(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigurationError(_no_cluster(str(error).partition("\n")[0])) from error
    return ray, True


def count_workers(ray: Any, concurrency: int) -> int:
    """At least one on each node, more for many calls in flight, no more than there are CPUs or calls."""
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not nodes:
        raise ConfigurationError("the Ray cluster has no node with a CPU; add one")
    cpus = sum(int(node["Resources"]["CPU"]) for node in nodes)
    return min(max(len(nodes), math.ceil(concurrency / _CALLS_A_WORKER)), cpus, concurrency)


def share_out(settings: Settings, workers: int, number: int, name: str) -> dict[str, Any]:
    """The settings of worker `number`: its part of the limits, and its name in Postgres.

    Calls in flight are dealt out whole, so that the parts add up; rates are divided evenly. Money is not: workers draw
    it from one pot.
    """
    part: dict[str, Any] = settings.model_dump()
    part["concurrency"] = settings.concurrency // workers + (number < settings.concurrency % workers)
    for limit in ("requests_per_minute", "tokens_per_minute"):
        if part[limit] is not None:
            part[limit] /= workers
    for place in ("ledger", "checkpoints"):
        part[place] = _named(part[place], name)
    if settings.prices:
        part["prices"] = settings.prices.absolute()
    return part


def _secrets(url: str) -> list[str]:
    """What of `url` must be in no argument: the URL itself, or its password as it stands there. Empty without one."""
    with suppress(ValueError):  # what is no URL is refused where it is used
        password = urlsplit(url).password
        asked = [piece for piece in _pieces(url) if _name(piece) == "password"]
        return [url, *asked, *([f":{password}@"] if password else [])] if password or asked else []
    return []


def _named(url: str, name: str) -> str:
    """`url` as it was given, but for `application_name`."""
    kept = [piece for piece in _pieces(url) if _name(piece) != "application_name"]
    return f"{url.partition('?')[0]}?{'&'.join([*kept, f'application_name={quote(name)}'])}"


def _pieces(url: str) -> list[str]:
    return [piece for piece in url.partition("?")[2].split("&") if piece]


def _name(piece: str) -> str:
    return unquote(piece.partition("=")[0])


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host:
        return  # "auto", "local" and the like
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ConfigurationError(_no_cluster(f"{address}: {error}")) from None


def _no_cluster(problem: str) -> str:
    return f"no Ray cluster ({problem}); start one with `ray start --head`, or set RAY_ADDRESS=HOST:PORT"
