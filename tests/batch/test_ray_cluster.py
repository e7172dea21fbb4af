"""What is settled before a Ray cluster is asked: settings, addresses, and who gets how much."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.batch.ray_cluster import check_settings, connect, count_workers, share_out
from anomagent.config import Settings, load_settings
from anomagent.errors import ConfigurationError

URL = "postgresql://ann:sesame99@db/x?sslmode=require&application_name=mine"


def settings_of(**changes: Any) -> Settings:
    return load_settings(**{"ledger": URL, "checkpoints": URL, **changes})


@hypothesis.settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 40), st.floats(0.1, 1e6))
def test_the_parts_add_up(concurrency: int, workers: int, limit: float) -> None:
    workers = min(workers, concurrency)
    limits = {"requests_per_minute": limit, "tokens_per_minute": 2 * limit}
    settings = settings_of(concurrency=concurrency, budget_usd=3 * limit, **limits)
    parts = [share_out(settings, workers, number, f"w{number}") for number in range(workers)]

    places = [part["concurrency"] for part in parts]
    assert sum(places) == concurrency
    assert max(places) - min(places) <= 1
    assert min(places) >= 1
    for name, whole in limits.items():
        assert sum(part[name] for part in parts) == pytest.approx(whole)
    assert {part["budget_usd"] for part in parts} == {3 * limit}, "it is one pot"
    assert all(Settings(**part) for part in parts)


def test_a_worker_is_known_in_postgres_by_its_name() -> None:
    part = share_out(settings_of(), 1, 0, "anomagent-1f-0")

    for name in ("ledger", "checkpoints"):
        url = urlsplit(part[name])
        assert url.netloc == "ann:sesame99@db"
        assert parse_qs(url.query) == {"sslmode": ["require"], "application_name": ["anomagent-1f-0"]}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann@db/x?options=-c%20search_path%3Dmine&sslpassword=",
        "postgresql:///x?host=/var/run/a+b",
        "postgres://ann:p%40ss@a:1,b:2/x",
    ],
    ids=["escapes and blanks", "a socket", "two hosts"],
)
def test_the_rest_of_a_url_stays_as_it_is(url: str) -> None:
    conninfo = pytest.importorskip("psycopg.conninfo")
    part = share_out(settings_of(ledger=url), 1, 0, "w-0")

    assert part["ledger"].startswith(url)
    assert conninfo.conninfo_to_dict(part["ledger"]) == {**conninfo.conninfo_to_dict(url), "application_name": "w-0"}


def test_no_limit_stays_none_and_paths_hold_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    part = share_out(settings_of(prices=Path("prices.toml")), 3, 0, "w")

    assert [part[name] for name in ("requests_per_minute", "tokens_per_minute", "budget_usd")] == [None] * 3
    assert part["prices"] == tmp_path / "prices.toml"


@pytest.mark.parametrize("missing", ["ledger", "checkpoints"])
def test_both_databases_must_be_shared(missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"`{missing}` must be a Postgres that every node reaches"):
        check_settings(settings_of(**{missing: None}))


def test_a_password_on_the_command_line_would_be_shown_by_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    check_settings(settings_of())
    monkeypatch.setattr(sys, "argv", ["anomagent", "batch", f"--ledger={URL}"])

    with pytest.raises(ConfigurationError, match="the command line holds a password") as caught:
        check_settings(settings_of())
    assert "sesame99" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "argument", "refused"),
    [
        ("postgresql://ann:ann@db/x", "photos-of-ann", False),
        ("postgresql://ann:batch@db/x", "batch", False),
        ("postgresql://ann@db/x", "--ledger=postgresql://ann@db/x", False),
        ("postgresql://ann:batch@db/x", "--checkpoints=postgresql://ann:batch@db/other", True),
        ("postgresql://ann@db/x?password=sesame99", "--ledger=postgresql://ann@db/x?password=sesame99", True),
        ("postgresql://ann@db/x?password=sesame99", "sesame", False),
    ],
)
def test_only_a_password_in_its_place_counts(
    url: str, argument: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["anomagent", "batch", argument])
    settings = settings_of(ledger=url, checkpoints=url)
    if refused:
        with pytest.raises(ConfigurationError, match="the command line holds a password"):
            check_settings(settings)
    else:
        check_settings(settings)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match=r"pip install 'anomagent\[ray\]'"):
        connect()


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "no Ray cluster .*refused.*; start one with `ray start --head`, or set RAY_ADDRESS=HOST:PORT"),
        ("ray://127.0.0.1:10001", "run the batch on a node of the cluster"),
        ("127.0.0.1:here", "no Ray cluster"),
    ],
)
def test_a_cluster_that_is_not_there_is_said_at_once(
    address: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)

    with pytest.raises(ConfigurationError, match=message):
        connect()


class Cluster:
    """What Ray says about its nodes: CPUs of each that lives."""

    def __init__(self, *cpus: float) -> None:
        self._cpus = cpus

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": cpus >= 0, "Resources": {"CPU": abs(cpus)}} for cpus in self._cpus]


@pytest.mark.parametrize(
    ("cpus", "concurrency", "workers"),
    [
        ((4, 4), 8, 2),  # one a node
        ((4, 4), 1, 1),  # a worker without a call would be idle
        ((4, 4), 400, 7),  # 400 / 64 = 6.25
        ((4, 4), 1_000, 8),  # no more than CPUs
        ((4, -4, 0), 8, 1),  # dead nodes and those without a CPU do not count
    ],
)
def test_workers_fill_the_cluster_as_far_as_there_is_work(
    cpus: tuple[float, ...], concurrency: int, workers: int
) -> None:
    assert count_workers(Cluster(*cpus), concurrency) == workers


def test_a_cluster_without_a_cpu_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no node with a CPU"):
        count_workers(Cluster(-4, 0), 8)
