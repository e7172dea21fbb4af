"""What is to be done: each content once, and nothing that is done already."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

from anomagent.batch.configuration import Gate
from anomagent.batch.items import Item
from anomagent.batch.results import ResultsFile
from anomagent.batch.stop import Stop
from anomagent.batch.tally import Tally
from anomagent.graph.identity import thread_id
from anomagent.state.findings import Analysis, ImageRef, Status
from anomagent.store import Workspace
from anomagent.store.analyses import name_images, read_outcome, read_states
from anomagent.store.images import hash_file

Which = Literal["missing", "failed", "both"]
"""What of this configuration is analysed: what was never finished, what failed or is partial, or both."""

_CHUNK: Final = 32
"""Images whose content and state are looked up together, shortly before their turn."""


@dataclass(frozen=True, slots=True)
class Job:
    """One image that is to be analysed now."""

    item: Item
    sha256: str
    """Its content as it was when the job was made; "" where the file could not be read."""


class Plan:
    """Hands out jobs, one content once, and counts what needs none. Belongs to one event loop.

    It keeps 16 bytes of each content and nothing of any result.
    """

    def __init__(
        self, items: Sequence[Item], gate: Gate, which: Which, stop: Stop, tally: Tally, results: ResultsFile | None
    ) -> None:
        self._items = iter(items)
        self._gate = gate
        self._which = which
        self._stop = stop
        self._tally = tally
        self._results = results
        self._workspace: Workspace | None = None
        self._configurations: tuple[str, ...] = ()
        self._lock = asyncio.Lock()
        self._ready: deque[Job] = deque()
        self._seen: dict[bytes, Status | None] = {}
        """By content that was handed out: how it ended, None while it is in work."""
        self._waiting: dict[bytes, list[Job]] = {}
        """Further names of contents in work."""
        self._names: list[tuple[str, str]] = []
        """Content and name of images that need no analysis under this name, to be noted in the store."""
        self._owed: list[Job] = []
        """Images whose results are in the store and not yet in the file of results."""

    @property
    def begun(self) -> bool:
        """Whether a run was begun; before that nothing can have been spent."""
        return self._workspace is not None

    def admit(
        self, workspace: Workspace, configuration: str, options: Mapping[str, Any], models: Mapping[str, str]
    ) -> dict[str, Any]:
        """What is to be stored with the run. Blocks; raises `ConfigurationError` where the batch must not begin."""
        return self._gate.admit(workspace, configuration, options, models)

    def begin(self, workspace: Workspace, run: str, configuration: str) -> None:
        """Note the run that was begun, and its configuration's hash."""
        self._workspace = workspace
        self._configurations = (configuration, *self._gate.keeps)
        self._tally.run, self._tally.configuration = run, configuration

    async def next(self) -> Job | None:
        """The next image to analyse; None when there is none or the batch is to end. Raises `StoreError`."""
        async with self._lock:
            while not self._stop.asked:
                if self._ready:
                    return self._ready.popleft()
                chunk = list(islice(self._items, _CHUNK))
                if not chunk:
                    return None
                for item, (sha256, state) in zip(chunk, await asyncio.to_thread(self._look, chunk), strict=True):
                    self._sort(Job(item, sha256), state)
                await self.settle_debts()
        return None

    def finish(self, job: Job, analysis: Analysis) -> list[Item]:
        """Note the end of a job; returns the further images with the same content, which share its result."""
        digest = _digest(job)
        self._seen[digest] = analysis.status
        copies = self._waiting.pop(digest, [])
        self._names += [(analysis.sha256, copy.item.name) for copy in copies]
        return [copy.item for copy in copies]

    def give_up(self, job: Job) -> None:
        """Note that a job gave no result: the next image with the same content is tried in its own right."""
        digest = _digest(job)
        self._seen.pop(digest, None)
        match self._waiting.pop(digest, []):
            case [first, *others]:
                self._seen[digest] = None
                self._waiting[digest] = others
                self._ready.appendleft(first)
            case _:
                pass

    async def settle_debts(self) -> None:
        """Write what is owed to the store and to the file of results. Raises `StoreError`."""
        names, self._names = self._names, []
        owed, self._owed = self._owed, []
        if names:
            await asyncio.to_thread(name_images, self._open, names)
        for job in owed:
            result = await asyncio.to_thread(read_outcome, self._open, self._threads(job.sha256))
            if self._results and result:
                self._results.write(job.item, result, again=True)

    @property
    def _open(self) -> Workspace:
        assert self._workspace, "an engine calls `begin` before `next`"
        return self._workspace

    def _look(self, chunk: Sequence[Item]) -> list[tuple[str, str | None]]:
        """Content and state of each image: "ok", "failed", "failed elsewhere" (under a kept configuration) or None."""
        contents = [hash_file(Path(item.path)) or "" for item in chunk]
        known = {sha256: self._threads(sha256) for sha256 in contents if sha256}
        states = read_states(self._open, [thread for threads in known.values() for thread in threads])
        return [(sha256, _state([states.get(thread) for thread in known.get(sha256, ())])) for sha256 in contents]

    def _sort(self, job: Job, state: str | None) -> None:
        digest = _digest(job)
        if not job.sha256:
            self._ready.append(job)
        elif digest in self._seen:
            self._add_copy(job, self._seen[digest])
        elif state == "ok":
            self._tally.already_done += 1
            self._owe(job)
        elif self._wants(state):
            self._seen[digest] = None
            self._ready.append(job)
        elif state == "failed":
            self._tally.failed_earlier += 1

    def _wants(self, state: str | None) -> bool:
        if self._which == "missing":
            return state != "failed"
        return self._which == "both" or state is not None

    def _add_copy(self, job: Job, status: Status | None) -> None:
        if status is None:
            self._waiting.setdefault(_digest(job), []).append(job)
        else:
            self._tally.count(status, duplicate=True)
            self._owe(job)

    def _owe(self, job: Job) -> None:
        self._names.append((job.sha256, job.item.name))
        if self._results and not self._results.has(job.item):
            self._owed.append(job)

    def _threads(self, sha256: str) -> list[str]:
        image = ImageRef(sha256=sha256, path="", width=0, height=0)
        return [thread_id(image, configuration) for configuration in self._configurations]


def _digest(job: Job) -> bytes:
    return bytes.fromhex(job.sha256[:32])


def _state(states: Sequence[Status | None]) -> str | None:
    """One state from those of the current configuration (first) and of kept ones."""
    if "ok" in states:
        return "ok"
    if states and states[0]:
        return "failed"
    return "failed elsewhere" if any(states) else None
