"""What is to be done: each content once, and nothing that is done already."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from anomagent.batch.configuration import Gate
from anomagent.batch.results import ResultsFile
from anomagent.batch.states import State, Which, find_states, is_meant, threads_of
from anomagent.batch.stop import Stop
from anomagent.batch.tally import Tally
from anomagent.benchmark.items import Item
from anomagent.errors import UsageError
from anomagent.models.budget import Standing
from anomagent.models.types import Usage
from anomagent.state.findings import Analysis, Status
from anomagent.store import Workspace
from anomagent.store.analyses import count_finished, name_images, read_outcome
from anomagent.store.images import check_image, hash_file
from anomagent.store.sources import Source, note_sources

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
        self._which: Which = which
        self._stop = stop
        self._tally = tally
        self._results = results
        self._workspace: Workspace | None = None
        self.configurations: tuple[str, ...] = ()
        """Hashes of this configuration and of those whose results count, once a run was begun."""
        self._lock = asyncio.Lock()
        self._ready: deque[Job] = deque()
        self._seen: dict[bytes, Status | None] = {}
        """By content that was handed out: how it ended, None while it is in work."""
        self._waiting: dict[bytes, list[Job]] = {}
        """Further names of contents in work."""
        self._names: list[tuple[str, str]] = []
        """Content and name of images that need no analysis under this name, to be noted in the store."""
        self._sources: list[Source] = []
        """What manifests say of images that the store knows, to be noted there."""
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
        self.configurations = (configuration, *self._gate.keeps)
        self._tally.run, self._tally.configuration = run, configuration
        self._tally.finished_before = count_finished(workspace, self.configurations)

    def account(self, standing: Standing, requests: int, usage: Usage) -> None:
        """Note what the engine has paid in all: money, requests and their tokens."""
        self._tally.account(standing, requests, usage)

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
        """Note the end of a job; returns the further images with the same content, which share its result.

        There are none where the file was changed since it was looked at: then its copies are tried in their own right.
        """
        if analysis.sha256 != job.sha256:
            self.give_up(job)
            return []
        digest = _digest(job)
        self._seen[digest] = analysis.status
        copies = self._waiting.pop(digest, [])
        self._names += [(analysis.sha256, copy.item.name) for copy in copies]
        for one in (job, *copies):
            self._note_source(one)
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
        sources, self._sources = self._sources, []
        owed, self._owed = self._owed, []
        if names:
            await asyncio.to_thread(name_images, self._open, names)
        if sources:
            await asyncio.to_thread(_write_sources, self._open, sources)
        for job in owed:
            threads = threads_of(job.sha256, self.configurations)
            result = await asyncio.to_thread(read_outcome, self._open, threads)
            if self._results and result:
                self._results.write(job.item, result, result["configuration"], again=True)

    def _note_source(self, job: Job) -> None:
        """Only of images that a manifest says something about."""
        item = job.item
        if item.details:
            source = Source(job.sha256, item.name, None, item.prompt, item.source or item.generator, item.id)
            self._sources.append(source)

    @property
    def _open(self) -> Workspace:
        assert self._workspace, "an engine calls `begin` before `next`"
        return self._workspace

    def _look(self, chunk: Sequence[Item]) -> list[tuple[str, State | None]]:
        """Content and state of each image; content is "" for what is to fail as unreadable, whatever is asked for."""
        contents = [hash_file(Path(item.path)) or "" for item in chunk]
        states = find_states(self._open, [content for content in contents if content], self.configurations)
        if self._which == "failed":  # nobody else will look at what was never analysed
            contents = [
                content if content in states or _is_image(item) else ""
                for item, content in zip(chunk, contents, strict=True)
            ]
        return [(content, states.get(content)) for content in contents]

    def _sort(self, job: Job, state: State | None) -> None:
        self._tally.looked_at += 1
        digest = _digest(job)
        if not job.sha256:
            self._ready.append(job)
        elif digest in self._seen:
            self._add_copy(job, self._seen[digest])
        elif state == "ok":
            self._tally.already_done += 1
            self._owe(job)
        elif is_meant(state, self._which):
            self._seen[digest] = None
            self._ready.append(job)
        elif state == "failed":
            self._tally.failed_earlier += 1
        else:
            self._tally.not_meant += 1

    def _add_copy(self, job: Job, status: Status | None) -> None:
        if status is None:
            self._waiting.setdefault(_digest(job), []).append(job)
        else:
            self._tally.count(status, duplicate=True)
            self._owe(job)

    def _owe(self, job: Job) -> None:
        self._names.append((job.sha256, job.item.name))
        self._note_source(job)
        if self._results and not self._results.has(job.item, job.sha256, self.configurations):
            self._owed.append(job)


def _write_sources(workspace: Workspace, sources: Sequence[Source]) -> None:
    with workspace.writing() as connection:
        note_sources(connection, sources)


def _is_image(item: Item) -> bool:
    try:
        check_image(item.path)
    except UsageError:
        return False
    return True


def _digest(job: Job) -> bytes:
    return bytes.fromhex(job.sha256[:32])
