"""A process that analyses one image of the scripted world, for tests that kill it or let two of them race.

python -m tests.graph.child IMAGE WORKSPACE [STEP OBJECT]    with STEP, this question is never answered
"""

from __future__ import annotations

import asyncio
import sys

from anomagent import analyze
from anomagent.models.fake import FakeModel, Rule
from tests.graph.world import model_of, names_of, world_of


def main(image: str, workspace: str, step: str = "", about: str = "") -> None:
    model = model_of(world_of(names_of(3)))
    if step:
        role, _, name = step.partition(".")
        model.rules.insert(0, Rule("", role, name, about or None, delay=3_600))
    FakeModel.from_file = lambda path: model  # pyright: ignore[reportAttributeAccessIssue]
    print(asyncio.run(analyze(image, model="fake:world", workspace=workspace)).model_dump_json())


if __name__ == "__main__":
    main(*sys.argv[1:])
