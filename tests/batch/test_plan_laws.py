"""Whatever the files are and however their analyses end: each content is handed out once, and the counts add up."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.batch.configuration import Gate
from anomagent.batch.plan import Job, Plan
from anomagent.batch.stop import Stop
from anomagent.batch.tally import Tally
from anomagent.benchmark.items import Item
from anomagent.state.findings import Analysis, Status, UsageTotals
from anomagent.store import Workspace

ENDS: tuple[Status | None, ...] = ("ok", "partial", "failed", None)
"""None: the job gave no result, and the next file with this content is tried."""


@settings(max_examples=25, deadline=None)
@given(
    contents=st.lists(st.integers(0, 5), min_size=1, max_size=80),
    ends=st.lists(st.sampled_from(ENDS), min_size=6, max_size=6),
    workers=st.integers(1, 4),
)
def test_each_content_is_handed_out_once(contents: list[int], ends: list[Status | None], workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        items = [Item(str(Path(folder, f"{number}.png"))) for number in range(len(contents))]
        for item, content in zip(items, contents, strict=True):
            Path(item.path).write_text(str(content))
        tally, handed_out = asyncio.run(_work_off(Path(folder), items, ends, workers))
    expected = {content: contents.count(content) if ends[content] is None else 1 for content in set(contents)}
    assert {content: handed_out.count(content) for content in set(handed_out)} == expected
    for status in ("ok", "partial", "failed"):
        assert getattr(tally, status) == sum(ends[content] == status for content in contents)
    assert tally.left == sum(ends[content] is None for content in contents)
    assert tally.analysed == len({content for content in contents if ends[content]})


async def _work_off(
    folder: Path, items: list[Item], ends: list[Status | None], workers: int
) -> tuple[Tally, list[int]]:
    tally, handed_out = Tally(len(items)), list[int]()
    plan = Plan(items, Gate(), "missing", Stop(), tally, None)
    plan.begin(Workspace.open(folder / "workspace"), "run", "configuration")

    async def work() -> None:
        while job := await plan.next():
            content = int(Path(job.item.path).read_text())
            handed_out.append(content)
            await asyncio.sleep(0)
            status = ends[content]
            if status is None:
                plan.give_up(job)
                continue
            tally.count(status)
            for _ in plan.finish(job, _analysis(job, status)):
                tally.count(status, duplicate=True)

    await asyncio.gather(*(work() for _ in range(workers)))
    await plan.settle_debts()
    return tally, handed_out


def _analysis(job: Job, status: Status) -> Analysis:
    return Analysis(
        image=job.item.name,
        sha256=job.sha256,
        status=status,
        schedule="direct",
        anomalies=[],
        failures=[],
        usage=UsageTotals(),
        seconds=0.0,
    )
