"""The same batch on a real Ray cluster of two nodes, with a real Postgres, while an actor and a node are lost."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from PIL import Image

from tests.batch.folder import read
from tests.postgres_server import Server, running_server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
IMAGES = 24
OBJECTS = [{"name": "cup", "description": "a cup"}, {"name": "chair", "description": "a chair"}]
WHOLE = IMAGES * (11 + 5 * len(OBJECTS))
"""Calls of the paper's schedule."""
SCRIPT = {
    "rules": [
        *(
            {"role": "ObjectPerceiver", "step": step, "says": [{"reply": {"objects": OBJECTS}}], "delay": 0.2}
            for step in ("list", "merge")
        ),
        *(
            {"role": role, "step": step, "says": [{"reply": {"issues": []}}], "delay": 0.2}
            for role, step in (("AttributeAnalyzer", "list"), ("RelationReasoner", "verify"))
        ),
    ]
}

BATCH = """
import asyncio, json, sys
from anomagent.benchmark.items import gather
from anomagent.batch.local import LocalEngine
from anomagent.batch.ray_engine import RayEngine
from anomagent.batch.runner import run_batch
from anomagent.config import load_settings

engine = RayEngine() if sys.argv[1] == "ray" else LocalEngine()
tally = asyncio.run(run_batch(load_settings(), gather(["images"]), engine))
print(json.dumps(tally.as_dict()))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def postgres(server: Server) -> str:
    """The URL of an empty database."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return server.url


@dataclass(frozen=True)
class Nodes:
    """A running cluster."""

    process: subprocess.Popen[str]
    address: str
    mark: str
    """In the environment of every process of the cluster."""
    folder: Path
    """For temporary files of all nodes."""

    def remove_one(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("remove\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == "removed"

    def workers(self) -> list[int]:
        """Process ids of the actors."""
        return [pid for pid in self.pids() if b"ray::Hand" in _file(pid, "cmdline")]

    def pids(self) -> list[int]:
        """Process ids of everything that belongs to the cluster."""
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in pids if self.mark.encode() in _file(pid, "environ")]


@contextmanager
def running_cluster() -> Generator[Nodes]:
    mark = f"cluster-{secrets.token_hex(8)}"
    folder = tempfile.mkdtemp(prefix="ray-")  # short: sockets lie in it
    environment = {**_environment(), "TEST_CLUSTER": mark, "TMPDIR": folder}
    process = _start([sys.executable, "-m", "tests.batch.cluster", folder], environment)
    assert process.stdout is not None
    nodes = Nodes(process, process.stdout.readline().strip(), mark, Path(folder))
    try:
        assert nodes.address, process.communicate()
        yield nodes
    finally:
        process.communicate(timeout=60)
        for pid in nodes.pids():  # what outlived the cluster
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed (pip install 'anomagent[ray]')")
    with running_cluster() as nodes:
        yield nodes


@pytest.fixture
def nodes(cluster: Nodes, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    return cluster


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "script.json").write_text(json.dumps(SCRIPT))
    (tmp_path / "images").mkdir()
    for number in range(IMAGES):
        Image.new("RGB", (32, 24), (number, 90, 10)).save(tmp_path / "images" / f"{number}.png")
    return tmp_path


def test_a_model_that_nodes_cannot_use_is_said_in_one_line(nodes: Nodes, postgres: str, images: Path) -> None:
    process = _batch(images, "ray", ledger=postgres, checkpoints=postgres, model="openai:gpt-4o")
    _, errors = process.communicate(timeout=60)
    assert errors.splitlines()[-1].startswith("anomagent.errors.ConfigurationError: openai:gpt-4o: no API key")
    assert read(images / "ray", "SELECT * FROM runs") == []


def test_an_interrupted_batch_finishes_what_is_in_work_and_can_be_resumed(
    nodes: Nodes, postgres: str, images: Path
) -> None:
    secret = postgres.replace("tester@", "tester:sesame99@")
    shared = {"ledger": secret, "checkpoints": secret}
    driver = _batch(images, "ray", **shared)
    _wait(driver, lambda: _paid(postgres) > WHOLE // 8)
    driver.send_signal(signal.SIGINT)
    drained = _finish(driver)
    assert drained["stopped"] == "interrupted"
    assert 0 < drained["done"] == drained["ok"] < IMAGES
    assert (_claims(postgres), _threads(postgres)) == (0, 0)

    driver = _batch(images, "ray", **shared)
    _wait(driver, lambda: _paid(postgres) > WHOLE // 2)
    driver.send_signal(signal.SIGINT)
    driver.send_signal(signal.SIGINT)
    dropped = _finish(driver)
    assert (dropped["stopped"], dropped["already_done"]) == ("interrupted", drained["done"])
    assert _claims(postgres) == 0

    resumed = _finish(_batch(images, "ray", **shared))
    assert resumed["already_done"] + resumed["ok"] == IMAGES
    assert _statuses(postgres) == {"good": WHOLE}
    assert _threads(postgres) == 0
    assert not [path for path in nodes.folder.glob("anomagent-*") if path.is_dir()], "scratch folders are removed"
    files = [path for place in (nodes.folder, images) for path in place.rglob("*") if path.is_file()]
    assert not [path for path in files if b"sesame99" in path.read_bytes()], "no password in logs or stores"


def test_a_driver_that_is_killed_costs_no_finished_call(nodes: Nodes, postgres: str, images: Path) -> None:
    shared = {"ledger": postgres, "checkpoints": postgres}
    driver = _batch(images, "ray", **shared)
    _wait(driver, lambda: _paid(postgres) > WHOLE // 4)
    driver.kill()
    driver.communicate()

    resumed = _finish(_batch(images, "ray", **shared))
    assert resumed["already_done"] + resumed["ok"] == IMAGES
    assert _statuses(postgres) == {"good": WHOLE}
    assert (_claims(postgres), _threads(postgres)) == (0, 0)


def test_what_this_workspace_alone_was_answered_is_not_asked_again(nodes: Nodes, postgres: str, images: Path) -> None:
    """One machine is killed half way; the workspace goes on with a cluster that knows nothing of it."""
    driver = _batch(images, "local", workspace=str(images / "ray"))
    _wait(driver, lambda: _kept(images / "ray") > WHOLE // 2)
    driver.kill()
    driver.communicate()
    here = _kept(images / "ray")
    finished = read(images / "ray", "SELECT count(*) FROM analyses WHERE status = 'ok'")[0][0]
    assert 0 < finished < IMAGES

    summary = _finish(_batch(images, "ray", ledger=postgres, checkpoints=postgres))
    assert (summary["already_done"], summary["ok"]) == (finished, IMAGES - finished)
    assert summary["usage"]["calls"] == WHOLE - here, "of the workspace's calls none was asked again"
    assert _bag(images / "ray", "SELECT status FROM calls") == {("good",): WHOLE}
    assert _ask(postgres, "SELECT count(*) FROM anomagent_calls WHERE client LIKE 'anomagent-%'")[0][0] == WHOLE - here


def test_all_workers_spend_one_budget_and_none_of_it_twice(nodes: Nodes, postgres: str, images: Path) -> None:
    """As one machine would: it is nearly used up, never passed, and what is left undone goes on with more money."""
    (images / "script.json").write_text('{"rules": []}')  # nothing is seen; unlike scripted answers these have tokens
    (images / "prices.toml").write_text(f'[models]\n"fake:{images / "script.json"}" = {{input = 1000, output = 10}}\n')
    shared = {"ledger": postgres, "checkpoints": postgres, "prices": str(images / "prices.toml"), "concurrency": "4"}
    whole = _finish(_batch(images, "local", prices=shared["prices"]))
    ((dearest,),) = read(images / "local", "SELECT max(usd) FROM calls")
    budget = whole["spent_usd"] / 2

    driver = _batch(images, "ray", **shared, budget_usd=str(budget))
    _wait(driver, lambda: _paid(postgres) > IMAGES)
    os.kill(nodes.workers()[0], signal.SIGKILL)
    cut = _finish(driver)
    paid = _ask(postgres, "SELECT sum(usd), count(*), sum(input_tokens) FROM anomagent_calls")[0]
    assert cut["stopped"] == "budget"
    assert cut["spent_usd"] == pytest.approx(paid[0])
    assert (cut["usage"]["calls"], cut["usage"]["input_tokens"]) == paid[1:]
    # Left: what four calls in flight may cost at most, a safe estimate being up to three times what a call costs.
    assert budget - 5 * 3 * dearest < cut["spent_usd"] <= budget
    assert _ask(postgres, "SELECT * FROM anomagent_grants") == []

    rest = _finish(_batch(images, "ray", **shared, budget_usd=str(2 * whole["spent_usd"])))
    assert (rest["stopped"], rest["already_done"] + rest["ok"]) == (None, IMAGES)
    # An image that is cut short may ask a few things that a whole one does not: what is found is put in order without
    # the passes that had no money.
    assert _statuses(postgres) == {"good": cut["usage"]["calls"] + rest["usage"]["calls"]}, "nothing was paid for twice"
    ((usd, tokens),) = _ask(postgres, "SELECT sum(usd), sum(input_tokens) FROM anomagent_calls")
    assert cut["spent_usd"] + rest["spent_usd"] == pytest.approx(usd)
    assert cut["usage"]["input_tokens"] + rest["usage"]["input_tokens"] == tokens

    unhurt = _finish(_batch(images, "ray", **shared, workspace=str(images / "other")))
    assert (unhurt["spent_usd"], unhurt["usage"]["ledger_hits"]) == (0.0, whole["usage"]["calls"])


def test_an_actor_and_a_node_are_lost_and_nothing_else(nodes: Nodes, postgres: str, images: Path) -> None:
    shared = {"ledger": postgres, "checkpoints": postgres}
    driver = _batch(images, "ray", **shared)
    _wait(driver, lambda: _paid(postgres) > WHOLE // 8)
    first, *others = nodes.workers()
    assert others, "one actor on each node"
    os.kill(first, signal.SIGKILL)
    _wait(driver, lambda: _paid(postgres) > WHOLE // 3)
    nodes.remove_one()
    summary = _finish(driver)

    local = _finish(_batch(images, "local"))
    counts = {"images", "done", "ok", "partial", "failed", "already_done", "duplicates", "left", "failed_earlier"}
    assert {name: summary[name] for name in counts} == {name: local[name] for name in counts}
    assert summary["ok"] == IMAGES
    assert summary["usage"]["calls"] == WHOLE, "what the lost ones paid counts"
    assert summary["spent_usd"] == 0.0

    assert _statuses(postgres) == {"good": WHOLE}, "nothing was paid for twice"
    for query in (
        "SELECT key, status, text, model, input_tokens FROM calls",
        "SELECT sha256, name FROM image_names",
        "SELECT sha256, image, status, schedule, models, calls + ledger_hits FROM analyses",
        "SELECT sha256, a.position, name, severity FROM anomalies a JOIN analyses n ON a.analysis_id = n.id",
        "SELECT sha256, f.role, kind, item FROM findings f JOIN analyses n ON f.analysis_id = n.id",
        "SELECT sha256, c.key FROM analysis_calls c JOIN analyses n ON c.analysis_id = n.id",
    ):
        assert _bag(images / "ray", query) == _bag(images / "local", query), query
    assert _claims(postgres) == 0
    assert _threads(postgres) == 0, "the histories of finished analyses are dropped"

    again = _finish(_batch(images, "ray", **shared))
    assert (again["already_done"], again["usage"]["calls"]) == (IMAGES, 0)


def _batch(images: Path, engine: str, **settings: str) -> subprocess.Popen[str]:
    """A batch over `images`, into the workspace that is named like the engine."""
    settings = {"model": f"fake:{images / 'script.json'}", "concurrency": "16", **settings}
    settings.setdefault("workspace", str(images / engine))
    environment = {f"ANOMAGENT_{name.upper()}": value for name, value in settings.items()}
    return _start([sys.executable, "-W", "error", "-c", BATCH, engine], _environment() | environment, images)


def _start(command: list[str], environment: dict[str, str], folder: Path = ROOT) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _environment() -> dict[str, str]:
    """Without settings of this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANOMAGENT_", "OPENAI_"))}
    return {**kept, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "PYTHONPATH": str(ROOT)}


def _finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return json.loads(output)


def _wait(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    for _ in range(1_200):
        if ready():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("the batch did not get that far")


def _ask(url: str, query: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def _paid(url: str) -> int:
    try:
        return sum(_statuses(url).values())
    except psycopg.errors.UndefinedTable:
        return 0


def _kept(workspace: Path) -> int:
    """Good calls in a workspace."""
    try:
        return len(read(workspace, "SELECT 1 FROM calls"))
    except sqlite3.OperationalError:  # not made yet
        return 0


def _statuses(url: str) -> dict[str, int]:
    return dict(_ask(url, "SELECT status, count(*) FROM anomagent_calls GROUP BY status"))


def _claims(url: str) -> int:
    return _ask(url, "SELECT count(*) FROM anomagent_claims")[0][0]


def _threads(url: str) -> int:
    return _ask(url, "SELECT count(DISTINCT thread_id) FROM checkpoints")[0][0]


def _bag(workspace: Path, query: str) -> Counter[Any]:
    return Counter(read(workspace, query))


def _file(pid: int, name: str) -> bytes:
    try:
        return Path("/proc", str(pid), name).read_bytes()
    except OSError:  # gone meanwhile
        return b""
