"""A worker on a Ray cluster: one analyzer in a process of its own, with a scratch workspace on its node."""

import asyncio
import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
import time
import traceback
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from anomagent import __version__
from anomagent.config import Settings
from anomagent.errors import AnomagentError, ConfigurationError
from anomagent.graph.analyze import Analyzer
from anomagent.models.budget import Budget
from anomagent.models.seam import Event
from anomagent.state.context import roles_of
from anomagent.state.findings import Analysis
from anomagent.store import AnalysisResult, Workspace, list_analyses, read_analysis

_SWEEP_LOOKS = 20
_OF_IMAGE = "SELECT id FROM analyses WHERE sha256 = ?"
_PARTS = """
    SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
    WHERE t.type = 'table' AND c.name = 'analysis_id'"""


@dataclass(frozen=True)
class Greeting:
    """What a worker says about itself before it works."""

    version: str
    models: dict[str, str]
    """Identities of the models by role."""
    life: int = 0
    """How often this worker was started, where there is a budget."""


@dataclass(frozen=True)
class Reply:
    """What became of one image."""

    result: AnalysisResult
    """As plain data; the image is called as in the scratch workspace."""
    analysis: Analysis | None
    """The same for whoever asked; None where there is a fault."""
    events: list[Event]
    """What happened to calls of this worker since its last reply."""
    fault: str = ""
    """The traceback of a fault of ours that ended the analysis; the result is then a failed one."""


class Hand:
    """The class of the actor. A restart begins with a new one: what it asked before is answered by the ledger."""

    def __init__(self, box: list[Any], name: str) -> None:
        """`box` holds a reference to the settings: behind it, passwords stay out of what Ray tells about tasks.

        `name` is what this worker is called in Postgres, before and after a restart.
        """
        self._box = box
        self._name = name
        self._events: list[Event] = []
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._analyzer: Analyzer | None = None
        self._life = 0

    async def greet(self) -> Greeting:
        """Open everything. Raises what `Analyzer.open` raises."""
        analyzer = await self._open()
        context = analyzer.context
        models = await analyzer.session.seam.prepare(context, roles_of(context.schedule))
        return Greeting(__version__, models, self._life)

    async def analyze(self, image: bytes) -> Reply:
        """Analyse an image that the driver has checked. Raises `StoreError` and `ConfigurationError`."""
        analyzer = await self._open()
        try:
            return await self._analyze(analyzer, image)
        finally:
            analyzer.session.seam.budget.rest()

    async def close(self) -> float:
        """Give up claims and connections; returns the US dollars that were spent."""
        async with self._opening:
            analyzer, self._analyzer = self._analyzer, None
            await self._stack.aclose()
            return analyzer.session.seam.budget.spent if analyzer else 0.0

    async def sweep(self) -> None:
        """Remove the scratch workspace, unless another worker of the node is still in it."""
        settings = await self._settings()
        await asyncio.to_thread(_sweep, settings.workspace)

    async def _analyze(self, analyzer: Analyzer, image: bytes) -> Reply:
        path = Path((await analyzer.session.ingest(image))["path"])
        analysis, fault = None, ""
        try:
            analysis = await analyzer.analyze(path)
        except AnomagentError:
            raise
        except Exception as error:
            fault = "".join(traceback.format_exception(error)).strip()
            await analyzer.record_fault(path, error)
        result = await asyncio.to_thread(_newest, analyzer, path)
        # Disks of nodes stay as they are, however many images there are.
        path.unlink(missing_ok=True)
        await asyncio.to_thread(_forget, analyzer.session.workspace, result["sha256"])
        events = self._events.copy()
        self._events.clear()
        return Reply(result, analysis, events, fault)

    async def _open(self) -> Analyzer:
        async with self._opening:
            if self._analyzer is None:
                settings = await self._settings()
                self._stack.callback(os.close, await asyncio.to_thread(_enter, settings.workspace))
                opening = Analyzer.open(settings, self._events.append, "batch")
                analyzer = await self._stack.enter_async_context(opening)
                if settings.budget_usd is not None:
                    await self._share_budget(settings, analyzer.session.seam.budget)
                self._analyzer = analyzer
            return self._analyzer

    async def _share_budget(self, settings: Settings, budget: Budget) -> None:
        from anomagent.store.postgres_money import Purse

        assert settings.ledger, "the driver has checked it"
        purse = await asyncio.to_thread(Purse, settings.ledger, self._name)
        self._stack.callback(purse.close)
        budget.share(purse)
        self._life = purse.life

    async def _settings(self) -> Settings:
        settings = Settings(**cast(Mapping[str, Any], await self._box[0]))
        settings.workspace = Path(tempfile.gettempdir()) / settings.workspace
        return settings


def scratch_of(workspace: Path) -> Path:
    """The folder for temporary files in which workers for `workspace` work.

    It is the same on every node, and in the next batch, so that one can resume what another began.
    """
    place = f"{platform.node()} {workspace}"
    return Path(f"anomagent-{hashlib.sha256(place.encode()).hexdigest()[:16]}")


def _enter(folder: Path) -> int:
    """Make a folder that is our user's alone, and an open file whose lock says that somebody is in it.

    Raises `ConfigurationError` where another user was there before.
    """
    try:
        lock = os.open(_lock_of(folder), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        fcntl.flock(lock, fcntl.LOCK_SH)
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ConfigurationError(f"{folder}: a node cannot make its scratch folder ({error.strerror})") from None
    if folder.is_symlink() or found.st_uid != os.getuid():
        raise ConfigurationError(f"{folder}: belongs to somebody else on a node of the cluster; remove it there")
    return lock


def _sweep(folder: Path) -> None:
    lock = os.open(_lock_of(folder), os.O_RDWR)
    try:
        for _ in range(_SWEEP_LOOKS):
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                return
            time.sleep(0.1)  # for one that is being killed
    finally:
        os.close(lock)


def _lock_of(folder: Path) -> Path:
    """Beside the folder, so that it stays when the folder goes."""
    return folder.with_suffix(".lock")


def _newest(analyzer: Analyzer, path: Path) -> AnalysisResult:
    workspace = analyzer.session.workspace
    newest = list_analyses(workspace, run_id=analyzer.run, sha256=path.stem)[-1]
    stored = cast(Mapping[str, Any], read_analysis(workspace, newest["id"]))
    return cast(AnalysisResult, {key: stored[key] for key in AnalysisResult.__annotations__})


def _forget(workspace: Workspace, sha256: str) -> None:
    """Remove what a scratch workspace holds about an image: the driver keeps its result, Postgres its calls."""
    with workspace.writing() as connection:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        keys = f"SELECT key FROM analysis_calls WHERE analysis_id IN ({_OF_IMAGE})"
        connection.execute(f"DELETE FROM calls WHERE key IN ({keys})", (sha256,))
        for (table,) in connection.execute(_PARTS).fetchall():
            connection.execute(f"DELETE FROM {table} WHERE analysis_id IN ({_OF_IMAGE})", (sha256,))
        connection.execute("DELETE FROM analyses WHERE sha256 = ?", (sha256,))
