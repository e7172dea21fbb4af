"""A ledger in memory: for library users without a workspace, and for tests."""

from anomagent.models.types import Attempt


class MemoryLedger:
    """Keeps every finished request in a list; forgets all when the process ends."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self._claims: set[str] = set()

    async def good(self, key: str) -> Attempt | None:
        """The last good answer of `key`."""
        return next((a for a in reversed(self.attempts) if a["key"] == key and a["status"] == "good"), None)

    async def claim(self, key: str) -> bool:
        """True for the first who asks, until `release`."""
        if key in self._claims:
            return False
        self._claims.add(key)
        return True

    async def record(self, attempt: Attempt) -> None:
        """Append a finished request."""
        self.attempts.append(attempt)

    async def release(self, key: str) -> None:
        """Let the next one ask."""
        self._claims.discard(key)
