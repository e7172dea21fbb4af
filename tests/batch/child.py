"""`anomagent` in a process of its own, with a model that notes each question in `asked/`.

It answers the first samples of the paper's schedule at once, and everything else when there is a file `go`.

python -m tests.batch.child ARGUMENTS
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from anomagent.cli import main
from anomagent.models.fake import FakeModel
from anomagent.models.types import Completion, Request


class Patient(FakeModel):
    async def complete(self, request: Request) -> Completion:
        role = request.prompt.role
        Path("asked", f"{request.image_sha256}-{role}-{request.slot}").touch()
        waits = request.slot > 0 or role == "DirectDetector"
        while waits and not Path("go").exists():
            await asyncio.sleep(0.01)
        return await super().complete(request)


if __name__ == "__main__":
    FakeModel.from_file = lambda path: Patient()  # pyright: ignore[reportAttributeAccessIssue]
    main()
