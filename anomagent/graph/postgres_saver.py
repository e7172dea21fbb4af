"""LangGraph's checkpoints in Postgres, patient with a server that is away."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.rows import dict_row

from anomagent.store.postgres import PATIENCE_SECONDS, Patience, Pool, open_pool, postgres_errors

SETTING = "checkpoints"

_CONNECTIONS = 8


class PatientSaver(AsyncPostgresSaver):
    """What the graph reads and writes is tried again while the way to the server is broken; then it is `StoreError`.

    Every statement of the saver may be repeated: rows are inserted or replaced by their key.
    """

    def __init__(self, pool: Pool, patience: float = PATIENCE_SECONDS) -> None:
        super().__init__(pool)
        self._patience = Patience(SETTING, patience)

    async def setup(self) -> None:
        """Make the tables where they are missing."""
        with postgres_errors(SETTING):
            await super().setup()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the newest of its thread."""
        get = super().aget_tuple
        return await self._patience.run(lambda: get(config))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint."""
        put = super().aput
        return await self._patience.run(lambda: put(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what one task of a step wrote."""
        put = super().aput_writes
        await self._patience.run(lambda: put(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """Forget a thread."""
        delete = super().adelete_thread
        await self._patience.run(lambda: delete(thread_id))


@asynccontextmanager
async def open_saver(url: str, patience: float = PATIENCE_SECONDS) -> AsyncGenerator[PatientSaver]:
    """The saver for `url`, its tables made.

    Raises `ConfigurationError` for a server that cannot be used, `StoreError` where it lets us make no tables.
    """
    async with await open_pool(url, SETTING, _CONNECTIONS, prepare_threshold=0, row_factory=dict_row) as pool:
        saver = PatientSaver(pool, patience)
        await saver.setup()
        yield saver
